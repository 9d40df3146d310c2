"""What other processes changed: heard by NOTIFY, and looked up where a notification may have been lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from itertools import count
from typing import Final

import psycopg

from pika_async._ledger.postgres.connecting import Address
from pika_async._ledger.postgres.known import Known
from pika_async._ledger.postgres.link import Link
from pika_async._ledger.postgres.statements import Statement
from pika_async.errors import LedgerError

log = logging.getLogger("pika_async")

_NET: Final = 5.0
"""Seconds between looks at the jobs that this process knows to be open, whatever is heard."""
_DEAF: Final = 1.0
"""The same where nothing can be heard, as through a pool."""
_ALL_AGAIN: Final = 5
"""After how many of those looks it is said that more may have changed than was looked at."""
_PATIENCE: Final = 2.0
_IDS_AT_ONCE: Final = 300
_CHANGED: Final = (
    b"SELECT n.id FROM unnest($1::text[], $2::bigint[]) AS n (id, revision) "
    b"JOIN pika.jobs j ON j.id = n.id WHERE j.revision <> n.revision"
)
# A transaction of its own: NOTIFY inside the one that moves money makes all commits wait for each other.
_NOTIFY: Final = b"SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"


class Listening:
    """Tells others what changed here, and collects what they tell; *reading* does the rest."""

    def __init__(self, address: Address, reading: Link, known: Known, owner: str) -> None:
        self._link = Link(address, 10.0)
        self._reading = reading
        self._known = known
        self._owner = owner
        self._channel = ""
        self._heard: dict[str, None] | None = {}
        self._untold: dict[str, None] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._hears = asyncio.Event()
        self.call: Callable[[], None] = _nobody
        self._closing = False

    def open(self, ledger_id: str) -> None:
        """Get ready to tell; listening begins with the first `news`."""
        self._channel = f"pika_{ledger_id}"

    async def close(self) -> None:
        """Tell what is left to tell, and listen no more."""
        self._closing = True
        if (telling := self._tasks.pop("tell", None)) is not None:
            await telling
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._link.close()

    def tell(self, job_ids: Collection[str]) -> None:
        """Tell other processes of changed jobs, soon and together."""
        self._untold.update(dict.fromkeys(job_ids))
        if "tell" not in self._tasks:
            self._start("tell")

    async def news(self) -> Collection[str] | None:
        """Return what was heard since the last call; None where it is not known what was missed."""
        if "listen" not in self._tasks:
            self._start("listen")
            self._start("net")
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await self._hears.wait()
            if not self._hears.is_set():
                log.warning(
                    "the ledger on Postgres: this connection receives no notifications, as behind pgbouncer; "
                    "jobs are looked up every second. Pass listen_dsn= to receive them at once"
                )
            return ()
        heard, self._heard = self._heard, {}
        return heard

    def _start(self, name: str) -> None:
        work = {"tell": self._tell, "listen": self._listen, "net": self._look}[name]
        self._tasks[name] = asyncio.get_running_loop().create_task(work(), name=f"pika ledger {name}")

    async def _tell(self) -> None:
        try:
            while self._untold:
                ids = list(self._untold)[:_IDS_AT_ONCE]
                for job_id in ids:
                    del self._untold[job_id]
                await self._notify(" ".join((self._owner, *ids)))
        except LedgerError as error:
            # Others look by themselves.
            self._untold.clear()
            log.debug("others are not told of changed jobs: %s", error)
        finally:
            self._tasks.pop("tell", None)

    async def _notify(self, payload: str) -> None:
        await self._reading.ask([Statement(_NOTIFY, (self._channel, payload))])

    async def _listen(self) -> None:
        while True:
            try:
                connection = await self._link.use()
                await connection.execute(f'LISTEN "{self._channel}"'.encode())
                await self._notify(self._owner)
                async for notification in connection.notifies():
                    self._note(*notification.payload.split(" "))
            except (LedgerError, psycopg.Error) as error:
                log.debug("listening to the ledger broke off: %s", error)
            self._hears.clear()
            self._heard = None
            await self._link.drop()
            await asyncio.sleep(0.2)

    def _note(self, sender: str, *job_ids: str) -> None:
        if sender == self._owner:
            self._hears.set()
        elif self._heard is not None:
            self._heard.update(dict.fromkeys(job_ids))
            if job_ids:
                self.call()

    async def _look(self) -> None:
        for number in count(1):
            await asyncio.sleep(_NET if self._hears.is_set() else _DEAF)
            if not self._hears.is_set() and not number % _ALL_AGAIN:
                # Jobs that only others know are told by nobody: whoever leads reads them again.
                self._heard = None
                self.call()
            revisions = self._known.open()
            if not revisions:
                continue
            values = list(revisions), list(revisions.values())
            try:
                (rows,) = await self._reading.ask([Statement(_CHANGED, values)])
            except LedgerError as error:
                log.debug("the ledger cannot be looked at: %s", error)
                continue
            now = self._known.open()
            self._note("", *(job_id for (job_id,) in rows if now.get(job_id) == revisions[job_id]))


def _nobody() -> None:
    """Call nobody: whoever wants the news asks for it."""
