"""What the command line's tests share: a way to run it, and a sandbox beside it."""

import os
import signal
import subprocess
import sys
from functools import partial

import pytest
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner

from pika_async import Pika
from pika_async._ledger.sqlite import opening
from pika_async.cli import _connection
from pika_async.cli._app import app
from pika_async.sandbox import Sandbox

KEYS = ("ACEDATA_API_KEY", "ACEDATACLOUD_API_TOKEN", "DUOMI_API_KEY", "ACEDATA_BASE_URL", "DUOMI_BASE_URL")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    """Keep the keys of whoever runs the tests out of them."""
    for name in (*KEYS, "PIKA_ASYNC_MEDIA_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path_factory):
    """Run every command in an empty folder, since names without one are files of wherever the tests run."""
    folder = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def ledger(monkeypatch, tmp_path_factory):
    """Keep the ledger of whoever runs the tests out of them; gives the file that commands use instead."""
    # Nothing here is about the power going out, and a busy disk would take most of the time.
    monkeypatch.setattr(opening, "_SETTINGS", ("PRAGMA synchronous = OFF",))
    monkeypatch.setattr(os, "fsync", lambda _: None)
    file = tmp_path_factory.mktemp("state") / "folder" / "jobs.db"
    monkeypatch.setenv("PIKA_ASYNC_LEDGER", str(file))
    return file


@pytest.fixture
def run():
    """Run the command line in this process."""

    def invoke(*words):
        return CliRunner().invoke(app, [str(word) for word in words], prog_name="pika-async")

    return invoke


@pytest.fixture
def quick(monkeypatch):
    """Have the sandbox inside a command render at once."""
    monkeypatch.setattr(_connection, "RENDER_TIME", 0.01)


@pytest.fixture
def tried(run, quick):
    """Run the command line with a sandbox in it that renders at once."""

    def invoke(*words):
        return run(*words, "--sandbox")

    return invoke


@pytest.fixture
def impatient(monkeypatch):
    """Have clients in this process look at their jobs all the time."""
    monkeypatch.setattr(_connection, "Pika", partial(Pika, poll_rate=None, poll_interval=0.01))


@pytest.fixture
def sandbox_beside(monkeypatch, impatient):
    """Start sandboxes in another thread, and point the environment at the last one."""
    with start_blocking_portal() as portal:
        contexts = []

        def start(**options):
            sandbox = Sandbox(**options)
            context = portal.wrap_async_context_manager(sandbox)
            context.__enter__()
            contexts.append(context)
            for name in ("ACEDATA", "DUOMI"):
                monkeypatch.setenv(f"{name}_BASE_URL", sandbox.url)
            monkeypatch.setenv("ACEDATA_API_KEY", "sandbox-canary")
            monkeypatch.setenv("PIKA_ASYNC_MEDIA_HOST", sandbox.url.removeprefix("http://"))
            return sandbox

        yield start
        for context in contexts:
            context.__exit__(None, None, None)


class Process:
    """The command line as a process of its own, which a test can interrupt."""

    def __init__(self, *words):
        program = "from pika_async.cli import _connection, main; _connection.RENDER_TIME = 0.01; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def await_stderr(self, words):
        """Read stderr up to the line that holds *words*."""
        return self._await(self._process.stderr, words)

    def await_stdout(self, words):
        """Read stdout up to the line that holds *words*."""
        return self._await(self._process.stdout, words)

    def _await(self, stream, words):
        seen = ""
        for line in stream:
            seen += line
            if words in line:
                return seen
        raise AssertionError(f"{words!r} did not come:\n{seen}{self._process.communicate()}")

    def interrupt(self):
        """Do what Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def signal(self, number):
        """Send any signal."""
        self._process.send_signal(number)

    def terminate(self):
        """Do what `kill` and a service manager do."""
        self._process.send_signal(signal.SIGTERM)

    def end(self):
        """Return exit code, stdout and stderr."""
        out, err = self._process.communicate(timeout=30)
        return self._process.returncode, out, err


@pytest.fixture
def process():
    """Start the command line as a process."""
    return Process
