"""Brings one job to its provider: claim, fence, and one POST; and tells what came of it.

Written on the table of docs/pay-once.md. Nothing here ever sends the same attempt twice.
"""

from __future__ import annotations

import logging

from pika_async._engine import answers
from pika_async._engine.account import Account
from pika_async._engine.answers import Posted
from pika_async._engine.building import Building
from pika_async._engine.claims import Claims
from pika_async._engine.clock import Clock, moment
from pika_async._engine.desk import Desk
from pika_async._engine.files import with_blobs
from pika_async._engine.flight import Flight
from pika_async._engine.ids import attempt_id
from pika_async._engine.line import Line
from pika_async._engine.sending import Outcome, send
from pika_async._engine.sent import kept, key_of
from pika_async._engine.unsent import Unsent
from pika_async._engine.unsent_errors import later
from pika_async._engine.uploads import Uploads
from pika_async._http import HttpRequest
from pika_async._ledger.change import Change
from pika_async._ledger.events import Evidence, Refused, Sent
from pika_async._ledger.records import Attempt, AttemptState
from pika_async._ledger.standing import CLAIMED, next_fallback
from pika_async._sender import Sender, makes_fresh_connections
from pika_async._telemetry import span
from pika_async.errors import ConfigError, LedgerError, PikaError
from pika_async.requests import VideoRequest

log = logging.getLogger("pika_async")

_STALE_FENCES = 3
_BUILT_LASTS = 60.0


class Posts:
    """Brings one job at a time to its provider; `Dispatch` says when."""

    def __init__(
        self,
        desk: Desk,
        transport: Sender,
        clock: Clock,
        building: Building,
        *,
        claims: Claims,
        uploads: Uploads,
        unsent: Unsent,
    ) -> None:
        self._desk = desk
        self._transport = transport
        self._clock = clock
        self._building = building
        self._claims = claims
        self._uploads = uploads
        self._unsent = unsent
        self._may_ask_for_fresh = makes_fresh_connections(transport)

    async def post(self, line: Line, flight: Flight) -> None:
        """Claim and send the newest attempt of *flight*, and tell what came of it; raises cancellation only.

        A job that was not claimed waits in *line* again, or is ended or left unsent.
        """
        claiming = flight.sending = True
        try:
            refused = line.refuses(flight.asked_at, self._desk.ledger.now())
            if refused is not None and next_fallback(flight.record) is None:
                if self._desk.ledger.remembers:
                    await self._unsent.leave_unread(flight, later(refused))
                else:
                    await self._unsent.give_up(flight, later(refused, stays=False))
                return
            order, request = await self._built(line, flight)
            claim = await self._claims.claim(flight, line.account, order, held=request.held)
            is_new, clocks = not flight.recorded, moment(self._clock)
            change = await self._desk.tell(flight, claim)
            line.claiming, claiming = line.claiming - 1, False
            line.learn(change.usage, self._desk.ledger.now(), self._clock.now())
            attempt = change.after.newest
            if (
                change.moved
                and attempt.state is AttemptState.SUBMITTING
                and attempt.owner == self._desk.owner
            ):
                sent = await self._sent(line.account, request)
                posted = self._posted(line, flight, attempt, held=request.held, sent=sent)
                if is_new and self._desk.closing:
                    await self._desk.tell(flight, answers.too_late(posted))
                else:
                    flight.posted()
                    with span("pika.submit", jobs=[flight.id], alone=True, provider=line.account.name):
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
            await self._unsent.ledger_failed(line, flight, error)
        except PikaError as error:
            await self._unsent.give_up(flight, error)
        except Exception as error:
            log.exception("job %s: the engine failed before the claim", flight.id)
            defect = PikaError(f"A defect in pika_async, please report it: {error!r}.")
            await self._unsent.give_up(flight, defect)
        finally:
            flight.sending = False
            line.claiming -= claiming

    async def _built(self, line: Line, flight: Flight) -> tuple[VideoRequest, HttpRequest]:
        built, flight.built = flight.built, None
        if (order := flight.request) is None:
            raise ConfigError("The request of this job is not known here; it cannot be sent.")
        if built is not None and built[0] == flight.record.newest.id and not self._is_old(built[1]):
            return order, built[2]
        if flight.prepared is not None and flight.prepared.account == line.account.key:
            order = ready = flight.prepared.request
        elif (ready := await with_blobs(order, flight.record.files)) is not order:
            line.account.loaded.capabilities.check(ready)  # how large files are is known only now
        return order, self._building.build(flight, line.account, ready)

    def _is_old(self, built_at: float) -> bool:
        return self._clock.now() - built_at >= _BUILT_LASTS

    async def _not_claimed(self, line: Line, flight: Flight, change: Change) -> None:
        """Go on after a claim that the ledger did not grant."""
        match change.obstacle:
            case None:
                flight.place = 0
                attempt = change.after.newest
                if attempt.state is AttemptState.SUBMITTING and attempt.owner == self._desk.owner:
                    # A claim whose commit was not acknowledged: it is ours, and no byte has left.
                    posted = self._posted(line, flight, attempt, held=False)
                    await self._desk.tell(flight, answers.held_back(posted))
            case obstacle if obstacle.reason in {"slots", "pace"}:
                if obstacle.reason == "slots":
                    line.filled(change.usage)
                line.add(flight)
            case obstacle:
                error = self._claims.held_back(obstacle, line.account.name)
                if self._desk.ledger.remembers or flight.record.key is not None:
                    # Unsent, and not burned: who asks for it again gets it bought.
                    self._unsent.leave(flight, error)
                else:
                    await self._unsent.give_up(flight, error)

    async def _told(self, line: Line, flight: Flight, posted: Posted, event: Outcome) -> None:
        """Tell the one event that came of a POST. From here on no failure of ours may call it refused."""
        too_long = False
        if posted.keeps and isinstance(event, Refused) and isinstance(event.error, LedgerError):
            too_long = line.ledger_failed(self._clock.now())
        else:
            line.ledger_works()
        try:
            if isinstance(event, Refused) and answers.blames_links(posted, event.error):
                await self._uploads.forget(flight)
            if isinstance(event, Refused) and (other := answers.other_route(posted, event.error)) is not None:
                line.account.go_by(other)
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
                if attempt is not None and attempt.state in CLAIMED:
                    why = "The answer named a task that belongs to another job"
                    await self._desk.tell(flight, answers.unknown(posted, why))
            case Refused(error=PikaError() as refusal):
                if posted.fallback is None and isinstance(refusal, answers.ACCOUNTS_TROUBLE):
                    line.refused(refusal, self._desk.ledger.now())
                if too_long:
                    await self._unsent.leave_unread(flight, refusal)
                elif event.later and not flight.ended:
                    self._unsent.leave(flight, refusal)
            case _:
                pass

    def _posted(
        self, line: Line, flight: Flight, claimed: Attempt, *, held: bool, sent: Sent | None = None
    ) -> Posted:
        flight.stale += 1
        return Posted(
            attempt=claimed,
            owner=self._desk.owner,
            loaded=line.account.loaded,
            held=held,
            fresh_connection=self._may_ask_for_fresh and (held or not line.account.capabilities.echoes_token),
            next_id=attempt_id(flight.id, claimed.number + 1),
            fallback=next_fallback(flight.record),
            again=flight.stale < _STALE_FENCES,
            keeps=self._desk.ledger.remembers,
            kept=flight.kept,
            old_links=flight.prepared is not None and bool(flight.prepared.kept),
            replayable=line.account.replay_window,
            sent=sent,
        )

    async def _sent(self, account: Account, request: HttpRequest) -> Sent | None:
        """Return what the ledger is to keep of a POST that may be sent again."""
        ledger, within = self._desk.ledger, account.replay_window
        if not within or not ledger.remembers:
            return None  # with this process the ledger ends too
        own = account.secrets
        if (without := kept(request, own)) is None:
            return None
        key = key_of(own, without.names, await ledger.secret())
        return Sent(within=within, key=key, data=without.data)
