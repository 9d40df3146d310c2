"""Asking again after a lost answer: the same bytes, where the provider says that they buy nothing more."""

from __future__ import annotations

import logging

from pika_async._engine.answers import Posted, read_answer
from pika_async._engine.clock import Clock, sleep
from pika_async._http import HttpRequest
from pika_async._ledger import Ledger
from pika_async._ledger.events import Evidence, Refused, Replaying, Unknown
from pika_async._sender import Sender, SendError
from pika_async.errors import LedgerError, PikaError, RateLimited
from pika_async.requests import VideoRequest

log = logging.getLogger("pika_async")

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0


class TooLateError(Exception):
    """The ledger does not allow the same bytes any more."""


async def replayed(
    posted: Posted,
    order: VideoRequest,
    request: HttpRequest,
    lost: Unknown,
    status: int | None,
    *,
    transport: Sender,
    ledger: Ledger,
    clock: Clock,
) -> Evidence | Refused | Unknown:
    """Send *request* again, with ever longer pauses, until the provider names its task; else return *lost*.

    *status* is that of the answer that proved nothing, None without an answer. A refusal proves nothing about
    the first send, so it counts only when it names the job of the key. The credential is the first one.
    """
    replay = posted.loaded.capabilities.replay
    pause = _FIRST_PAUSE

    async def fence() -> None:
        event = Replaying(attempt=posted.attempt.id, owner=posted.owner, within=posted.replayable)
        if not (await ledger.apply(posted.attempt.job_id, event)).moved:
            raise TooLateError

    while replay is not None and posted.replayable and replay.allows(status):
        await sleep(clock, pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        log.info("job %s: the answer was lost, the same bytes are sent again", posted.attempt.job_id)
        try:
            response = await transport.submit(request, fence)
        except TooLateError:
            break
        except SendError:
            status = None
            continue
        except LedgerError:
            continue
        match read_answer(posted, order, response, clock.wall()):
            case Evidence() as evidence:
                return evidence
            case Unknown():
                status = response.status
            case Refused(error=PikaError(settles_key=True)) as refused:
                return refused
            case Refused(error=RateLimited()):
                pass
            case Refused():
                break
    return lost
