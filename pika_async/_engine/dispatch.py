"""Brings jobs to their provider: queue, claim, fence, and one POST.

Written on the table of docs/pay-once.md. Nothing here ever sends the same attempt twice.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from pika_async._engine.files import with_blobs
from pika_async._engine.flight import Flight
from pika_async._engine.outcomes import Outcomes
from pika_async._engine.verdict import refusal_of
from pika_async._http import HttpRequest
from pika_async._ledger.events import Cancel, Claim, Refused, Times
from pika_async._ledger.records import Attempt, AttemptState, JobState
from pika_async._transport import Sender, SendError
from pika_async.callbacks import token as callback_token
from pika_async.errors import (
    ConfigError,
    InsufficientBalance,
    LedgerError,
    PikaError,
    ProviderUnavailable,
    UnsupportedRequest,
)
from pika_async.provider import Call, Secret

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.engine import Engine

log = logging.getLogger("pika_async")


class StaleFenceError(Exception):
    """Too much time passed, or the row changed, between the claim and the first byte."""


class Dispatch:
    """Sends the queued jobs of every account, each POST in a task of its own."""

    def __init__(self, engine: Engine, transport: Sender, max_submits: int | None) -> None:
        self._engine = engine
        self._transport = transport
        self._max_submits = max_submits
        self._outcomes = Outcomes(engine, self.enqueue)
        self._posts: set[asyncio.Task[None]] = set()
        self._timers: set[str] = set()
        self._known_times: dict[tuple[bool, float], Times] = {}

    def enqueue(self, flight: Flight) -> None:
        """Put *flight* in its account's queue."""
        flight.account.queue.append(flight)
        self.pump(flight.account)

    def pump(self, account: Account) -> None:
        """Start as many POSTs as the account's limits allow now."""
        clock = self._engine.clock
        while account.queue and not self._engine.closing:
            if account.queue[0].cancelled or account.queue[0].ended:
                account.queue.popleft()
                continue
            now = clock.now()
            if not account.limits.start(now):
                self._pump_later(account, account.limits.wait_until(now))
                return
            self._start(account.queue.popleft())

    def _pump_later(self, account: Account, when: float | None) -> None:
        if when is None or account.key in self._timers:
            return
        self._timers.add(account.key)

        def again() -> None:
            self._timers.discard(account.key)
            self.pump(account)

        self._engine.clock.call_at(when, again)

    def _start(self, flight: Flight) -> None:
        task = asyncio.get_running_loop().create_task(self._send(flight))
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    async def aclose(self, patience: float) -> None:
        """Let POSTs that are under way come to their end, for *patience* seconds at most."""
        if self._posts:
            await asyncio.wait(self._posts, timeout=patience)
        for task in self._posts:
            task.cancel()
        if self._posts:
            await asyncio.gather(*self._posts, return_exceptions=True)

    async def _send(self, flight: Flight) -> None:
        account = flight.account
        try:
            try:
                await self._attempt(flight)
            finally:
                account.limits.off_the_wire()
        except PikaError as error:
            self._give_up(flight, error)
        except Exception as error:
            log.exception("job %s: the engine failed", flight.id)
            self._give_up(flight, PikaError(f"A defect in pika_async, please report it: {error!r}."))
        finally:
            self.pump(account)

    def _give_up(self, flight: Flight, error: PikaError) -> None:
        flight.end(self._engine.explain(flight, error))
        if flight.record.settled:
            self._engine.forget(flight)

    async def _attempt(self, flight: Flight) -> None:
        """Claim and send the newest attempt; gives the slot that was taken for it back if it is not sent."""
        account, attempt = flight.account, flight.record.newest
        claimed: Attempt | None = None
        try:
            request = await self._built(flight, attempt)
            before = self._clocks()
            claimed = await self._claimed(flight, attempt, request)
        except PikaError as error:
            # Whether or not a claim that raised was committed, no byte has left.
            event = Refused(attempt=attempt.id, owner=self._engine.owner, refusal=refusal_of(error))
            await self._engine.apply(flight, event, keep=True)
            await self._engine.apply(flight, Cancel(), keep=True)
            raise
        finally:
            if claimed is None:
                account.limits.release()
        if claimed is None:
            await self._not_claimed(flight)
            return
        flight.posted()
        try:
            await self._post(flight, claimed, request, before)
        except PikaError:
            raise
        except Exception as error:
            log.exception("job %s: the engine failed after the claim", flight.id)
            await self._outcomes.unknown(
                flight, claimed, f"A defect in pika_async, please report it: {error!r}"
            )

    async def _claimed(self, flight: Flight, attempt: Attempt, request: HttpRequest) -> Attempt | None:
        """Commit the intent to POST; None when the ledger does not grant it."""
        claim = Claim(
            attempt=attempt.id,
            owner=self._engine.owner,
            times=self._times(request.held, flight.account.capabilities.longest_render),
            max_slots=flight.account.limits.max_concurrency,
            max_submits=self._max_submits,
        )
        await self._engine.apply(flight, claim)
        row = flight.record.attempt(attempt.id)
        granted = row is not None and row.owner == self._engine.owner and row.version == attempt.version + 1
        return row if granted else None

    def _times(self, held: bool, longest_render: float) -> Times:
        known = self._known_times.get((held, longest_render))
        if known is None:
            timeouts = self._transport.timeouts
            deadline = timeouts.held if held else timeouts.submit
            known = Times(deadline=deadline, longest_render=longest_render)
            self._known_times[held, longest_render] = known
        return known

    def _clocks(self) -> tuple[float, float, float]:
        clock = self._engine.clock
        return clock.now(), clock.wall(), clock.boot()

    async def _built(self, flight: Flight, attempt: Attempt) -> HttpRequest:
        account = flight.account
        if flight.request is None:
            raise ConfigError("The request of this job is not known here; it cannot be sent.")
        request = await with_blobs(flight.request, flight.record.files)
        call = Call(
            callback_url=self._callback(flight, attempt),
            attempt_id=attempt.id,
            now=self._engine.clock.wall(),
        )
        built = account.build_submit(request, call)
        if built.method != "POST":
            raise ConfigError(
                f"The adapter {account.name} submits with {built.method}, which HTTP stacks replay; report "
                "it to the adapter's author.",
                provider=account.name,
            )
        return built

    def _callback(self, flight: Flight, attempt: Attempt) -> Secret | None:
        callbacks = flight.account.capabilities.callbacks
        if callbacks == "no":
            return None
        token = self._engine.token_for(attempt.id)
        match self._engine.callback_url if flight.callback_url is None else flight.callback_url:
            case False:
                if callbacks == "required":
                    raise UnsupportedRequest(
                        f"{flight.account.name} requires a callback address; leave callback_url out.",
                        provider=flight.account.name,
                    )
                return None
            case str(receiver):
                return callback_token.address(token, receiver)
            case _ if self._engine.callbacks is not None:
                return self._engine.callbacks.address(token)
            case _:
                return callback_token.address(token, None)

    async def _not_claimed(self, flight: Flight) -> None:
        """Go on after a claim that the ledger did not grant."""
        record, account = flight.record, flight.account
        if record.state is not JobState.OPEN or record.newest.state is not AttemptState.QUEUED:
            self._engine.follow(flight)
            return
        usage = await self._engine.ledger.usage(account.key)
        if self._max_submits is not None and usage.submits >= self._max_submits:
            if record.key is None:
                await self._engine.apply(flight, Cancel())
            else:
                # Unsent, and not burned: who raises the cap and asks with the same key gets it bought.
                self._engine.forget(flight)
            raise InsufficientBalance(
                f"The spending cap of {self._max_submits} submits is reached; nothing was bought. Raise "
                "max_submits to go on.",
                provider=account.name,
                phase="submit",
                code="max_submits",
            )
        # Other processes on this ledger hold the slots: wait for one of them to end.
        account.queue.appendleft(flight)
        account.limits.hold(self._engine.clock.now() + 1.0)

    async def _post(
        self, flight: Flight, claimed: Attempt, request: HttpRequest, before: tuple[float, float, float]
    ) -> None:
        window = Times().claim_to_byte

        async def fence() -> None:
            current = await self._engine.ledger.get(flight.id)
            row = current.attempt(claimed.id) if current is not None else None
            if current is None or row is None or row.version != claimed.version or current.cancel_requested:
                raise StaleFenceError
            # Last of all, because reading the row may itself have taken too long.
            if any(now - then > window for then, now in zip(before, self._clocks(), strict=True)):
                raise StaleFenceError

        try:
            response = await self._transport.submit(request, fence)
        except StaleFenceError:
            await self._outcomes.stale(flight, claimed)
        except SendError as error:
            if error.sent:
                await self._outcomes.unknown(flight, claimed, f"The answer was lost: {error}")
            else:
                await self._outcomes.refused(flight, claimed, _not_sent(flight.account.name, error))
        except LedgerError as error:
            await self._outcomes.refused(flight, claimed, error)
        else:
            await self._outcomes.answered(flight, claimed, response)


def _not_sent(provider: str, error: SendError) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"Nothing was sent: {error}. Check the network and base_url, then try again.",
        provider=provider,
        phase="submit",
    )
