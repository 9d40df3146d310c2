"""One job in full: what happened, what came of it, and what to do next."""

import json
import re
import sqlite3

import pytest

from pika_async import Camera, Generate, Ingredients
from tests.cli.ledgers import LINK, WAYS, write

NEXT = {
    "queued": [["recover", "--queued"]],
    "submitting": [["recover"]],
    "sending": [["recover"]],
    "ambiguous": [["recover"]],
    "unresolved": [["resolve", "aaaabbbb", "--resubmit"], ["resolve", "aaaabbbb", "--abandon"]],
    "running": [["fetch", "aaaabbbb", "-o", "FILE"]],
    "succeeded": [["fetch", "aaaabbbb", "-o", "FILE"]],
    "lost": [["resolve", "aaaabbbb", "--resubmit"], ["resolve", "aaaabbbb", "--abandon"]],
}


@pytest.fixture
def described(run, ledger):
    """Return a job that went some way as JSON."""

    def describe(way, **fields):
        write(ledger, ("aaaabbbb", way, fields))
        return json.loads(run("job", "aaaa", "--json").stdout)

    return describe


@pytest.mark.parametrize("way", WAYS)
def test_says_what_to_do_next(described, way):
    """Each state leads to the commands that settle it, and an end to none but getting the video."""
    words = [command.split()[1:] for command in described(way)["next"]]
    assert words == NEXT.get(way, [])


def test_the_commands_name_the_same_ledger(run, tmp_path):
    """Whoever named a ledger is given commands that name it too."""
    file = write(tmp_path / "my jobs.db", ("aaaabbbb", "running"))
    assert f"fetch aaaabbbb --ledger '{file}' -o FILE" in run("job", "aaaa", "--ledger", file).stdout


def test_every_name_of_a_job_works(run, described):
    """An id, the start of one, an attempt's id and a token name the same job."""
    token = described("running")["token"]
    for name in ("aaaabbbb", "aaaa", "aaaabbbb-1-n", token):
        assert run("job", name).stdout.startswith("aaaabbbb running\n")


def test_an_ambiguous_start_is_refused(run, ledger):
    """The start of two ids names neither."""
    write(ledger, ("aaaabbbb", "queued"), ("aaaacccc", "queued"))
    result = run("job", "aaaa")
    assert result.exit_code == 1
    assert "or several begin with it; `pika-async jobs` lists them" in result.stderr


def test_history_and_attempts(described):
    """Every move is there with its time, and every attempt with its task and what it cost."""
    job = described("succeeded")
    assert [move["after"] for move in job["history"] if move["subject"] == "aaaabbbb-1-n"] == [
        "queued", "submitting", "running", "succeeded",
    ]  # fmt: skip
    (attempt,) = job["attempts"]
    assert (attempt["state"], attempt["task"], attempt["charged"]) == ("succeeded", "task-1-aaaabbbb", "yes")
    assert [video["video_url"] for video in job["results"]] == [LINK]


def test_an_error_is_in_one_sentence(run, ledger):
    """What went wrong is said as the client says it; a provider's words cannot steer the terminal."""
    write(ledger, ("aaaabbbb", "failed"))
    said = run("job", "aaaa").stdout
    assert "Moderation stopped the video (no [2Jcats)" in said
    assert "trace-1" in said
    assert "\x1b" not in said


def test_the_token_is_in_one_piece(run, described):
    """However narrow the terminal, the token can be copied."""
    token = described("running")["token"]
    assert f" {token}\n" in run("job", "aaaa").stdout


def test_a_request_shows_no_secret(run, described):
    """Signed links, passwords in links, foreign fields and bytes are not shown; the rest is."""
    request = Ingredients(
        "They dance",
        ["https://me:canary@cdn.example.com/a.png?signature=canary", b"canary"],
        camera=Camera(pan="left"),
        extra_body={"webhook": "https://example.com/canary"},
    )
    shown = described("running", request=request)["request"]
    assert shown == {
        "prompt": "They dance",
        "camera": {"pan": "left"},
        "extra_body": "webhook (values are not shown)",
        "images": ["https://cdn.example.com/a.png?...", "6 bytes"],
    }
    assert "canary" not in run("job", "aaaa").stdout


def test_a_file_is_named(described, tmp_path):
    """Of a file the name is shown, as it was given."""
    shown = described("running", request=Generate("It waves", image=tmp_path / "cat.png"))["request"]
    assert shown["image"] == str(tmp_path / "cat.png")


def test_an_unknown_job_is_an_error(run, ledger):
    """The error says which ledger was asked."""
    write(ledger)
    assert str(ledger) in run("job", "nope").stderr


def test_what_was_paid_is_never_called_unsent(run, ledger):
    """A job that came by its token was sent by somebody; of one in the queue it is said that it was not."""
    write(ledger, ("aaaabbbb", "succeeded"), ("bbbbcccc", "queued"))
    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE job_attempts SET claimed_at = NULL")
    connection.close()
    paid, unsent = run("job", "aaaa").stdout, run("job", "bbbb").stdout
    assert "sent by another process" in paid
    assert "not sent" not in paid
    assert ", not sent" in unsent


@pytest.mark.parametrize("way", WAYS)
def test_history_is_in_words(run, described, way):
    """Names of our classes, and of processes, are for us."""
    described(way)
    history = run("job", "aaaa").stdout.partition("History\n")[2].partition("\n\n")[0]
    assert not re.search(r"\([A-Z]|process that is|Evidence|Claim", history)
