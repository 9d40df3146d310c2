"""One POST: the fence and its mark before the first byte, and the event that came of it."""

from __future__ import annotations

import logging
from typing import TypeAlias

from pika_async._engine.answers import Posted, held_back, read_answer, unknown, unsent
from pika_async._engine.clock import Clock, Moment
from pika_async._engine.replaying import replayed
from pika_async._http import HttpRequest
from pika_async._ledger import Ledger
from pika_async._ledger.events import Evidence, Refused, Sending, Unknown
from pika_async._ledger.times import Times
from pika_async._sender import Sender, SendError, submitted
from pika_async.errors import LedgerError, PikaError
from pika_async.requests import VideoRequest

log = logging.getLogger("pika_async")

Outcome: TypeAlias = Evidence | Refused | Unknown
_WINDOW = Times().claim_to_byte


class StaleFenceError(Exception):
    """Too much time passed, or the ledger refused the mark, between the claim and the first byte."""


def _late(claimed_at: Moment, clock: Clock) -> bool:
    """Return whether any of the three clocks says that too much time has passed."""
    now, wall, boot = claimed_at
    return clock.now() - now > _WINDOW or clock.wall() - wall > _WINDOW or clock.boot() - boot > _WINDOW


def _lost(posted: Posted, error: SendError) -> Outcome:
    return unknown(posted, f"The answer was lost: {error}")


async def send(
    posted: Posted,
    order: VideoRequest,
    request: HttpRequest,
    *,
    transport: Sender,
    ledger: Ledger,
    clock: Clock,
    claimed_at: Moment,
) -> Outcome:
    """Send a claimed attempt once, and return what became of it; raises nothing but cancellation.

    The fence runs after connecting. It asks everything again that the claim asked, and commits that the
    first byte may leave: whoever finds a claim without that mark knows that nothing was sent.
    """
    may_have_left = False
    status: int | None

    async def fence() -> None:
        nonlocal may_have_left
        if _late(claimed_at, clock):
            raise StaleFenceError
        claimed = posted.attempt
        sending = Sending(attempt=claimed.id, owner=posted.owner, version=claimed.version, sent=posted.sent)
        if not (await ledger.apply(posted.attempt.job_id, sending)).moved:
            raise StaleFenceError
        # Once more, because the commit may itself have taken too long.
        if _late(claimed_at, clock):
            raise StaleFenceError
        may_have_left = True

    try:
        response = await submitted(transport, request, fence, fresh=posted.fresh_connection)
    except StaleFenceError:
        return held_back(posted)
    except SendError as error:
        if not error.sent:
            return unsent(posted, str(error))
        status, event = None, _lost(posted, error)
    except LedgerError as error:
        return held_back(posted, error)
    except Exception as error:
        log.exception("job %s: the engine failed after the claim", posted.attempt.job_id)
        why = f"A defect in pika_async, please report it: {error!r}"
        return unknown(posted, why) if may_have_left else held_back(posted, PikaError(f"{why}."))
    else:
        status, event = response.status, read_answer(posted, order, response, clock.wall())
    if isinstance(event, Unknown):
        return await replayed(
            posted, order, request, event, status, transport=transport, ledger=ledger, clock=clock
        )
    return event
