"""What a ledger on Postgres reads: always after whatever was ordered here before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pika_async._ledger.faults import unreadable_job
from pika_async._ledger.postgres.faults import not_open
from pika_async._ledger.postgres.jobs import load, read_jobs, read_query
from pika_async._ledger.postgres.known import Known
from pika_async._ledger.postgres.link import Link
from pika_async._ledger.postgres.rows import JOBS, Row, holdable
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.postgres.writer import Writer
from pika_async._ledger.records import JobRecord, Usage


class Reading:
    """Reads over *link*, once *writer* has caught up; jobs that many ask for at once are read together."""

    def __init__(self, link: Link, known: Known, writer: Writer) -> None:
        self._link = link
        self._known = known
        self._writer = writer
        self._is_open = False
        self._wanted: dict[str, asyncio.Future[JobRecord | None]] = {}

    def open(self) -> None:
        """Allow reading: the tables are there."""
        self._is_open = True

    async def job(self, job_id: str) -> JobRecord | None:
        """Read one job, as it is now."""
        if not holdable(job_id):
            return None
        await self._writer.caught_up(job_id)
        future = self._wanted.get(job_id)
        if future is None:
            future = self._wanted[job_id] = asyncio.get_running_loop().create_future()
            if len(self._wanted) == 1:
                task = asyncio.get_running_loop().create_task(self._read_wanted())
                future.add_done_callback(lambda _: task)
        return await asyncio.shield(future)

    async def _read_wanted(self) -> None:
        await asyncio.sleep(0)
        wanted, self._wanted = self._wanted, {}
        try:
            found = await read_jobs(self._link.ask, self._known, wanted)
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of anything
            for future in wanted.values():
                future.set_exception(error)
                future.exception()
            return
        for job_id, future in wanted.items():
            if found.get(job_id, "") is None:
                future.set_exception(unreadable_job(job_id))
            else:
                future.set_result(found.get(job_id))

    async def jobs(self, query: str, *values: object) -> list[JobRecord]:
        """Read the jobs that *query*, what follows `FROM pika.jobs j`, finds, in its order."""
        await self._writer.caught_up(None)
        return await read_query(self._ask, self._known, JOBS + query, *values)

    async def usage(self, account: str) -> Usage:
        """Read what *account* uses, and all submits ever claimed on the ledger."""
        await self._writer.caught_up(None)
        known = Known.nothing()
        await load(self._ask, known, (), accounts=True)
        return known.usage(account)

    async def rows(self, sql: bytes, *values: Any) -> list[Row]:
        """Run one statement that changes nothing."""
        await self._writer.caught_up(None)
        (rows,) = await self._ask([Statement(sql, values)])
        return rows

    async def _ask(self, statements: Sequence[Statement]) -> list[list[Row]]:
        if not self._is_open:
            raise not_open()
        return await self._link.ask(statements)
