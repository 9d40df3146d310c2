"""What time and history may find out: leases that are over, lost answers, other processes' news.

Time only ever leads to a look-up here, never to a POST. Everything runs in every process, not at start only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pika_async._engine.clock import Timer
from pika_async._ledger.events import Event, Evidence, LeaseOver, NothingFound, SlotOver
from pika_async._ledger.records import Attempt, AttemptState, JobRecord
from pika_async._transport import Sender, SendError
from pika_async.callbacks.token import read_token, token_in
from pika_async.errors import LedgerError, PikaError
from pika_async.provider import Found

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.engine import Engine
    from pika_async._engine.flight import Flight

log = logging.getLogger("pika_async")

_PERIOD = 5.0
_FIRST = 1.0
_SLOWEST = 600.0
_HISTORY_SLACK = 120.0
_PAGES = 20

OPEN_QUESTIONS = frozenset({AttemptState.SUBMITTING, AttemptState.AMBIGUOUS, AttemptState.UNRESOLVED})


class Sweeper:
    """Moves what no answer will move; sleeps while this process knows of nothing like that."""

    def __init__(self, engine: Engine, transport: Sender) -> None:
        self._engine = engine
        self._transport = transport
        self._timer: Timer | None = None
        self._due = 0.0
        self._pause = _FIRST
        self._running = False
        self._seen_version = -1

    def consider(self, flight: Flight) -> None:
        """Start sweeping if *flight* has an attempt that only time, history or another process can move."""
        if any(self._is_open_question(attempt) for attempt in flight.record.attempts):
            self._pause = _FIRST
            self._schedule(_FIRST)

    def _is_open_question(self, attempt: Attempt) -> bool:
        if attempt.state is AttemptState.SUBMITTING:
            return attempt.owner != self._engine.owner
        return attempt.state in OPEN_QUESTIONS and (attempt.task is None or attempt.slot)

    def watch_ledger(self) -> None:
        """Keep sweeping although this process has no open question: the ledger is shared."""
        self._schedule(_PERIOD)

    def stop(self) -> None:
        """Sweep no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self, seconds: float) -> None:
        if self._engine.closing or self._running:
            return
        when = self._engine.clock.now() + seconds
        if self._timer is not None:
            if self._due <= when:
                return  # a stream of new questions must not put off the sweep for ever
            self._timer.cancel()
        self._due = when
        self._timer = self._engine.clock.call_at(when, self._wake)

    def _wake(self) -> None:
        self._timer = None
        if not self._engine.closing:
            self._engine.spawn(self._run())

    async def _run(self) -> None:
        self._running = True
        questions = 0
        try:
            questions = await self.sweep()
        except LedgerError as error:
            log.warning("the ledger cannot be swept: %s", error)
            questions = 1
        finally:
            self._running = False
        if questions or self._engine.ledger.durable:
            self._pause = min(self._pause * 2, _PERIOD if self._engine.ledger.durable else _SLOWEST)
            self._schedule(self._pause)

    async def sweep(self) -> int:
        """Go once through every open question of the ledger; gives their number."""
        ledger = self._engine.ledger
        records = await ledger.unfinished(OPEN_QUESTIONS)
        await self._catch_up()
        for record in records:
            await self._by_time(record)
        questions = [
            attempt
            for record in await ledger.unfinished(OPEN_QUESTIONS)
            for attempt in record.attempts
            if self._is_open_question(attempt)
        ]
        for account in self._engine.accounts.values():
            lost = [
                attempt
                for attempt in questions
                if attempt.account == account.key
                and attempt.task is None
                and attempt.state is not AttemptState.SUBMITTING
            ]
            if lost:
                await self.search_history(account, lost)
        return len(questions)

    async def _catch_up(self) -> None:
        """Take over what other processes wrote about jobs that are waited for here."""
        version = await self._engine.ledger.version()
        if version == self._seen_version:
            return
        self._seen_version = version
        for flight in tuple(self._engine.flights.values()):
            if not any(a.state is AttemptState.RUNNING for a in flight.record.attempts):
                current = await self._engine.ledger.get(flight.id)
                if current is not None and current != flight.record:
                    self._engine.update(flight, current)
                    self._engine.follow(flight)

    async def _apply(self, job_id: str, event: Event) -> None:
        flight = self._engine.flights.get(job_id)
        if flight is None:
            await self._engine.ledger.apply(job_id, event, self._engine.clock.wall())
            return
        before = flight.record
        await self._engine.apply(flight, event)
        if flight.record is not before:
            self._engine.follow(flight)

    async def _by_time(self, record: JobRecord) -> None:
        now = self._engine.clock.wall()
        for attempt in record.attempts:
            match attempt:
                case Attempt(state=AttemptState.SUBMITTING) if now > attempt.lease_until:
                    log.warning(
                        "job %s: attempt %d is ambiguous, its owner fell silent", record.id, attempt.number
                    )
                    await self._apply(record.id, LeaseOver(attempt=attempt.id))
                case Attempt(state=AttemptState.AMBIGUOUS) if (
                    now > attempt.resolve_after and not self._has_history(attempt)
                ):
                    await self._apply(record.id, NothingFound(attempt=attempt.id))
                case _:
                    pass
            if attempt.slot and attempt.state in OPEN_QUESTIONS and now > attempt.slot_until:
                await self._apply(record.id, SlotOver(attempt=attempt.id))

    def _has_history(self, attempt: Attempt) -> bool:
        account = self._engine.accounts.get(attempt.account)
        return account is None or ("finds" in account.loaded.powers and account.capabilities.echoes_token)

    async def search_history(self, account: Account, lost: Sequence[Attempt]) -> None:
        """Search the provider's history for the tokens of *lost*; best effort: its shape is inferred."""
        if "finds" not in account.loaded.powers or not account.capabilities.echoes_token:
            return
        sent_at = self._engine.clock.wall()
        since = min(attempt.claimed_at or sent_at for attempt in lost) - _HISTORY_SLACK
        wanted = {attempt.id: attempt for attempt in lost}
        complete = False
        try:
            complete = await self._search(account, since, sent_at + _HISTORY_SLACK, wanted)
        except (SendError, PikaError) as error:
            log.info("%s: the history could not be searched: %s", account.key, error)
        except Exception:
            log.exception("%s: the history could not be searched", account.key)
        for attempt in wanted.values():
            if complete:
                await self._apply(attempt.job_id, NothingFound(attempt=attempt.id, sent_at=sent_at))
            elif sent_at > attempt.slot_until:
                # A history that cannot be read must not keep a lost job from a person's eyes for ever.
                await self._apply(attempt.job_id, NothingFound(attempt=attempt.id))

    async def _search(self, account: Account, since: float, until: float, wanted: dict[str, Attempt]) -> bool:
        """Take what is found out of *wanted*; tells whether the history was read to its end."""
        cursor: str | None = None
        for _ in range(_PAGES):
            if not await account.poller.spend():
                return False
            finder = account.finder
            request = account.guarded(finder.build_find(since, until, cursor))
            page = finder.read_find(await self._transport.poll(request))
            await self._take(page.found, wanted)
            if not wanted or page.next_cursor is None:
                return True
            cursor = page.next_cursor
        return False

    async def _take(self, found: Iterable[Found], wanted: dict[str, Attempt]) -> None:
        for one in found:
            if one.callback_url is None:
                continue
            token = token_in(one.callback_url.reveal())
            attempt_id = read_token(self._engine.secrets, token) if token else None
            attempt = wanted.pop(attempt_id, None) if attempt_id else None
            if attempt is not None:
                log.info("job %s: found in the provider's history", attempt.job_id)
                evidence = Evidence(attempt=attempt.id, snapshot=one.snapshot, source="history")
                await self._apply(attempt.job_id, evidence)
