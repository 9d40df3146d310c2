"""Runs a program on a disk that loses power at one of its writes, and looks for what was acknowledged."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from attrs import frozen

from pika_async._ledger.records import AttemptState, JobRecord
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.results import Succeeded
from tests.ledger.records import ACCOUNT

ROOT = Path(__file__).parent.parent
_SENT = {AttemptState.SUBMITTING, AttemptState.RUNNING, AttemptState.SUCCEEDED, AttemptState.REFUSED}


def compiled(folder: Path) -> Path | None:
    """Compile the disk, once a session; None where there is no C compiler or no Linux."""
    if sys.platform != "linux" or (compiler := shutil.which("gcc") or shutil.which("cc")) is None:
        return None
    library = folder / "power_cut.so"
    source = ROOT / "tests" / "power_cut.c"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-lpthread"], check=True
    )
    return library


@frozen
class Disk:
    """A folder on a disk that loses power; *library* is preloaded under the program that uses it."""

    library: Path
    folder: Path

    @property
    def ledger(self) -> Path:
        return self.folder / "jobs.db"

    def run(self, at: int | None = None, *, seed: int = 0, unsafe: bool = False) -> list[list[str]]:
        """Run the program until the power goes at operation *at*; return what it had said by then."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        settings = {
            "LD_PRELOAD": str(self.library),
            "POWER_CUT_DIR": str(self.folder),
            "POWER_CUT_AT": str(at or -1),
            "POWER_CUT_SEED": str(seed),
            **({"POWER_CUT_UNSAFE": "1"} if unsafe else {}),
        }
        ended = subprocess.run(
            [sys.executable, "-m", "tests.power_cut_program", self.ledger],
            env=os.environ | settings,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=False,
        )
        assert ended.returncode == (0 if at is None else -9), ended.returncode
        return [json.loads(line) for line in ended.stdout.splitlines()]

    def operations(self) -> int:
        """Return how many operations the program has, and so how many places at which power can go."""
        count = self.folder.parent / "operations"
        os.environ["POWER_CUT_COUNT"] = str(count)
        try:
            self.run()
        finally:
            del os.environ["POWER_CUT_COUNT"]
        return int(count.read_text())

    async def lost(self, said: list[list[str]]) -> list[str]:
        """Return what the ledger had acknowledged and no longer knows, and what else is wrong with it."""
        if not self.ledger.exists():
            return [f"the file is gone, after {said[-1]}"] if said else []
        with sqlite3.connect(self.ledger) as connection:
            (health,) = connection.execute("PRAGMA integrity_check").fetchone()
        connection.close()
        ledger = SqliteLedger(self.ledger)
        await ledger.open()
        try:
            wrong = [] if health == "ok" else [health]
            callbacks = {received.attempt_id for received in await ledger.inbox_pending()}
            for what, name in (line for line in said if len(line) == 2):
                match what:
                    case "id":
                        held = ledger.id == name
                    case "called back":
                        held = f"{name}-1" in callbacks
                    case "learned":
                        held = await ledger.learned(ACCOUNT) is not None
                    case _:
                        held = _is_known(what, await ledger.get(name))
                wrong += [] if held else [f"{what} {name}"]
            wrong += [f"{job.id} is in doubt" for job in await ledger.jobs("ambiguous")]
            return wrong
        finally:
            await ledger.aclose()


def _is_known(what: str, job: JobRecord | None) -> bool:
    if job is None:
        return False
    first, newest = job.attempts[0], job.newest
    match what:
        case "created":
            return True
        case "claimed":
            return first.state in _SENT
        case "running":
            return first.task is not None
        case "succeeded":
            return isinstance(first.outcome, Succeeded)
        case "queued again":
            return first.state is AttemptState.REFUSED and newest.number == 2
        case "claimed again":
            return newest.state in _SENT
        case _:
            raise ValueError(what)
