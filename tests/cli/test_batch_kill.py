"""A batch that is killed at any moment goes on where it was, and buys nothing twice."""

import json
import os
import random
import select
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress

import pytest

PROMPTS = [f"Cat number {number}" for number in range(1, 31)]
KILLS = 20

# Starts the command line again and again, each time in a new process, without loading it each time.
# Leases are shortened: what a dead process was doing is looked into after a second and not after minutes.
# So is the time for which lost orders hold slots: one kill in the middle of three orders would hold them all.
LAUNCHER = """
import os, sys
from functools import partial
import pika_async.gallery
from pika_async import Pika
from pika_async._engine import rounds, sweeper
from pika_async._engine.looks import leader
from pika_async._ledger.times import Times

import pika_async.batch
from pika_async.cli import _batch_display, _connection, batch, main

_connection.Pika = partial(Pika, poll_rate=None, poll_interval=0.02)
leader.LEASE, leader._RENEW = 1.0, 0.3
Times.lease = property(lambda self: 1.0)
Times.__init__.__kwdefaults__.update(resolve=0.5, acceptance=-1800.0, slack=0.0)
rounds._FIRST = rounds._PERIOD = sweeper._PERIOD = 0.05

for words in sys.stdin:
    child = os.fork()
    if not child:
        sys.argv[1:] = words.split()
        try:
            main()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""


class Launcher:
    """Runs the command line in processes that can be killed at any moment."""

    def __init__(self, said):
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            bufsize=1,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def run(self, *words, kill_after=None):
        """Return the exit code, which is -9 for a process that was killed in time."""
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        child = int(self._process.stdout.readline())
        if kill_after is not None:
            ended, _, _ = select.select([self._process.stdout], [], [], kill_after)
            if not ended:
                # If it has ended just now its number may be reaped, though not given away so soon.
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        while True:
            line = self._process.stdout.readline()
            if line.startswith("ended "):
                return int(line.split()[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_a_batch_killed_twenty_times_ends_as_if_nothing_had_been(sandbox_beside, run, tmp_path):
    """Thirty rows, killed at random moments: thirty files, thirty billed POSTs, one gallery."""
    moments = random.Random()
    sandbox = sandbox_beside(render_time=lambda: moments.uniform(0.0, 0.1))
    prompts, videos = tmp_path / "prompts.txt", tmp_path / "videos"
    prompts.write_text("\n".join(PROMPTS))
    words = ["batch", prompts, "--out", videos, "--max-concurrency", 3]
    with (tmp_path / "said").open("w") as said, Launcher(said) as launcher:
        killed = sum(launcher.run(*words, kill_after=moments.uniform(0.0, 0.4)) == -9 for _ in range(KILLS))
        for _ in range(5):
            if launcher.run(*words) == 0:
                break
            _settle(run, videos / "jobs.db")
    assert killed >= 5
    assert sandbox.billed == Counter(PROMPTS)
    rows = [json.loads(line) for line in (videos / "manifest.jsonl").read_text().splitlines()]
    assert [row["state"] for row in rows] == ["done"] * len(PROMPTS)
    assert [row["request"]["prompt"] for row in rows] == PROMPTS
    assert len({row["file"] for row in rows}) == len(PROMPTS)
    assert all((videos / row["file"]).stat().st_size == row["size"] for row in rows)
    assert not list(videos.glob("*.part*"))
    assert (videos / "index.html").read_text().count("<video") == len(PROMPTS)


def _settle(run, ledger):
    """Say, as a person would after a look at the provider's console, that lost orders were never accepted."""
    found = json.loads(run("jobs", "--ledger", ledger, "--state", "unresolved", "--json").stdout)
    for job in found["jobs"]:
        run("resolve", job["id"], "--resubmit", "--yes", "--no-wait", "--ledger", ledger)
