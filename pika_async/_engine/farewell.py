"""What a closing client says of jobs that may be paid and that nobody has seen the end of."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from pika_async._engine.flight import Flight
from pika_async._ledger.standing import spent

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
