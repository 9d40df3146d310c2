"""What a closing client says of jobs whose end nobody has seen: in the log, and to those who wait."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from pika_async._engine.flight import Flight
from pika_async._engine.unsent_errors import left_unsent
from pika_async._ledger.standing import spent, unsent
from pika_async.errors import JobTimeout

log = logging.getLogger("pika_async")

_LINES = 20


def say(flights: Iterable[Flight], *, remembers: bool) -> None:
    """Log one WARNING with the token of each such job, twenty at most, and then the rest in one line.

    A job whose token the caller holds is only counted, at INFO, where the ledger outlives the process.
    Python prints warnings even where nobody has set logging up.
    """
    paid = [f for f in flights if f.wanted and not f.told and spent(f.record) != "no"]
    held = [f for f in paid if f.held and remembers]
    unseen = [f for f in paid if not (f.held and remembers)]
    if held:
        log.info("%d jobs go on; their tokens are held, and the ledger knows them", len(held))
    for flight in unseen[:_LINES]:
        state = "goes on" if not flight.ended else f"has {flight.state}"
        log.warning(
            "job %s on %s may be paid, %s, and its result was not read. Its token: %s",
            flight.id,
            flight.account.key,
            state,
            flight.token,
        )
    if rest := unseen[_LINES:]:
        listed = "`pika-async jobs` lists them" if remembers else " ".join(f.token for f in rest)
        log.warning("%d more jobs may be paid, and their results were not read: %s", len(rest), listed)


def error_of(flight: Flight, *, remembers: bool, unread: bool) -> JobTimeout:
    """Return the error for who waits for a job that is not over.

    *unread* says that another process may have sent the order, and that the ledger was not asked.
    """
    if remembers and unsent(flight.record) and not unread:
        return left_unsent("The client was closed before the order was sent")
    return JobTimeout(
        "The client was closed while the job was under way; any client can go on from its token.",
        charged="unknown" if unread else spent(flight.record),
    )
