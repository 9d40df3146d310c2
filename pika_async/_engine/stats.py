"""What each account is doing, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from attrs import frozen

from pika_async._crossing import Value
from pika_async._engine.attendance import Crew
from pika_async._engine.desk import Desk
from pika_async._engine.lines import Lines
from pika_async._engine.looks.looks import Looks
from pika_async._ledger.standing import in_doubt


@frozen(kw_only=True)
class AccountStats(Value):
    """What an account is doing: jobs *queued* and *in_flight* of *max_concurrency*, POSTs *on_the_wire*.

    *polled* counts tasks under look-up, *poll_lag* is how late the most overdue look is, in seconds;
    *polls* says whether this process does the look-ups of the account, *poller* which one does where several
    share the ledger. Of all of them, *workers* is how many send, *places* how many tasks workers run at once,
    *oldest_queued* for how many seconds an order has waited; these are at most ten seconds old while jobs are
    under way, and 0 or None for a ledger in memory. *submit_spacing* is the pace that a
    429 left, in seconds between submits. *unresolved* counts jobs of this process that only a person can
    settle; *oldest_unresolved* is the age of the oldest such order, in seconds. *outbox_age* is for how many
    seconds something learned has waited for the ledger; *paused* says why nothing moves.
    """

    queued: int
    in_flight: int
    max_concurrency: int
    on_the_wire: int
    polled: int
    polls: bool
    poll_lag: float
    workers: int
    places: int
    oldest_queued: float | None
    poller: str | None
    submit_spacing: float
    unresolved: int
    oldest_unresolved: float | None
    outbox_age: float | None
    paused: str | None


def stats(
    desk: Desk, lines: Lines, looks: Mapping[str, Looks], crews: Mapping[str, Crew]
) -> Mapping[str, AccountStats]:
    """Return what each account is doing now; *crews* are the processes that share it."""
    wall = desk.ledger.now()
    ages: dict[str, float] = {}
    doubts: Counter[str] = Counter()
    for flight in desk.flights.values():
        if (doubtful := in_doubt(flight.record)) is not None:
            age = wall - (doubtful.claimed_at or wall)
            doubts[doubtful.account] += 1
            ages[doubtful.account] = max(age, ages.get(doubtful.account, 0.0))
    found = {}
    for key, account in desk.accounts.items():
        line, looked, refused = lines[key], looks[key], account.refused_look
        crew = crews.get(key, Crew())
        oldest = crew.oldest_queued
        found[key] = AccountStats(
            queued=len(line),
            in_flight=line.slots + line.claiming,
            max_concurrency=line.limit,
            on_the_wire=line.on_the_wire,
            polled=len(looked),
            polls=looked.leading,
            poll_lag=looked.lag if looked.leading else crew.lag,
            workers=crew.workers,
            places=crew.places,
            oldest_queued=None if oldest is None else max(0.0, wall - oldest),
            poller=crew.poller,
            submit_spacing=line.usage.spacing,
            unresolved=doubts[key],
            oldest_unresolved=ages.get(key),
            outbox_age=desk.outbox.age,
            paused=refused.message if refused is not None else line.paused(wall),
        )
    return found
