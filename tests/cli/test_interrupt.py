"""Ctrl-C in a real process: nothing paid is lost, and how to go on is said."""

import json
import re
import signal
import threading

import pytest

from pika_acedata import AceDataEmulator
from pika_async.emulator import Held
from pika_async.ledger import read_token


class SlowToAnswer:
    """AceData, but every answer is *delay* seconds late."""

    def __init__(self, delay):
        self._delay, self._emulator = delay, AceDataEmulator()
        self.paths = self._emulator.paths
        self.asked = threading.Event()

    def answer(self, request, world):
        answer = self._emulator.answer(request, world)
        self.asked.set()
        return Held(until=world.now + self._delay, answer=lambda: answer)


def test_ctrl_c_while_rendering_prints_the_token(process):
    """The token and the command that goes on are the last words; the exit code is 130."""
    with process("generate", "A cat sandbox-never-finishes", "--sandbox", "-o", "cat.mp4") as running:
        running.await_stderr("acedata is rendering")
        running.interrupt()
        code, out, err = running.end()
    assert (code, out) == (130, "")
    assert "Interrupted.\n" in err
    assert err.splitlines()[-1].startswith("  pika-async fetch pika1.")
    assert err.endswith(" -o cat.mp4\n")
    assert "Traceback" not in err


def test_ctrl_c_while_sending_waits_for_the_answer(process, sandbox_beside):
    """A request under way is brought to its end: it was billed once, and its token is printed."""
    emulator = SlowToAnswer(0.3)
    sandbox = sandbox_beside(emulators=[emulator])
    with process("generate", "A cat") as running:
        assert emulator.asked.wait(30)
        running.interrupt()
        code, out, err = running.end()
    assert (code, out) == (130, "")
    assert "waiting for the provider's answer" in err
    assert err.splitlines()[-1].startswith("  pika-async fetch pika1.")
    assert "Traceback" not in err
    assert sandbox.billed == {"A cat": 1}


def test_a_second_ctrl_c_gives_up(process, sandbox_beside):
    """Who does not want to wait is told that the money may be gone."""
    emulator = SlowToAnswer(60)
    sandbox_beside(emulators=[emulator])
    with process("generate", "A cat") as running:
        assert emulator.asked.wait(30)
        running.interrupt()
        running.await_stderr("Interrupt again")
        running.interrupt()
        code, _, err = running.end()
    assert code == 130
    assert "The provider may have taken the job" in err
    assert "Traceback" not in err


ENDING = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "code"), ENDING)
def test_whatever_ends_a_command_leaves_the_token_and_the_job(process, run, sandbox_beside, number, code):
    """Ctrl-C, `kill` and a closed terminal print the token, also as JSON; `jobs`, `recover` know the job."""
    sandbox = sandbox_beside(render_time=2.0)
    with process("generate", "A cat", "--json") as running:
        running.await_stderr("acedata is rendering")
        running.signal(number)
        ended, out, err = running.end()
    (token,) = re.findall(r"pika1\.\S+", err)
    error = json.loads(out)["error"]
    assert (ended, error["type"], error["notes"]) == (code, "Interrupted", err.splitlines()[-2:])
    (job,) = json.loads(run("jobs", "--json").stdout)["jobs"]
    assert (job["state"], job["id"]) == ("running", read_token(token).job_id)
    end = json.loads(run("recover", "--json").stdout)
    assert (read_token(end["token"]).job_id, end["state"]) == (job["id"], "succeeded")
    assert sandbox.billed == {"A cat": 1}


def test_a_signal_that_comes_twice_from_one_cause_is_one(process, sandbox_beside):
    """A service manager may send SIGTERM and SIGHUP at once; the answer is waited for all the same."""
    emulator = SlowToAnswer(0.3)
    sandbox_beside(emulators=[emulator])
    with process("generate", "A cat") as running:
        assert emulator.asked.wait(30)
        running.signal(signal.SIGTERM)
        running.await_stderr("waiting for the provider's answer")
        running.signal(signal.SIGHUP)
        code, _, err = running.end()
    assert code == 143
    assert err.splitlines()[-1].startswith("  pika-async fetch pika1.")


def test_nohup_is_respected(process, sandbox_beside, monkeypatch):
    """A command that was started to outlive its terminal does."""
    sandbox_beside(render_time=0.3)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with process("generate", "A cat") as running:
            running.await_stderr("acedata is rendering")
            running.signal(signal.SIGHUP)
            code, out, _ = running.end()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (code, out[:7]) == (0, "http://")
