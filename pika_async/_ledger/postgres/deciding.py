"""Decisions of many callers in one transaction, made again when another process came first."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from pika_async._ledger.postgres.account_writes import SUM_WIDTH
from pika_async._ledger.postgres.batch import Batch
from pika_async._ledger.postgres.clock import DatabaseClock
from pika_async._ledger.postgres.faults import ConflictError, DuplicateError
from pika_async._ledger.postgres.jobs import Found, accounts_of, load, look
from pika_async._ledger.postgres.known import Held, Known
from pika_async._ledger.postgres.orders import TRIES, Answer, Decision, answered, claims, named, own
from pika_async._ledger.postgres.restoring import Recent
from pika_async._ledger.postgres.rows import Row
from pika_async._ledger.postgres.session import Session
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.postgres.writes import statements
from pika_async.errors import LedgerError

_TOGETHER: Final = 3
"""Tries of a whole batch, before each order is tried alone."""


class Deciding:
    """Lets the machine decide on what is known, and writes that; *tell* hears which jobs were changed."""

    def __init__(
        self,
        session: Session,
        known: Known,
        clock: DatabaseClock,
        tell: Callable[[Collection[str]], None],
        recent: Recent,
    ) -> None:
        self._session = session
        self._known = known
        self._clock = clock
        self._tell = tell
        self._recent = recent

    async def all(self, orders: list[Decision]) -> list[Answer]:
        """Answer all *orders*: together, or each alone where others keep changing what they need."""
        try:
            return await self._decided(orders, careful=False, tries=_TOGETHER)
        except LedgerError:
            raise
        except Exception as error:  # noqa: BLE001 - said again, and answered, by the order that it is about
            if not isinstance(error, ConflictError | DuplicateError):
                self._known.forget([order.job_id for order in orders])
        answers: list[Answer] = []
        for order in orders:
            try:
                answers += await self._decided([order], careful=True, tries=TRIES)
            except Exception as error:  # noqa: BLE001 - as above
                answers.append((order, None, own(named(error))))
        return answers

    async def _decided(self, orders: list[Decision], *, careful: bool, tries: int) -> list[Answer]:
        known, ask = self._known, self._session.ask
        needs = {order.job_id for order in orders if careful or order.new is None}
        accounts = careful or not accounts_of(orders, known) <= known.accounts.keys()
        read: set[str] = set()
        found = Found()
        conflicts = 0
        while True:
            missing = {one for one in needs if one not in read and (careful or one not in known.jobs)}
            await load(ask, known, missing, accounts=accounts)
            read |= missing
            if careful:
                found = await look(ask, known, orders[0])
            if unmade := accounts_of(orders, known) - known.accounts.keys():
                await self._make_accounts(unmade)
                accounts = True
                continue
            fresh = found.jobs | read
            held = await self._session.held_until() if claims(orders) else 0.0
            batch = Batch(
                known,
                self._clock.now(),
                fresh,
                accounts,
                found.keys,
                found.tasks,
                held,
                outdated=self._session.outdated,
            )
            answers = [answered(order, batch) for order in orders]
            if batch.stale or batch.stale_accounts:
                needs |= batch.stale
                known.forget(batch.stale)
                accounts |= batch.stale_accounts
                continue
            if batch.unlooked:
                raise DuplicateError
            if not batch.before:
                return answers
            try:
                rows = await self._session.transact(statements(batch))
            except (ConflictError, DuplicateError) as error:
                conflicts += 1
                if conflicts >= tries or (isinstance(error, DuplicateError) and not careful):
                    raise
                await self._session.refresh()
                read.clear()
                known.forget([*needs, *batch.before])
                accounts = True
                continue
            self._remember(batch, rows)
            return answers

    async def _make_accounts(self, names: Collection[str]) -> None:
        """Make the rows of accounts before anybody claims there: what does not exist cannot be locked."""
        sql = b"INSERT INTO pika.accounts (account) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
        await self._session.transact([Statement(sql, (sorted(names),))])

    def _remember(self, batch: Batch, rows: list[list[Row]] | None) -> None:
        known = self._known
        for job_id, was in batch.before.items():
            old = known.jobs.get(job_id)
            revision = 0 if was is None or old is None else old.revision + 1
            known.keep(job_id, Held(revision, batch.after[job_id]))
            self._recent.keep(batch.after[job_id])
        if rows is None:
            known.accounts.clear()
        else:
            told = [row for some in rows for row in some if len(row) > 1]
            known.learn(row for row in told if len(row) != SUM_WIDTH)
            known.learn_spending(row for row in told if len(row) == SUM_WIDTH)
        self._tell(list(batch.before))
