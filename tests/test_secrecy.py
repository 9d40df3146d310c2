"""The whole suite runs with canary keys; this is the proof that a leak would be noticed."""

import logging
import os
import subprocess
import sys
from textwrap import dedent

import pytest

from pika_async import ConfigError, Pika
from pika_async.errors import BadReply, PikaError
from tests.canary import KEYS, SECRET
from tests.wheels import ROOT

KEY = KEYS["ACEDATA_API_KEY"]

LEAKY = """
    import logging, os, sys
    import pytest
    from pika_async.errors import BadReply

    def key():
        return os.environ["ACEDATA_API_KEY"]

    def test_logs():
        logging.getLogger("anything").debug("header %s", key())

    def test_prints():
        print(key())

    def test_prints_errors():
        print(key(), file=sys.stderr)

    def test_writes(tmp_path):
        (tmp_path / "ledger.db").write_bytes(b"\\xff" + key().encode())

    def test_raises():
        with pytest.raises(BadReply):
            raise BadReply(f"the host said {key()}")

    def test_shows_a_token():
        logging.getLogger("pika_async").info("https://callback.invalid/" + "a1b2-1-9f." + 22 * "m")

    def test_is_clean(tmp_path):
        (tmp_path / "cat.mp4").write_bytes(b"video")
        print("all is well")
        logging.getLogger("anything").debug("header ***")
        with pytest.raises(BadReply):
            raise BadReply("the host said nothing")
"""


def test_a_test_that_leaks_fails(tmp_path_factory):
    """Each way out of the process is watched, and a test that is clean passes."""
    folder = tmp_path_factory.mktemp("leaky")
    (folder / "test_leaky.py").write_text(dedent(LEAKY))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.canary", "-p", "no:cacheprovider", "-rA", "-q", "."],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )
    lines = done.stdout.splitlines()
    failed = {line.split("::")[1].split(" ")[0] for line in lines if line.startswith(("FAILED", "ERROR"))}
    assert failed == {
        "test_logs",
        "test_prints",
        "test_prints_errors",
        "test_writes",
        "test_raises",
        "test_shows_a_token",
    }
    assert "test_is_clean" in done.stdout


@pytest.fixture
def leaks(canary):
    """Return a function that tells what the test has leaked so far, which then does not fail it."""

    def so_far():
        canary.stop()
        found, canary.leaks = canary.leaks, []
        return found

    return so_far


def run_as(path, code, key):
    """Call the function `read(key)` of *code* as if it stood in the file at *path*."""
    namespace = {"BadReply": BadReply}
    exec(compile(code, path, "exec"), namespace)
    namespace["read"](key)


def test_locals_of_our_frames_are_looked_at(leaks):
    """Error trackers print them; a frame of ours that holds a bare key is a leak."""
    code = "def read(key):\n    raise BadReply('no key in here')"
    with pytest.raises(BadReply):
        run_as("/site-packages/pika_async/_transport.py", code, KEY)
    assert leaks() == [f"local key in /site-packages/pika_async/_transport.py:2 under BadReply shows {KEY}"]


def test_locals_of_a_strangers_frames_are_not_ours(leaks):
    """A user's own program holds its own keys."""
    with pytest.raises(BadReply):
        run_as("/home/user/program.py", "def read(key):\n    raise BadReply('no')", KEY)
    assert leaks() == []


def test_causes_are_looked_at(leaks):
    """What an error was raised from is shown with it."""
    code = "def read(key):\n    raise ValueError('inner')"
    with pytest.raises(BadReply):  # noqa: PT012
        try:
            run_as("/site-packages/pika_acedata/_adapter.py", code, KEY)
        except ValueError as error:
            raise BadReply("outer") from error
    assert [leak for leak in leaks() if "_adapter.py" in leak]


def test_the_keys_are_in_the_environment():
    """A client that names no key runs on the canaries."""
    assert os.environ["DUOMI_API_KEY"] == KEYS["DUOMI_API_KEY"]
    assert all(SECRET.fullmatch(key) for key in KEYS.values())


@pytest.mark.parametrize("name", ["acedata", "duomi"])
def test_a_client_does_not_show_its_key(name):
    """Nor does anything it is made of."""
    client = Pika(name)
    seen, todo = set(), [client]
    while todo:
        thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        assert not SECRET.search(repr(thing))
        if isinstance(thing, list | tuple):
            todo += thing
        elif type(thing).__module__.startswith("pika_"):
            todo += vars(thing).values() if hasattr(thing, "__dict__") else ()


@pytest.mark.parametrize(
    "misuse",
    [
        Pika,
        lambda: Pika("acedata", "duomi", api_key=KEY),
        lambda: Pika("acedata", api_key=KEY + "\n"),
        lambda: Pika("duomi", api_key=KEY, base_url="not an address"),
        lambda: Pika("acedata", base_url="http://["),
        lambda: Pika("nobody", api_key=KEY),
        lambda: Pika("acedata", "acedata"),
    ],
    ids=[
        "no name",
        "key for two",
        "key with a line break",
        "no address",
        "half an address",
        "unknown",
        "twice",
    ],
)
def test_a_misused_client_does_not_show_its_key(misuse):
    """The error, its frames and what it came from are looked at by the watch of every test."""
    with pytest.raises(PikaError) as refused:
        misuse()
    assert isinstance(refused.value, ConfigError)


def test_debug_logging_is_on():
    """What is logged only for developers is watched too."""
    assert logging.getLogger("pika_async").isEnabledFor(logging.DEBUG)
