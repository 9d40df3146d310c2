"""Going on with what dead processes left: looked for at no cost, bought only on demand."""

import json
import signal
import time

import pytest

from pika_async.cli import recover
from tests.cli.ledgers import pass_time, write
from tests.cli.test_interrupt import SlowToAnswer


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    """Look once."""
    monkeypatch.setattr(recover, "SECOND_LOOK", 0.0)


def kill(running):
    """Let a process end as a power cut would."""
    running._process.send_signal(signal.SIGKILL)
    running._process.wait()


def test_a_job_killed_while_rendering_is_fetched(run, process, sandbox_beside, ledger):
    """The video of a killed process is delivered by another, for the one POST."""
    sandbox = sandbox_beside(render_time=0.6)
    with process("generate", "A cat") as running:
        running.await_stderr("acedata is rendering")
        kill(running)
    pass_time(ledger)
    result = run("recover", "--json")
    assert result.exit_code == 0
    end = json.loads(result.stdout)
    assert (end["state"], end["video_url"][-10:]) == ("succeeded", "/video.mp4")
    assert sandbox.billed == {"A cat": 1}
    assert run("recover").stderr == "There is nothing to recover.\n"


def test_a_job_killed_after_the_post_is_found(run, process, sandbox_beside, ledger):
    """Nobody read the answer; the provider's history knows the task, and nothing is sent again."""
    emulator = SlowToAnswer(60)
    sandbox = sandbox_beside(emulators=[emulator], render_time=0.01)
    with process("generate", "A cat") as running:
        assert emulator.asked.wait(30)
        kill(running)
    emulator.answer = emulator._emulator.answer
    pass_time(ledger)
    result = run("recover")
    assert result.exit_code == 0
    assert result.stdout.split()[1] == "succeeded"
    assert sandbox.billed == {"A cat": 1}


def test_what_was_never_sent_is_bought_on_demand(run, sandbox_beside, ledger):
    """Without `--queued` it stays unsent."""
    sandbox = sandbox_beside(render_time=0.01)
    write(ledger, ("aaaabbbb", "queued"))
    assert run("recover").stderr == "There is nothing to recover.\n"
    assert sandbox.requests == {}
    assert run("recover", "--queued").stdout.startswith("aaaabbbb  succeeded   http://127.0.0.1")
    assert sandbox.billed == {"A cat, queued": 1}


def test_the_cap_counts_what_was_bought_before(run, sandbox_beside, ledger):
    """`--max-submits` is about the ledger, not about the process."""
    sandbox = sandbox_beside(render_time=0.01)
    write(ledger, ("aaaabbbb", "succeeded"), ("bbbbcccc", "queued"))
    result = run("recover", "--queued", "--max-submits", 1)
    assert "spending cap" in result.stdout
    assert sandbox.billed == {}


def test_unresolved_jobs_need_a_person(run, sandbox_beside, ledger):
    """They are named, and the exit code is 1."""
    sandbox_beside(render_time=0.01)
    write(ledger, ("aaaabbbb", "unresolved", {"created_at": time.time()}))
    result = run("recover")
    assert result.exit_code == 1
    assert result.stdout.startswith("aaaabbbb  unresolved  It is not known")
    assert "1 of 1 jobs did not end" in result.stderr


def test_jobs_of_a_provider_without_key_are_left(run, sandbox_beside, ledger):
    """Whose key is set is recovered; the rest is counted."""
    sandbox_beside(render_time=0.01)
    write(
        ledger,
        ("aaaabbbb", "queued"),
        ("bbbbcccc", "queued", {"account": "duomi:default"}),
        ("ccccdddd", "queued", {"account": "acedata:another"}),
    )
    result = run("recover", "--queued")
    assert "1 of 2 jobs are left alone" in result.stderr
    assert result.stdout.startswith("aaaabbbb  succeeded")
    assert result.exit_code == 1
    assert run("recover", "--queued", "--account", "another").exit_code == 0


def test_no_key_at_all_names_it(run, ledger):
    """The variable to set is named."""
    write(ledger, ("aaaabbbb", "running"))
    result = run("recover")
    assert result.exit_code == 1
    assert "ACEDATA_API_KEY" in result.stderr


def test_the_wait_has_an_end(run, sandbox_beside, ledger):
    """`--timeout` ends the wait and not the job."""
    sandbox_beside(render_time=60)
    write(ledger, ("aaaabbbb", "queued"))
    result = run("recover", "--queued", "--timeout", "0.05")
    assert result.exit_code == 1
    assert "the job goes on" in result.stdout
