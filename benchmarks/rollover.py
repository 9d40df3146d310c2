"""Old and new workers side by side over a migration, and how the old ones end where they may not stay.

The old release is the last commit whose code spoke the first schema, with its own code and its own tables;
without a git history there is none. Then today's release is the old one, and the new one is today's code with
one more migration: it shows what the next deployment will do.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryFile, mkdtemp
from typing import IO, Any

from attrs import define, frozen

from benchmarks._report import Cell, Figure, Report
from tests import postgres
from tests.fleet_story import Fleet, fleet

CLAIM = "a migration under orders, with workers of both releases: nothing lost, doubled, in doubt or failed"
_ROOT = Path(__file__).parent.parent
_SCRIPT = str(_ROOT / "benchmarks" / "_release.py")
_SCHEMA = "pika_async/_ledger/postgres/schema.py"
_PATIENCE = 300.0
_SENTENCE = "a newer pika_async changed it. Upgrade pika_async"


@frozen
class Release:
    """Code at *root*, which speaks the schema that `_release.py` calls *name*."""

    root: Path
    name: str = "today"

    @property
    def program(self) -> tuple[str, ...]:
        """The words of Python that run something of it."""
        return "-P", _SCRIPT, self.name

    @property
    def environment(self) -> dict[str, str]:
        """What has Python load it."""
        return {"PYTHONPATH": os.pathsep.join(map(str, (self.root, self.root / "providers")))}


@contextmanager
def yesterday() -> Iterator[Release | None]:
    """Unpack the last commit that spoke the first schema; None where there is no history."""
    asked = ("git", "-C", str(_ROOT))
    found = subprocess.run(
        [*asked, "log", "--reverse", "--format=%H", "-S_VERSION_2", "--", _SCHEMA],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode or not found.stdout:
        yield None
        return
    folder = Path(mkdtemp(prefix="pika-yesterday-"))
    try:
        before = f"{found.stdout.split()[0]}^"
        packed = subprocess.run(
            [*asked, "archive", before, "pika_async", "providers"], capture_output=True, check=True
        )
        subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True)
        yield Release(folder)
    finally:
        rmtree(folder, ignore_errors=True)


@define
class Outcome:
    """What the provider, the ledger and the processes say when all is over."""

    orders: int
    states: Counter[str]
    double: int = 0
    lost: int = 0
    ambiguous: int = 0
    failed: int = 0
    schemas: tuple[int, int] = (0, 0)
    said: str = ""
    ends: tuple[int, ...] = ()


class Rollover:
    """A fleet of an *old* release that becomes one of a *new* release."""

    def __init__(self, made: Fleet, errors: IO[bytes], old: Release, new: Release) -> None:
        self._made = made
        self._errors = errors
        self._old, self._new = old, new
        made.stderr = errors.fileno()

    def schema(self) -> int:
        """Return the version of the tables."""
        return int(self._made.cluster.sql("SELECT value FROM pika.meta WHERE name = 'schema'")[0][0])

    async def start(self, release: Release, count: int) -> list[Any]:
        """Start workers of *release*."""
        self._made.program = (*release.program, "cli")
        self._made.environment = release.environment
        before = len(self._made.workers)
        await self._made.start(count)
        return self._made.workers[before:]

    async def migrate(self) -> None:
        """Do what an operator does, with the new release."""
        words = (*self._new.program, "cli", "ledger", "migrate", "--ledger", self._made.dsn)
        process = await self._run(self._new, *words)
        assert await process.wait() == 0, "the migration failed"

    async def shop(self, release: Release, prefix: str, orders: int) -> Any:
        """Start a process of *release* that enqueues, and waits."""
        words = (*release.program, "shop", self._made.dsn, prefix, str(orders))
        return await self._run(release, *words)

    async def _run(self, release: Release, *words: str) -> Any:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *words,
            env={**os.environ, **release.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=self._errors,
        )

    async def outcome(self, shops: dict[str, tuple[Any, int]]) -> Outcome:
        """Wait for the shops, and count."""
        states: Counter[str] = Counter()
        bought = self._made.provider.billed
        prompts = []
        for prefix, (process, count) in shops.items():
            async with asyncio.timeout(_PATIENCE):
                told, _ = await process.communicate()
            states += Counter(json.loads(told or b'{"the shop failed": 1}'))
            prompts += [f"{prefix} {number}" for number in range(count)]
        sql = self._made.cluster.sql
        doubts = "SELECT count(*) FROM pika.history WHERE after IN ('ambiguous', 'unresolved')"
        tasks = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('failed', 'aborted')"
        ends = []
        for worker in self._made.workers:
            if worker.returncode is None:
                worker.terminate()
            ends.append(await worker.wait())
        self._errors.seek(0)
        return Outcome(
            orders=len(prompts),
            states=states,
            double=sum(bought[prompt] - 1 for prompt in prompts if bought[prompt] > 1),
            lost=sum(not bought[prompt] for prompt in prompts),
            ambiguous=sql(doubts)[0][0],
            failed=sql(tasks)[0][0],
            said=self._errors.read().decode(errors="replace"),
            ends=tuple(ends),
        )


async def side_by_side(old: Release, new: Release, orders: int) -> Outcome:
    """Migrate under orders, let both releases work while one shop orders, then end the old workers."""
    with postgres.running(max_connections=150) as cluster, TemporaryFile() as errors:
        async with fleet(cluster, 2.0) as made:
            rollover = Rollover(made, errors, old, new)
            workers = await rollover.start(old, 3)
            first = await rollover.shop(old, "old", orders)
            await asyncio.sleep(orders * 0.2 / 3)
            before = rollover.schema()
            await rollover.migrate()
            after = rollover.schema()
            second = await rollover.shop(new, "new", orders)
            await rollover.start(new, 3)
            await asyncio.sleep(orders * 0.2 / 3)
            for worker in workers:
                worker.terminate()
            outcome = await rollover.outcome({"old": (first, orders), "new": (second, orders)})
            outcome.schemas = before, after
            return outcome


async def abruptly(old: Release, new: Release, orders: int) -> Outcome:
    """Raise `min_reader` while old workers send: they end by themselves, and new ones do the rest."""
    with postgres.running(max_connections=150) as cluster, TemporaryFile() as errors:
        async with fleet(cluster, 2.0, "--max-concurrency", "6") as made:
            rollover = Rollover(made, errors, old, new)
            workers = await rollover.start(old, 3)
            first = await rollover.shop(old, "old", orders)
            await asyncio.sleep(orders * 0.2 + 3.0)  # it orders no more, and its orders wait for slots
            before = rollover.schema()
            await rollover.migrate()
            async with asyncio.timeout(60):
                for worker in workers:
                    await worker.wait()
            second = await rollover.shop(new, "new", orders // 3)
            await rollover.start(new, 3)
            outcome = await rollover.outcome({"old": (first, orders), "new": (second, orders // 3)})
            outcome.schemas = before, rollover.schema()
            return outcome


def measure(*, full: bool) -> Report:
    """60 orders of each release in each story; in quick form 15."""
    if postgres.MISSING is not None:
        return Report(name="rollover", claim=CLAIM, quick=not full, remarks=[postgres.MISSING])
    orders = 60 if full else 15
    today, tomorrow, abrupt = Release(_ROOT), Release(_ROOT, "tomorrow"), Release(_ROOT, "abrupt")
    stories: dict[str, Outcome] = {}
    with yesterday() as first:
        if first is not None:
            stories["yesterday, today"] = asyncio.run(side_by_side(first, today, orders))
    stories["today, tomorrow"] = asyncio.run(side_by_side(today, tomorrow, orders))
    stories["min_reader rises"] = asyncio.run(abruptly(today, abrupt, orders))
    rows: list[dict[str, Cell]] = [
        {"story": name, "schema": " -> ".join(map(str, told.schemas)), "orders": told.orders, **told.states}
        for name, told in stories.items()
    ]
    every = stories.values()
    last = stories["min_reader rises"]
    return Report(
        name="rollover",
        claim=CLAIM,
        quick=not full,
        rows=rows,
        remarks=[] if "yesterday, today" in stories else ["no git history here: no code of yesterday"],
        figures=[
            Figure(name="bought twice", value=sum(told.double for told in every), goal=0),
            Figure(name="never bought", value=sum(told.lost for told in every), goal=0),
            Figure(name="in doubt at any time", value=sum(told.ambiguous for told in every), goal=0),
            Figure(
                name="not ended with a video",
                value=sum(told.orders - told.states["succeeded"] for told in every),
                goal=0,
            ),
            Figure(name="tasks that failed", value=sum(told.failed for told in every), goal=0),
            Figure(
                name="workers that did not end well",
                value=sum(
                    bool(end) for name, told in stories.items() if told is not last for end in told.ends
                ),
                goal=0,
            ),
            Figure(
                name="of 3, old workers told that they are too old",
                value=last.said.count(_SENTENCE),
                goal=3,
                at_least=True,
            ),
        ],
    )
