"""Ctrl-C in a real process: nothing paid is lost, and how to go on is said."""

import threading

from pika_acedata import AceDataEmulator
from pika_async.emulator import Held


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
        assert emulator.asked.wait(5)
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
        assert emulator.asked.wait(5)
        running.interrupt()
        running.await_stderr("Interrupt again")
        running.interrupt()
        code, _, err = running.end()
    assert code == 130
    assert "The provider may have taken the job" in err
    assert "Traceback" not in err
