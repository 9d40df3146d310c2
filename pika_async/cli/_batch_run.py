"""One run of the command `batch`: what it would buy, or every row brought to a file."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import evolve, frozen

from pika_async import ConfigError, LedgerError
from pika_async.cli._batch_report import BatchReport
from pika_async.cli._connection import SANDBOX_KEY, TIMEOUT, WIDTH, Connection
from pika_async.cli._terminal import run, say
from pika_async.provider import Secret

if TYPE_CHECKING:
    from pika_async.batch import Report

_USUAL: Final = 90.0


@frozen(kw_only=True)
class BatchRun:
    """One run of the command; *timeout* is in seconds, *width* counts rows that render at a time."""

    prompts: str
    folder: Path
    store: str | None
    connection: Connection
    retry_failed: bool
    adopt: bool
    reuse: float | None
    ignore_extra_columns: bool
    width: int
    timeout: float

    @property
    def ledger(self) -> Path:
        given = self.connection.ledger
        if isinstance(given, Secret):
            raise ConfigError("A batch keeps its record of jobs in a file; give --ledger a file's name.")
        return given or self.folder / "jobs.db"

    @property
    def page(self) -> Path:
        return self.folder / "index.html"

    def preview(self) -> None:
        """Print, for each row that is not bought yet, the request that would buy it."""
        from pika_async.batch.preview import adapters, preview, unbought, user_prices

        prices = user_prices()
        totals: Counter[str] = Counter()

        async def shown() -> tuple[int, int]:
            async with self.connection.address() as url:
                able = adapters(self.connection.names, key="unset", base_url=url)
            listed = self._listed(able)
            sandbox = self.connection.sandbox
            new = await unbought(listed, self.folder, self.ledger, sandbox=sandbox, adopt=self.adopt)
            for row in new:
                told = await preview(row, able, prices)
                if price := told["price"]:
                    totals[price["unit"]] += price["amount"]
                click.echo(json.dumps(told, ensure_ascii=False))
            return len(new), len(listed)

        new, rows = asyncio.run(shown())
        say(f"{new} of {rows} rows would be bought; {rows - new} are already.")
        if totals:
            known = ", ".join(f"{amount:g} {unit}" for unit, amount in totals.items())
            say(f"They would cost {known}, where a price is known.")

    def carry_out(self, *, as_json: bool) -> bool:
        """Bring every row to a file; return whether all are there. Raises `PikaError`, KeyboardInterrupt."""
        from pika_async.batch.preview import adapters

        listed = self._listed(
            adapters(
                self.connection.names,
                key=SANDBOX_KEY if self.connection.sandbox else None,
                base_url=self.connection.base_url,
            )
        )
        told: list[Report] = []
        try:
            try:
                run(self._carried_out(listed, told, adopt=self.adopt))
            except ConfigError as error:
                if error.code != "unknown_jobs" or not self._may_adopt(error):
                    raise
                run(self._carried_out(listed, told, adopt=True))
        except KeyboardInterrupt as interrupt:
            done = [f"{report.done} of {report.total} videos are in {self.folder}" for report in told]
            for line in [*done, *self._told.to_go_on()]:
                interrupt.add_note(line)
            raise
        except LedgerError as error:
            if self.connection.ledger is None:
                error.add_note("--ledger FILE keeps the record of jobs on another disk.")
            raise
        report = told[-1]
        say(*self._told.lines(report))
        click.echo(self._told.as_json(report) if as_json else self.page)
        return not report.missing

    def _listed(self, able: Any) -> list[Any]:
        from pika_async.batch.preview import check
        from pika_async.batch.rows import read_list

        return read_list(
            self.prompts,
            ignore_extra_columns=self.ignore_extra_columns,
            check=lambda request: check(request, able),
        )

    def _may_adopt(self, error: ConfigError) -> bool:
        if self.prompts == "-" or not _at_a_terminal():
            return False
        say(error.message, *getattr(error, "__notes__", []))
        return click.confirm("Take these jobs over by their tokens? It buys nothing for them.", err=True)

    async def _carried_out(self, listed: list[Any], told: list[Report], *, adopt: bool) -> None:
        from pika_async.batch import Batch
        from pika_async.cli._batch_display import follow
        from pika_async.gallery import painted, write_gallery

        connection = evolve(self.connection, ledger=self.ledger)
        journal = self.folder / "sandbox.jsonl"
        usual = connection.usual_render_time(connection.names[0]) or _USUAL
        reuse = None if self.reuse is None else timedelta(seconds=self.reuse)
        async with connection.client(journal=journal, max_concurrency=self.width, reuse=reuse) as pika:
            batch = Batch(
                listed,
                self.folder,
                pika=pika,
                store=self.store,
                timeout=self.timeout,
                retry_failed=self.retry_failed,
                adopt=adopt,
            )
            try:
                async with batch, painted(self.folder):
                    await follow(batch, usual)
            finally:
                if batch.report.total:
                    told.append(batch.report)
                    with suppress(OSError):
                        write_gallery(self.folder)

    @property
    def again(self) -> list[str]:
        """The words that continue this batch."""
        words = ["pika-async", "batch", self.prompts, "--out", self.store or str(self.folder)]
        words += [word for name in self.connection.providers for word in ("--provider", name)]
        words += self.connection.arguments
        words += ["--sandbox"] if self.connection.sandbox else []
        words += [] if self.reuse is None else ["--reuse", f"{self.reuse:.0f}s"]
        words += ["--ignore-extra-columns"] if self.ignore_extra_columns else []
        given = (
            ("--max-submits", self.connection.max_submits, None),
            ("--max-cost", self.connection.max_cost, None),
            ("--max-concurrency", self.width, WIDTH),
            ("--timeout", self.timeout, TIMEOUT),
        )
        return words + [
            word
            for name, value, usual in given
            if value != usual
            for word in (name, value if isinstance(value, str) else f"{value:g}")
        ]

    @property
    def _told(self) -> BatchReport:
        return BatchReport(
            folder=self.folder,
            place=self.store or str(self.folder),
            page=self.page,
            ledger=self.ledger,
            again=self.again,
            stdin=self.prompts == "-",
        )


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
