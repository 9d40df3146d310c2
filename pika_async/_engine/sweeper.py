"""Attempts that got no answer: what time says of them, and when the provider's history is searched for them.

Time only ever leads to a look-up here, or to the same bytes again (`inherited`), never to a new purchase. It
runs in every process that has the ledger open.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from pika_async._engine.clock import Clock
from pika_async._engine.desk import Desk
from pika_async._engine.ids import attempt_id
from pika_async._engine.inherited import Inherited
from pika_async._engine.looks.looks import Looks
from pika_async._engine.rounds import Rounds
from pika_async._engine.searching import Searching
from pika_async._engine.unheard import Unheard
from pika_async._ledger.events import LeaseOver, NextAttempt, NothingFound, ReplayOver, SlotOver
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, Replayable
from pika_async._ledger.standing import CLAIMED, LOST, UNANSWERED, is_question
from pika_async.errors import LedgerError

log = logging.getLogger("pika_async")

_PERIOD = 5.0
_WAITING_FIRST = 3 * _PERIOD
"""Seconds for which a claim that was never sent is left to a process that waits for its job."""
_SEARCH_LEASE = 4.0
"""Seconds for which one process searches; less than a period, so that nobody waits for one that died."""
_PAGE = 500
_ANSWER_DUE = 4.0
"""Seconds after its claim from which another process's attempt is searched for, then ever more rarely: its
owner may be dead, or its POST slow."""


class Sweeper:
    """Sweeps a shared ledger every five seconds, and memory only while it holds an open question."""

    def __init__(
        self,
        desk: Desk,
        looks: Mapping[str, Looks],
        clock: Clock,
        *,
        searching: Searching,
        inherited: Inherited,
        unheard: Unheard,
    ) -> None:
        self._desk = desk
        self._searching = searching
        self._inherited = inherited
        self._unheard = unheard
        self._looks = looks
        self._rounds = Rounds(desk, clock, self._due)
        self._search_at: dict[str, float] = {}
        self._full: set[str] = set()

    def open(self) -> None:
        """Begin, where other processes may have left something."""
        self._rounds.open()

    def stop(self) -> None:
        """Sweep no more."""
        self._rounds.stop()

    def _due(self) -> None:
        self._rounds.begun()
        if not self._desk.closing:
            self._desk.spawn(self._run())

    async def _run(self) -> None:
        questions = 1
        try:
            questions = await self.sweep()
        except LedgerError as error:
            log.warning("the ledger cannot be swept: %s", error)
        finally:
            self._rounds.over(questions)

    async def sweep(self) -> int:
        """Go once through every open question of the ledger, and return their number."""
        questions: dict[str, list[Attempt]] = {}
        after: str | None = None
        await self._unheard.reread()
        while True:
            page = await self._desk.ledger.open_jobs(UNANSWERED, after=after, limit=_PAGE)
            for record in page:
                for attempt in (await self._swept(record)).attempts:
                    if is_question(attempt, self._desk.owner):
                        questions.setdefault(attempt.account, []).append(attempt)
            if len(page) < _PAGE:
                break
            after = page[-1].id
        open_now = {a.id for attempts in questions.values() for a in attempts}
        self._search_at = {id_: at for id_, at in self._search_at.items() if id_ in open_now}
        for key, attempts in questions.items():
            self._say_who_holds_the_slots(key, attempts)
            sent = [a for a in attempts if a.task is None and a.state is not AttemptState.SUBMITTING]
            lost = [a for a in sent if self._is_due(a)]
            account = self._desk.accounts.get(key)
            self._inherited.take_over(sent)
            if lost and account is not None and await self._may_search(key):
                await self._searching.search(account, lost)
        return sum(map(len, questions.values()))

    def _say_who_holds_the_slots(self, key: str, attempts: Sequence[Attempt]) -> None:
        """Say once that an account submits nothing more because all its slots are held by doubts."""
        holding = [a for a in attempts if a.slot and a.state in LOST]
        account = self._desk.accounts.get(key)
        full = account is not None and len(holding) >= account.max_concurrency
        if full and key not in self._full:
            log.warning(
                "%s: every slot is held by a job of which nobody knows whether it was accepted (%s); nothing "
                "is submitted before they are found, settled with `pika-async resolve`, or half an hour old",
                key,
                ", ".join(a.job_id for a in holding[:5]),
            )
        (self._full.add if full else self._full.discard)(key)

    def _is_due(self, attempt: Attempt) -> bool:
        if attempt.state not in CLAIMED:
            return True
        now, claimed_at = self._desk.ledger.now(), attempt.claimed_at or 0.0
        if now < self._search_at.get(attempt.id, claimed_at + _ANSWER_DUE):
            return False
        self._search_at[attempt.id] = now + max(_PERIOD, now - claimed_at)
        return True

    async def _may_search(self, key: str) -> bool:
        """Return whether this process searches: the one that looks up the tasks, or one of the others."""
        looks = self._looks[key]
        if looks.leading or not self._desk.ledger.shared:
            return True
        return await self._desk.ledger.lease(f"search {key}", self._desk.owner, _SEARCH_LEASE)

    async def _swept(self, record: JobRecord) -> JobRecord:
        """Tell what time says of a job; a ledger that fails on it keeps no other from its turn."""
        try:
            return await self._by_time(record)
        except LedgerError as error:
            self._unheard.note(record.id, error)
            return record

    async def _by_time(self, record: JobRecord) -> JobRecord:
        now = self._desk.ledger.now()
        for attempt in record.attempts:
            match attempt:
                case Attempt(state=AttemptState.SUBMITTING) if now > attempt.lease_until:
                    record = await self._unsent(record, attempt, now)
                case Attempt(state=AttemptState.SENDING) if now > attempt.lease_until:
                    log.warning(
                        "job %s: attempt %d is ambiguous, its owner does not answer",
                        record.id,
                        attempt.number,
                    )
                    record = await self._desk.tell_of(record.id, LeaseOver(attempt=attempt.id))
                case Attempt(state=AttemptState.AMBIGUOUS) if (
                    now > attempt.resolve_after and not self._has_history(attempt)
                ):
                    record = await self._desk.tell_of(record.id, NothingFound(attempt=attempt.id))
                case _:
                    pass
            match attempt.replay:
                case Replayable(kept=True, until=until) if now > until:
                    record = await self._desk.tell_of(record.id, ReplayOver(attempt=attempt.id))
                case _:
                    pass
            if attempt.slot and attempt.state in LOST and now > attempt.slot_until:
                record = await self._desk.tell_of(record.id, SlotOver(attempt=attempt.id))
        return record

    async def _unsent(self, record: JobRecord, attempt: Attempt, now: float) -> JobRecord:
        """Take a claim back whose owner stopped responding before the first byte.

        Where a caller waits for the job it is sent again. Elsewhere it stays queued until a caller asks for
        it; those who wait go first.
        """
        flight = self._desk.flights.get(record.id)
        if flight is not None and flight.sending:
            return record  # its own task says what becomes of it
        wanted = flight is not None and flight.wanted
        if not wanted and now <= attempt.lease_until + _WAITING_FIRST:
            return record
        next_ = None
        if self._desk.ledger.remembers:
            next_id = attempt_id(record.id, record.newest.number + 1)
            next_ = NextAttempt(id=next_id, account=attempt.account)
        log.info("job %s: attempt %d was never sent, its owner does not answer", record.id, attempt.number)
        event = LeaseOver(attempt=attempt.id, next=next_)
        if wanted:
            return await self._desk.tell_of(record.id, event)
        after = (await self._desk.ledger.apply(record.id, event)).after
        if flight is not None:
            self._desk.seen(flight, after)
        return after

    def _has_history(self, attempt: Attempt) -> bool:
        account = self._desk.accounts.get(attempt.account)
        return account is None or account.searches
