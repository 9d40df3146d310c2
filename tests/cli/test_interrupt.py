"""Ctrl-C in a real process: nothing paid is lost, and how to go on is said."""


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


HELD = ["generate", "A cat", "--extra-body", '{"async": false}']


def test_ctrl_c_while_sending_waits_for_the_answer(process, sandbox_beside):
    """A request under way is brought to its end: it was billed once, and its token is printed."""
    sandbox = sandbox_beside(render_time=0.8)
    with process(*HELD) as running:
        running.await_stderr("sending")
        while not sandbox.billed:
            pass
        running.interrupt()
        code, out, err = running.end()
    assert (code, out) == (130, "")
    assert "waiting for the provider's answer" in err
    assert err.splitlines()[-1].startswith("  pika-async fetch pika1.")
    assert sandbox.billed == {"A cat": 1}


def test_a_second_ctrl_c_gives_up(process, sandbox_beside):
    """Who does not want to wait is told that the money may be gone."""
    sandbox = sandbox_beside(render_time=60)
    with process(*HELD) as running:
        running.await_stderr("sending")
        while not sandbox.billed:
            pass
        running.interrupt()
        running.await_stderr("Interrupt again")
        running.interrupt()
        code, _, err = running.end()
    assert code == 130
    assert "The provider may have taken the job" in err
    assert "Traceback" not in err
