"""POSTs of processes that stopped responding: the bytes in the ledger are sent again, under the same key.

Only where the provider says that they buy nothing more, and within T of the claim. The ledger grants each
sending, to one process at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from pika_async._engine.account import Account
from pika_async._engine.answers import Posted, read_answer
from pika_async._engine.clock import Clock
from pika_async._engine.desk import Desk
from pika_async._engine.ids import attempt_id
from pika_async._engine.sent import OtherKeyError, again, key_of
from pika_async._http import HttpRequest
from pika_async._ledger.events import Evidence, Refused, Replaying, ReplayOver, Unknown
from pika_async._ledger.records import Attempt, AttemptState, JobRecord
from pika_async._ledger.standing import keeps_bytes, next_fallback
from pika_async._ledger.times import Times
from pika_async._sender import Sender, SendError, makes_fresh_connections, submitted
from pika_async.errors import LedgerError, PikaError, RateLimited
from pika_async.requests import VideoRequest

log = logging.getLogger("pika_async")


class NotGrantedError(Exception):
    """The ledger does not allow the bytes to be sent, or another process sends them."""


class Inherited:
    """Asks again for answers that died with their process, one try at a time; the sweeper says when."""

    def __init__(self, desk: Desk, transport: Sender, clock: Clock) -> None:
        self._desk = desk
        self._transport = transport
        self._clock = clock
        self._may_ask_for_fresh = makes_fresh_connections(transport)
        self._under_way: set[str] = set()
        self._told: set[str] = set()

    def take_over(self, attempts: Iterable[Attempt]) -> None:
        """Begin a try for each of *attempts* whose bytes may be sent by this process now."""
        now = self._desk.ledger.now()
        for attempt in attempts:
            account = self._desk.accounts.get(attempt.account)
            if account is None or attempt.id in self._under_way or not account.replay_window:
                continue
            flight = self._desk.flights.get(attempt.job_id)
            if flight is not None and flight.sending:
                continue  # this process has not given it up
            mine = attempt.owner == self._desk.owner
            silent = attempt.state is AttemptState.AMBIGUOUS and (mine or now > attempt.lease_until)
            if silent and keeps_bytes(attempt) and attempt.replay is not None and now <= attempt.replay.until:
                self._under_way.add(attempt.id)
                self._desk.spawn(self._try(account, attempt))

    async def _try(self, account: Account, attempt: Attempt) -> None:
        try:
            await self._ask(account, attempt)
        except NotGrantedError:
            log.debug("job %s: its bytes are not sent again here", attempt.job_id)
        except OtherKeyError:
            self._say(attempt, "this process has another key than the one that sent it, or none")
        except (LedgerError, PikaError, ValueError) as error:
            self._say(attempt, str(error))
        finally:
            self._under_way.discard(attempt.id)

    def _say(self, attempt: Attempt, why: str) -> None:
        if attempt.id not in self._told:
            self._told.add(attempt.id)
            log.warning("job %s: its answer was lost, and it is not asked for again: %s", attempt.job_id, why)

    async def _ask(self, account: Account, attempt: Attempt) -> None:
        ledger = self._desk.ledger
        data, record = await ledger.sent(attempt.id), await ledger.get(attempt.job_id)
        if data is None or record is None or attempt.replay is None:
            raise NotGrantedError
        if not isinstance(order := record.request, VideoRequest):
            raise NotGrantedError
        request, names = again(data, account.secrets)
        key = key_of(account.secrets, names, await ledger.secret())
        if key != attempt.replay.key:
            raise OtherKeyError
        posted = self._posted(account, attempt, account.guarded(request), record)
        log.info("job %s: its process fell silent, the same bytes are sent again", attempt.job_id)
        match await self._answer(posted, order, request, key):
            case Evidence() | Refused() as event:
                await self._desk.tell_of(attempt.job_id, event)
            case None:
                over = ReplayOver(attempt=attempt.id, owner=self._desk.owner)
                await self._desk.tell_of(attempt.job_id, over)
            case _:
                pass  # the next sweep tries again

    def _posted(self, account: Account, attempt: Attempt, request: HttpRequest, record: JobRecord) -> Posted:
        alone = request.held or not account.capabilities.echoes_token
        return Posted(
            attempt=attempt,
            owner=self._desk.owner,
            loaded=account.loaded,
            held=request.held,
            fresh_connection=self._may_ask_for_fresh and alone,
            next_id=attempt_id(record.id, record.newest.number + 1),
            fallback=next_fallback(record),
            replayable=account.replay_window,
        )

    async def _answer(
        self, posted: Posted, order: VideoRequest, request: HttpRequest, key: str
    ) -> Evidence | Refused | Unknown | None:
        """Send *request* once; None says that its answer allows no other."""
        attempt, replay = posted.attempt, posted.loaded.capabilities.replay
        lost = Unknown(attempt=attempt.id, owner=posted.owner)
        timeouts = self._transport.timeouts
        times = Times(deadline=timeouts.held if request.held else timeouts.submit)

        async def fence() -> None:
            event = Replaying(
                attempt=attempt.id,
                owner=posted.owner,
                within=posted.replayable,
                key=key,
                lease=times.lease,
            )
            if not (await self._desk.ledger.apply(attempt.job_id, event)).moved:
                raise NotGrantedError

        try:
            response = await submitted(self._transport, request, fence, fresh=posted.fresh_connection)
        except SendError as error:
            return lost if not error.sent or (replay is not None and replay.allows(None)) else None
        match read_answer(posted, order, response, self._clock.wall()):
            case Evidence() as evidence:
                return evidence
            case Refused(error=PikaError(settles_key=True)) as refused:
                return refused
            case Refused(error=RateLimited()):
                return lost
            case Unknown() if replay is not None and replay.allows(response.status):
                return lost
            case _:
                return None
