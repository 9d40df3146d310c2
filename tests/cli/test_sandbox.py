"""The sandbox as a command."""

import re
import socket

from pika_async.emulator import Outcome


def test_the_sandbox_serves_whoever_sets_its_variables(process, run, impatient, monkeypatch, tmp_path):
    """What it prints to be set is all that another terminal needs; Ctrl-C ends it well."""
    with process("sandbox", "--port", "0", "--render-time", "0.01") as serving:
        introduction = serving.await_stdout(Outcome.DROPPED.value)
        for name, value in re.findall(r"export (\w+)=(\S+)", introduction):
            monkeypatch.setenv(name, value)
        result = run("generate", "A cat", "--provider", "duomi", "-o", tmp_path / "cat.mp4")
        serving.interrupt()
        code, _, err = serving.end()
    assert result.exit_code == 0
    assert (code, err) == (0, "The sandbox has ended.\n")
    assert all(outcome.value in introduction for outcome in Outcome)
    assert max(map(len, introduction.splitlines())) <= 80


def test_a_taken_port_is_named(run):
    """A port that someone else has is one plain sentence."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("sandbox", "--port", port)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: Port {port} cannot be used (")
    assert result.stderr.endswith("choose another with --port.\n")
