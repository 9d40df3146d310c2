"""Brings jobs to their provider: queue, claim, fence, and one POST.

Written on the table of docs/pay-once.md. Nothing here ever sends the same attempt twice.
"""

from __future__ import annotations

import asyncio
import logging
from inspect import signature

from pika_async._engine import answers
from pika_async._engine.account import Account
from pika_async._engine.addresses import Addresses
from pika_async._engine.answers import Posted
from pika_async._engine.clock import Clock, Timer
from pika_async._engine.desk import Desk
from pika_async._engine.effects import Queue, SlotFreed, SlotTaken
from pika_async._engine.files import with_blobs
from pika_async._engine.flight import Flight
from pika_async._engine.ids import attempt_id
from pika_async._engine.line import Line
from pika_async._engine.sending import Outcome, read_clocks, send
from pika_async._engine.verdict import capped, later, paused, refusal_of
from pika_async._http import HttpRequest
from pika_async._ledger.change import Change
from pika_async._ledger.events import Cancel, Claim, Evidence, Refused, Times
from pika_async._ledger.records import Attempt, AttemptState
from pika_async._ledger.standing import spent, unsent
from pika_async._transport import Sender
from pika_async.errors import ConfigError, LedgerError, PikaError
from pika_async.provider import Call
from pika_async.requests import VideoRequest

log = logging.getLogger("pika_async")

_STALE_FENCES = 3
_ASK_AGAIN = 5.0
"""Seconds after which a slot that another process may have freed is asked for."""
_BUILT_LASTS = 60.0


class Posts:
    """Sends the queued jobs of every account, each POST in a task of its own."""

    def __init__(
        self, desk: Desk, transport: Sender, clock: Clock, addresses: Addresses, max_submits: int | None
    ) -> None:
        self._desk = desk
        self._transport = transport
        self._clock = clock
        self._addresses = addresses
        self._max_submits = max_submits
        # Transports written for the first release do not know the option.
        self._may_ask_for_fresh = "fresh_connection" in signature(transport.submit).parameters
        self.lines = {key: Line(account) for key, account in desk.accounts.items()}
        self._timers: dict[str, Timer] = {}
        self._posts: set[asyncio.Task[None]] = set()
        self._times: dict[tuple[bool, float], Times] = {}
        desk.carries_out(Queue, self._queue)
        desk.carries_out(SlotTaken, self._slot_taken)
        desk.carries_out(SlotFreed, self._slot_freed)

    async def open(self) -> None:
        """Read how many slots each account holds already."""
        await self.reread()

    async def reread(self) -> None:
        """Read what all processes use of each account, and send what that allows; raises `LedgerError`."""
        for key, line in self.lines.items():
            usage = await self._desk.ledger.usage(key)
            line.learn(usage, self._desk.ledger.now(), self._clock.now())
            self._pump(line)

    def add(self, flight: Flight) -> bool:
        """Have the newest attempt of *flight* sent when its account allows; return whether that is now."""
        line = self.lines[flight.account.key]
        line.add(flight)
        self._pump(line)
        return not len(line)

    def build(self, flight: Flight, account: Account, request: VideoRequest) -> HttpRequest:
        """Have the adapter build the POST of the newest attempt; raises `PikaError`, and sends nothing."""
        attempt = flight.record.newest
        wish = flight.record.callback_url
        address = self._addresses.make(attempt.id, wish, account.name, account.capabilities)
        call = Call(callback_url=address, attempt_id=attempt.id, now=self._clock.wall())
        return account.build_submit(request, call)

    def _queue(self, flight: Flight, effect: Queue) -> None:
        flight.account = self._desk.accounts[effect.attempt.account]
        flight.requeued()
        self.add(flight)

    def _slot_taken(self, _: Flight, effect: SlotTaken) -> None:
        self.lines[effect.account].slots += 1

    def _slot_freed(self, _: Flight, effect: SlotFreed) -> None:
        line = self.lines[effect.account]
        line.slots -= 1
        self._pump(line)

    def _pump(self, line: Line) -> None:
        """Start as many POSTs as the account allows now."""
        while not self._desk.closing and line.first() is not None:
            if not line.may_start(self._clock.now()):
                self._pump_later(line)
                return
            self._posts.add(asyncio.get_running_loop().create_task(self._send(line, line.take())))

    def _pump_later(self, line: Line) -> None:
        now, key = self._clock.now(), line.account.key
        if key in self._timers:
            return
        if line.opens_at > now:
            self._timers[key] = self._clock.call_at(line.opens_at, lambda: self._due(line))
        elif self._desk.ledger.shared and line.is_full():
            self._timers[key] = self._clock.call_at(now + _ASK_AGAIN, lambda: self._due(line, ask=True))

    def _due(self, line: Line, *, ask: bool = False) -> None:
        del self._timers[line.account.key]
        if ask and line.is_full():
            line.slots -= 1  # the ledger knows better, and says so when it refuses
        self._pump(line)

    def stop(self) -> list[Flight]:
        """Start nothing more, and return the jobs that were not sent."""
        for timer in self._timers.values():
            timer.cancel()
        return [flight for line in self.lines.values() for flight in line.clear()]

    async def aclose(self, patience: float) -> None:
        """Let POSTs that are under way come to their end, for *patience* seconds at most."""
        if self._posts:
            await asyncio.wait(self._posts, timeout=patience)
        for task in self._posts:
            task.cancel()
        if self._posts:
            await asyncio.gather(*self._posts, return_exceptions=True)

    async def _send(self, line: Line, flight: Flight) -> None:
        claiming = flight.sending = True
        try:
            refused = line.refuses(flight.asked_at, self._desk.ledger.now())
            if refused is not None and self._waits_for_later(flight):
                self._leave(flight, later(refused))
                return
            order, request = await self._built(line, flight)
            is_new, clocks = not flight.recorded, read_clocks(self._clock)
            change = await self._desk.tell(flight, self._claim(line, flight, request))
            line.claiming, claiming = line.claiming - 1, False
            line.learn(change.usage, self._desk.ledger.now(), self._clock.now())
            attempt = change.after.newest
            if (
                change.moved
                and attempt.state is AttemptState.SUBMITTING
                and attempt.owner == self._desk.owner
            ):
                posted = self._posted(line, flight, attempt, held=request.held)
                if is_new and self._desk.closing:
                    await self._desk.tell(flight, answers.too_late(posted))
                else:
                    flight.posted()
                    event = await send(
                        posted,
                        order,
                        request,
                        transport=self._transport,
                        ledger=self._desk.ledger,
                        clock=self._clock,
                        claimed_at=clocks,
                    )
                    await self._told(line, flight, posted, event)
            else:
                line.ledger_works()
                await self._not_claimed(line, flight, change)
        except LedgerError as error:
            await self._ledger_failed(line, flight, error)
        except PikaError as error:
            await self._give_up(flight, error)
        except Exception as error:
            log.exception("job %s: the engine failed before the claim", flight.id)
            await self._give_up(flight, PikaError(f"A defect in pika_async, please report it: {error!r}."))
        finally:
            flight.sending = False
            line.claiming -= claiming
            line.on_the_wire -= 1
            if (task := asyncio.current_task()) is not None:
                self._posts.discard(task)
            self._pump(line)

    async def _built(self, line: Line, flight: Flight) -> tuple[VideoRequest, HttpRequest]:
        built, flight.built = flight.built, None
        if (order := flight.request) is None:
            raise ConfigError("The request of this job is not known here; it cannot be sent.")
        if built is not None and built[0] == flight.record.newest.id and not self._is_old(built[1]):
            return order, built[2]
        return order, self.build(flight, line.account, await with_blobs(order, flight.record.files))

    def _is_old(self, built_at: float) -> bool:
        return self._clock.now() - built_at >= _BUILT_LASTS

    def _claim(self, line: Line, flight: Flight, request: HttpRequest) -> Claim:
        render = line.account.capabilities.longest_render
        if (times := self._times.get((request.held, render))) is None:
            timeouts = self._transport.timeouts
            deadline = timeouts.held if request.held else timeouts.submit
            times = self._times[request.held, render] = Times(deadline=deadline, longest_render=render)
        return Claim(
            attempt=flight.record.newest.id,
            owner=self._desk.owner,
            times=times,
            max_slots=line.account.max_concurrency,
            max_submits=self._max_submits,
            asked_at=flight.asked_at,
            despite_pause=not self._waits_for_later(flight),
        )

    def _waits_for_later(self, flight: Flight) -> bool:
        """Return whether the order outlives a refusal that is about the account or its key alone."""
        return self._desk.ledger.remembers and self._fallback(flight) is None

    def _fallback(self, flight: Flight) -> str | None:
        tried = {attempt.account for attempt in flight.record.attempts}
        return next((key for key in flight.record.fallbacks if key not in tried), None)

    async def _not_claimed(self, line: Line, flight: Flight, change: Change) -> None:
        """Go on after a claim that the ledger did not grant."""
        match change.obstacle:
            case None:
                attempt = change.after.newest
                if attempt.state is AttemptState.SUBMITTING and attempt.owner == self._desk.owner:
                    # A claim whose commit was not acknowledged: it is ours, and no byte has left.
                    posted = self._posted(line, flight, attempt, held=False)
                    await self._desk.tell(flight, answers.held_back(posted))
            case obstacle if obstacle.reason in {"slots", "pace"}:
                if obstacle.reason == "slots" and change.usage is not None:
                    line.slots = max(change.usage.slots, line.account.max_concurrency - line.claiming)
                line.add(flight)
            case obstacle:
                error = capped(self._max_submits) if obstacle.reason == "cap" else paused(obstacle.why)
                if self._desk.ledger.remembers or flight.record.key is not None:
                    # Unsent, and not burned: who asks for it again gets it bought.
                    self._leave(flight, error)
                else:
                    await self._give_up(flight, error)

    def _leave(self, flight: Flight, error: PikaError) -> None:
        """Let those who wait go with *error*; the order stays queued in the ledger."""
        if not unsent(flight.record):
            error.charged = spent(flight.record)  # an earlier attempt is in doubt
        flight.end(self._desk.explain(flight, error))
        self._desk.flights.pop(flight.id, None)
        if not flight.recorded:
            self._desk.spawn(self._desk.record(flight))

    async def _give_up(self, flight: Flight, error: PikaError) -> None:
        """End an order that was never sent with *error*."""
        flight.end(self._desk.explain(flight, error))
        attempt = flight.record.newest
        # A claim that raised may be committed all the same.
        refused = Refused(attempt=attempt.id, owner=self._desk.owner, refusal=refusal_of(error), error=error)
        await self._desk.tell(flight, refused)
        await self._desk.tell(flight, Cancel())

    async def _ledger_failed(self, line: Line, flight: Flight, error: LedgerError) -> None:
        """Try again while the ledger may come back: an order in it outlives that. No byte has left."""
        if not self._desk.ledger.remembers:
            await self._give_up(flight, error)
        elif line.ledger_failed(self._clock.now()):
            self._leave(flight, error)
        else:
            log.warning("job %s: not sent, the ledger failed: %s", flight.id, error)
            line.add(flight)

    async def _told(self, line: Line, flight: Flight, posted: Posted, event: Outcome) -> None:
        """Tell the one event that came of a POST. From here on no failure of ours may call it refused."""
        too_long = False
        if posted.keeps and isinstance(event, Refused) and isinstance(event.error, LedgerError):
            too_long = line.ledger_failed(self._clock.now())
        else:
            line.ledger_works()
        try:
            change = await self._desk.tell(flight, event)
        except Exception as error:
            log.exception("job %s: the engine failed on the answer", flight.id)
            why = f"A defect in pika_async, please report it: {error!r}"
            await self._desk.tell(flight, answers.unknown(posted, why))
            return
        line.learn(change.usage, self._desk.ledger.now(), self._clock.now())
        match event:
            case Evidence():
                line.accepted()
                attempt = change.after.attempt(posted.attempt.id)
                if attempt is not None and attempt.state is AttemptState.SUBMITTING:
                    why = "The answer named a task that belongs to another job"
                    await self._desk.tell(flight, answers.unknown(posted, why))
            case Refused(error=PikaError() as refusal) if (event.later or too_long) and not flight.ended:
                if event.later:
                    line.refused(refusal, self._desk.ledger.now())
                self._leave(flight, refusal)
            case _:
                pass

    def _posted(self, line: Line, flight: Flight, claimed: Attempt, *, held: bool) -> Posted:
        flight.stale += 1
        return Posted(
            attempt=claimed,
            owner=self._desk.owner,
            loaded=line.account.loaded,
            held=held,
            fresh_connection=self._may_ask_for_fresh and (held or not line.account.capabilities.echoes_token),
            new_id=lambda: attempt_id(flight.id, claimed.number + 1),
            fallback=self._fallback(flight),
            again=flight.stale < _STALE_FENCES,
            keeps=self._desk.ledger.remembers,
        )
