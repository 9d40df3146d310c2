"""The ledger in a Postgres database, as the engine sees it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from pika_async._crossing import process_bound
from pika_async._ledger.change import Change
from pika_async._ledger.events import Event
from pika_async._ledger.postgres import accounts, inbox, listing
from pika_async._ledger.postgres.borrowed import create_on
from pika_async._ledger.postgres.clock import DatabaseClock
from pika_async._ledger.postgres.connecting import Address
from pika_async._ledger.postgres.deciding import Deciding
from pika_async._ledger.postgres.faults import outdated
from pika_async._ledger.postgres.forgetting import forget, prune
from pika_async._ledger.postgres.known import Known
from pika_async._ledger.postgres.link import Link
from pika_async._ledger.postgres.listening import Listening
from pika_async._ledger.postgres.orders import has_row, no_answer
from pika_async._ledger.postgres.reading import Reading
from pika_async._ledger.postgres.restoring import PATIENCE, Recent, put_back, settle_restored
from pika_async._ledger.postgres.rows import Row, holdable
from pika_async._ledger.postgres.schema import Connection, migrate
from pika_async._ledger.postgres.session import COMMIT, Session
from pika_async._ledger.postgres.writer import Writer
from pika_async._ledger.records import AttemptState, JobRecord, Member, Move, Received, Usage
from pika_async._ledger.standing import OPEN
from pika_async._secret import Secret


@process_bound("open the same database with Pika(ledger=dsn) in the other process")
class PostgresLedger:
    """Keeps jobs in the schema `pika` of the database at *dsn*, whose tables are made when missing.

    *listen_dsn* is a way to the database past a pool that keeps no sessions. *patience* is how many seconds
    to wait for a database that does not answer. *wall* and *commit*, what stamps and what makes a
    transaction durable, are for tests, and so is *roll_call*: for how many seconds a process is waited for
    after a failover.
    """

    shared = True
    remembers = True

    def __init__(
        self,
        dsn: str | Secret,
        *,
        listen_dsn: str | Secret | None = None,
        patience: float = 10.0,
        wall: Callable[[], float] | None = None,
        commit: Callable[[], Sequence[bytes]] = lambda: COMMIT,
        roll_call: float = PATIENCE,
    ) -> None:
        self.id = ""
        self._secret = b""
        self._address = Address.of(dsn)
        self._clock = DatabaseClock(wall)
        self._owner = os.urandom(8).hex()
        self._known = Known.nothing()
        self._session = Session(
            self._address,
            self._owner,
            self._clock,
            patience=patience,
            prepare=self._prepare,
            restored=self._restored,
            commit=commit,
            roll_call=roll_call,
        )
        self._recent = Recent()
        self._link = Link(self._address, patience, self._reconnected)
        heard = self._address if listen_dsn is None else Address.of(listen_dsn)
        self._listening = Listening(heard, self._link, self._known, self._owner)
        deciding = Deciding(self._session, self._known, self._clock, self._listening.tell, self._recent)
        self._writer = Writer(self._session, self._clock, deciding)
        self._reading = Reading(self._link, self._known, self._writer)
        self._was_connected = False

    async def open(self, wall: Callable[[], float] = time.time) -> None:  # noqa: ARG002
        """Connect, and make or change the tables; the database's own clock stamps, whatever *wall* says."""
        await self._session.link.use()
        self._reading.open()
        self._listening.open(self.id)
        self._writer.start()

    async def aclose(self) -> None:
        """Finish what was asked for, and let the connections go."""
        await self._writer.stop()
        await self._listening.close()
        await self._link.close()
        await self._session.close()

    def now(self) -> float:
        """Return the database's time."""
        return self._clock.now()

    async def create(self, job: JobRecord, first: Event | None = None) -> Change:
        """Keep *job* and decide on its *first* event, or return the one that has its id or holds its key."""
        return await self._writer.decide(job.id, first, job)

    async def create_on(self, connection: object, job: JobRecord) -> Change:
        """Do what `create` does in the open transaction of *connection*, the user's own."""
        return await create_on(connection, job, self.now())

    async def get(self, job_id: str) -> JobRecord | None:
        """Read one job, as it is now."""
        return await self._reading.job(job_id)

    def known(self, job_id: str) -> JobRecord | None:
        """Return a job as this process saw it last."""
        held = self._known.jobs.get(job_id)
        return None if held is None else held.record

    async def apply(self, job_id: str, event: Event) -> Change:
        """Let the machine decide on *event*, in one transaction with its outcome."""
        return await self._writer.decide(job_id, event)

    async def sent(self, attempt_id: str) -> bytes | None:
        """Read the bytes that an attempt was sent with, while they are kept."""
        rows = await self._reading.rows(listing.SENT, attempt_id)
        return bytes(rows[0][0]) if rows else None

    async def open_jobs(
        self,
        states: Collection[AttemptState] = OPEN,
        *,
        account: str | None = None,
        after: str | None = None,
        limit: int = 500,
    ) -> Sequence[JobRecord]:
        """Read a page of the jobs with an attempt in one of *states*; finished jobs cost nothing."""
        values = (after, limit) if account is None else (after, limit, account)
        return await self._reading.jobs(listing.open_jobs(states, account), *values)

    async def usage(self, account: str) -> Usage:
        """Read what *account* uses, and all submits ever claimed here."""
        return await self._reading.usage(account)

    async def present(self, account: str, member: Member, seconds: float) -> Usage:
        """Say that a process sends for *account*, for *seconds* from now on."""

        def read(rows: list[list[Row]]) -> Usage:
            self._known.learn(rows[-2])
            self._known.learn_spending(rows[-1])
            return self._known.usage(account)

        if seconds and self._session.outdated:
            raise outdated()
        return await self._writer.do(partial(accounts.present, account, member, seconds), read)

    async def members(self, account: str) -> Sequence[Member]:
        """Read the processes that send for *account* and are alive."""
        return [
            accounts.member_of(row) for row in await self._reading.rows(accounts.MEMBERS, account, self.now())
        ]

    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or keep the lease *name*, unless another owner has it."""
        if seconds and self._session.outdated:
            return False  # it is for newer releases
        return await self._writer.do(partial(accounts.lease, name, owner, seconds), has_row)

    async def learned(self, account: str, state: str | None = None) -> str | None:
        """Read what pollers learned of *account*; with *state*, keep that first."""
        if state is not None:
            await self._writer.do(lambda _: accounts.learn(account, state), no_answer)
            return state
        rows = await self._reading.rows(accounts.LEARNED, account)
        return rows[0][0] if rows else None

    async def news(self) -> Collection[str] | None:
        """Return the ids of jobs that other processes changed since the last call."""
        return await self._listening.news()

    def tells(self, call: Callable[[], None]) -> None:
        """Have *call* called as soon as another process tells of a job."""
        self._listening.call = call

    async def find(self, text: str) -> JobRecord | None:
        """Read the job with that id, or attempt's id, or unique start of an id."""
        if not text or not text.isascii() or not holdable(text):
            return None
        found = await self._reading.jobs(listing.FIND, text)
        return found[0] if found else None

    async def jobs(
        self, state: str | None = None, limit: int = 100, before: str | None = None
    ) -> Sequence[JobRecord]:
        """Read jobs, newest first; finished states are found by going through all."""
        return await self._reading.jobs(listing.jobs(state), before, limit)

    async def history(self, job_id: str) -> Sequence[Move]:
        """Read what happened to a job, oldest first."""
        return listing.moves(await self._reading.rows(listing.HISTORY, job_id))

    async def forget(self, job_id: str, *, media_only: bool = False) -> bool:
        """Forget the prompt and media of a job that has ended."""
        return await forget(self._reading, self._writer, self._known, job_id, media_only=media_only)

    async def prune(self, older_than: float) -> int:
        """Forget settled jobs made before *older_than*, some in each of many transactions."""
        return await prune(self._reading, self._writer, self._known, older_than, self.now())

    async def secret(self) -> bytes:
        """Return the secret that signs callback tokens."""
        return self._secret

    async def inbox_put(self, attempt_id: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Keep a callback; False for a repeat, or when the attempt has had too many."""
        return await self._writer.do(partial(inbox.put, attempt_id, body, headers), has_row)

    async def inbox_pending(self, limit: int = 100, after: int = 0) -> Sequence[Received]:
        """Read the callbacks nobody has dealt with, oldest first."""
        return inbox.received(await self._reading.rows(inbox.PENDING, after, limit))

    async def inbox_done(self, received_id: int) -> None:
        """Mark a callback as dealt with."""
        await self._writer.do(lambda _: inbox.done(received_id), no_answer)

    async def _prepare(self, connection: Connection) -> None:
        meta = await migrate(connection)
        self.id, self._secret = meta["id"].decode(), meta["secret"]

    async def _restored(self, connection: Connection, cluster: str) -> None:
        self._known.forget(list(self._known.jobs))
        self._known.accounts.clear()
        await settle_restored(connection, cluster, self.now(), lossless=self._address.lossless)
        await put_back(connection, self._recent, self.now())

    async def _reconnected(self, _: Connection) -> None:
        """Have the writer connect as well: after a failover others wait until this process answers."""
        if self._was_connected:
            self._writer.do(lambda _: [], no_answer).add_done_callback(lambda done: done.exception())
        self._was_connected = True
