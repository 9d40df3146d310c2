"""The doctor: what it finds, and what it says should be done."""

import json
import os
import sqlite3
from contextlib import closing

import pytest

from pika_async import _registry
from pika_async._registry import Plugin
from tests.cli.ledgers import write


@pytest.fixture
def found(run):
    """Run the doctor, and give its findings by subject."""

    def examine(*words):
        result = run("doctor", "--json", *words)
        told = json.loads(result.stdout)
        assert told["ok"] is (result.exit_code == 0)
        return {finding["subject"]: finding for finding in told["findings"]}

    return examine


def test_a_sound_installation(run, monkeypatch):
    """Python, providers, ledger and clock are told in 80 columns, and nothing is wrong; no key is shown."""
    monkeypatch.setenv("ACEDATA_API_KEY", "sandbox-canary")
    result = run("doctor")
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line.split()[:2] for line in lines if line.startswith("wrong")] == []
    assert "works; its key is in ACEDATA_API_KEY" in result.stdout
    assert "canary" not in result.output


def test_a_missing_key_is_a_note(found):
    """Nobody needs the keys of all providers; what to set is said."""
    duomi = found()["duomi"]
    assert (duomi["state"], duomi["advice"]) == ("note", "To use it, set DUOMI_API_KEY.")


def test_a_key_that_cannot_be_sent_is_wrong(run, monkeypatch):
    """A key with a line break inside would be refused by HTTP; the key is not shown."""
    monkeypatch.setenv("DUOMI_API_KEY", "sandbox\ncanary")
    result = run("doctor")
    assert result.exit_code == 1
    assert "check the API key for line breaks" in " ".join(result.stdout.split())
    assert "canary" not in result.output


@pytest.mark.parametrize("key", ["Bearer sandbox-canary", '"sandbox-canary"', "${SANDBOX_CANARY}"])
def test_a_key_that_is_none_is_wrong(run, monkeypatch, key):
    """By the same check as the client's."""
    monkeypatch.setenv("DUOMI_API_KEY", key)
    result = run("doctor")
    assert result.exit_code == 1
    assert "The key in DUOMI_API_KEY" in " ".join(result.stdout.split())
    assert "canary" not in result.output.casefold()


def test_a_broken_provider_is_wrong(found, monkeypatch):
    """A plug-in that fails to load is told with its distribution."""
    plugins = {**_registry.plugins(), "other": Plugin(name="other", distribution="pika-other", broken="Oops")}
    monkeypatch.setattr(_registry, "plugins", lambda: plugins)
    other = found()["other"]
    assert (other["state"], other["told"], other["advice"]) == (
        "wrong",
        "is broken: Oops",
        "Update or remove pika-other.",
    )


def test_unresolved_jobs_are_for_a_person(found, ledger):
    """They are counted, with the command that settles one."""
    write(ledger, ("job1", "unresolved"))
    unresolved = found()["unresolved"]
    assert unresolved["state"] == "wrong"
    assert unresolved["advice"].endswith(f"pika-async resolve --ledger {ledger} job1")


def test_a_file_that_is_no_ledger_is_wrong(found, tmp_path):
    """What the ledger says of itself is told, and the file is left alone."""
    file = tmp_path / "jobs.db"
    file.write_text("not a database at all")
    assert found("--ledger", file)["ledger"]["state"] == "wrong"
    assert file.read_text() == "not a database at all"


@pytest.mark.parametrize("words", [("ledger", "check"), ("spend",), ("jobs",), ("doctor",)])
def test_all_commands_agree_on_an_incomplete_ledger(run, tmp_path, words):
    """None of them calls sound what another cannot read."""
    file = write(tmp_path / "half.db")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE spending")
    result = run(*words, "--ledger", file)
    assert result.exit_code == 1
    assert "it is incomplete" in " ".join(result.output.split())
    assert "Missing: spending" in " ".join(result.output.split())


def test_no_ledger_is_no_harm_and_none_is_made(found, ledger):
    """Before the first job there is none."""
    assert found()["ledger"]["state"] == "ok"
    assert not ledger.exists()


def test_a_clock_behind_the_ledger_is_wrong(found, ledger):
    """A ledger of the future means a clock of the past."""
    write(ledger, ("job1", "running"))
    os.utime(ledger, (4e9, 4e9))
    assert found()["clock"]["state"] == "wrong"
