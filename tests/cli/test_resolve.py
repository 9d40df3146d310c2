"""A person's word: asked for, given once, and never stretched to anything else."""

import json

import pytest
from click.testing import CliRunner

from pika_async.cli._app import app
from tests.cli.ledgers import read, write


@pytest.fixture
def sandbox(sandbox_beside):
    """Return a provider that renders at once."""
    return sandbox_beside(render_time=0.01)


@pytest.fixture
def unresolved(ledger):
    """Keep one job that nobody but a person can settle."""
    return write(ledger, ("aaaabbbb", "unresolved"))


def answer(word, *words):
    """Run the command line and type *word* at its question."""
    return CliRunner().invoke(app, words, input=f"{word}\n")


def test_resubmit_buys_once_more(run, sandbox, unresolved, tmp_path):
    """On the word one POST is made, and its video is delivered like any other."""
    file = tmp_path / "cat.mp4"
    result = run("resolve", "aaaa", "--resubmit", "--yes", "-o", file)
    assert (result.exit_code, result.stdout) == (0, f"{file}\n")
    assert file.read_bytes()[4:8] == b"ftyp"
    assert sandbox.billed == {"A cat, unresolved": 1}
    assert [(a.state, a.superseded) for a in read(unresolved, "aaaabbbb").attempts] == [
        ("unresolved", True),
        ("succeeded", False),
    ]


def test_a_second_word_is_not_taken_from_the_first(run, sandbox, unresolved):
    """What one word has settled, the same command again does not buy again."""
    for code in (0, 1):
        assert run("resolve", "aaaa", "--resubmit", "--yes").exit_code == code
    assert sandbox.billed.total() == 1


def test_no_wait_ends_when_it_is_accepted(run, sandbox_beside, unresolved):
    """`--no-wait` brings the POST to its answer, and no further."""
    sandbox = sandbox_beside(render_time=60)
    result = run("resolve", "aaaa", "--resubmit", "--yes", "--no-wait", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["state"] == "running"
    assert sandbox.billed.total() == 1


def test_abandon_needs_neither_key_nor_network(run, unresolved):
    """Giving up sends nothing."""
    result = run("resolve", "aaaa", "--abandon", "--yes", "--json")
    assert json.loads(result.stdout)["state"] == "abandoned"
    assert read(unresolved, "aaaabbbb").newest.abandoned


@pytest.mark.parametrize("word", ["--resubmit", "--abandon"])
def test_asks_back(unresolved, sandbox, word):
    """Without `--yes` a person is asked, with the prompt; a no changes nothing."""
    result = answer("n", "resolve", "aaaa", word)
    assert "A cat, unresolved" in result.stderr
    assert result.exit_code == 1
    assert sandbox.requests == {}
    assert not read(unresolved, "aaaabbbb").newest.abandoned


def test_the_price_of_resubmitting_is_said(unresolved, sandbox):
    """The question names the risk."""
    assert "two videos are paid" in answer("n", "resolve", "aaaa", "--resubmit").stderr


def test_one_word_at_a_time(run, unresolved):
    """Neither and both are refused."""
    assert run("resolve", "aaaa").exit_code == 2
    assert run("resolve", "aaaa", "--resubmit", "--abandon").exit_code == 2


@pytest.mark.parametrize("way", ["queued", "ambiguous", "running", "succeeded", "abandoned"])
def test_only_unresolved_jobs_need_a_word(run, ledger, way):
    """Any other job is left alone, without a key even."""
    write(ledger, ("aaaabbbb", way))
    for word in ("--resubmit", "--abandon"):
        result = run("resolve", "aaaa", word, "--yes")
        assert result.exit_code == 1
        assert f"Job aaaabbbb is {way}, not unresolved" in result.stderr


def test_resubmit_names_the_missing_key(run, unresolved):
    """The key is that of the job's provider, and nothing is recorded without it."""
    assert "ACEDATA_API_KEY" in run("resolve", "aaaa", "--resubmit", "--yes").stderr
    assert len(read(unresolved, "aaaabbbb").attempts) == 1


def test_a_job_without_its_request_cannot_be_sent_again(run, sandbox, ledger):
    """A job that came by its token is refused before the word is recorded."""
    write(ledger, ("aaaabbbb", "lost", {"request": False}))
    assert "holds no request" in run("resolve", "aaaa", "--resubmit", "--yes").stderr
    assert len(read(ledger, "aaaabbbb").attempts) == 1
