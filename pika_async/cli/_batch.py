"""One run of the command `batch`: the list checked, every row carried out, and the end told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import click
from attrs import define, evolve

from pika_async._ledger.sqlite import SqliteLedger
from pika_async._registry import Loaded
from pika_async._secret import Secret
from pika_async.cli import _batch_report as report
from pika_async.cli import _dry_run
from pika_async.cli._adapters import adapters, check
from pika_async.cli._batch_display import watching
from pika_async.cli._batch_folder import BatchFolder
from pika_async.cli._batch_plan import Plan, make_plan
from pika_async.cli._batch_posters import Posters
from pika_async.cli._batch_progress import Progress
from pika_async.cli._batch_run import BatchRun, missing
from pika_async.cli._connection import SANDBOX_KEY, TIMEOUT, WIDTH, Connection
from pika_async.cli._interrupt import run
from pika_async.cli._rows import Listed, read_requests
from pika_async.cli._source import Source
from pika_async.cli._words import say
from pika_async.gallery import Manifest, write_gallery

_USUAL: Final = 90.0


@define
class Batch:
    """What was asked for; *timeout* is in seconds, *width* counts rows that render at a time."""

    prompts: str
    folder: BatchFolder
    connection: Connection
    retry_failed: bool
    width: int
    timeout: float
    _plan: Plan | None = None

    def show(self) -> None:
        """Print, for each row that is not bought yet, the request that would buy it."""
        able = adapters(self.connection.names, key=Secret("unset"), base_url=self.connection.base_url)
        listed = self._checked(able)
        new = asyncio.run(self._new(listed))
        for line in asyncio.run(_dry_run.lines(new, able)):
            click.echo(line)
        say(f"{len(new)} of {len(listed)} rows would be bought; {len(listed) - len(new)} are already.")

    async def _new(self, listed: list[Listed]) -> list[Listed]:
        if not self.folder.ledger.exists():
            return listed
        ledger = SqliteLedger(self.folder.ledger)
        await ledger.open()
        try:
            plan = await self._planned(listed, ledger)
        finally:
            await ledger.aclose()
        return [row.listed for row in plan.rows if row.job_id is None and not row.settled]

    def carry_out(self, *, as_json: bool) -> bool:
        """Bring every row to a file; tells whether all are there. Raises `PikaError`, KeyboardInterrupt."""
        key = Secret(SANDBOX_KEY) if self.connection.sandbox else None
        listed = self._checked(adapters(self.connection.names, key=key, base_url=self.connection.base_url))
        with self.folder.held():
            try:
                plan = run(self._carried_out(listed))
            except KeyboardInterrupt as interrupt:
                for line in self._after_interrupt():
                    interrupt.add_note(line)
                raise
        for line in report.summed_up(plan, self.folder, self.again):
            say(line)
        click.echo(report.as_json(plan, self.folder, self.again) if as_json else self.folder.page)
        return not missing(plan.rows, self.folder.path)

    def _checked(self, able: Sequence[Loaded]) -> list[Listed]:
        return read_requests(Source.read(self.prompts), lambda request: check(request, able))

    async def _carried_out(self, listed: list[Listed]) -> Plan:
        ledger = SqliteLedger(self.folder.ledger)
        connection = evolve(self.connection, ledger=self.folder.ledger)
        options: dict[str, Any] = {"ledger": ledger, "max_concurrency": self.width}
        if connection.sandbox:
            # Slots of an earlier sandbox are never given back: nobody knows its jobs any more.
            options["account"] = f"sandbox-{os.urandom(4).hex()}"
        running: BatchRun | None = None
        try:
            async with connection.open(**options) as pika:
                plan = self._plan = await self._planned(listed, ledger)
                self.folder.replace_manifest(plan.entries)
                usual = connection.usual_render_time(connection.names[0]) or _USUAL
                with watching(plan.rows, Progress(width=self.width, usual=usual)) as watcher:
                    running = BatchRun(
                        pika,
                        plan.rows,
                        self.folder,
                        watcher,
                        width=self.width,
                        timeout=self.timeout,
                        posters=Posters(
                            self.folder.path, None if connection.sandbox else connection.media_hosts
                        ),
                    )
                    await running.carry_out(recover=not connection.sandbox)
        finally:
            if running is not None:
                await running.settle()
                with suppress(OSError):
                    Manifest(self.folder.manifest).compact()
                    write_gallery(self.folder.path)
        return plan

    async def _planned(self, listed: list[Listed], ledger: SqliteLedger) -> Plan:
        return await make_plan(
            listed,
            self.folder,
            ledger,
            sandbox=self.connection.sandbox,
            retry_failed=self.retry_failed,
        )

    @property
    def again(self) -> list[str]:
        """The words that continue this batch."""
        words = ["pika-async", "batch", self.prompts, "--out", str(self.folder.path)]
        words += [word for name in self.connection.providers for word in ("--provider", name)]
        words += self.connection.arguments
        if self.connection.sandbox:
            words.append("--sandbox")
        given = (
            ("--max-submits", self.connection.max_submits, None),
            ("--max-concurrency", self.width, WIDTH),
            ("--timeout", self.timeout, TIMEOUT),
        )
        return words + [
            word for name, value, usual in given if value != usual for word in (name, f"{value:g}")
        ]

    def _after_interrupt(self) -> list[str]:
        rows = self._plan.rows if self._plan else ()
        done = len(rows) - len(missing(rows, self.folder.path))
        told = [f"{done} of {len(rows)} videos are in {self.folder.path}"] if rows else []
        return [*told, *report.to_go_on(self.again)]
