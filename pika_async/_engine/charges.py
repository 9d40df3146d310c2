"""What an order has cost: what another process did is in the ledger before this one hears of it."""

from __future__ import annotations

from pika_async._engine.desk import Desk
from pika_async._engine.flight import Flight
from pika_async._ledger.standing import spent
from pika_async.errors import Charged, LedgerError


async def charged(desk: Desk, flight: Flight) -> Charged:
    """Return whether an order costs money, as the ledger has it now, if this process did not send it."""
    if not (flight.recorded and desk.ledger.shared):
        return spent(flight.record)
    if desk.outbox.holds(flight.id):
        return "unknown"  # another process may act before the ledger hears what happened here
    try:
        recorded = await desk.ledger.get(flight.id)
    except LedgerError:
        return "unknown"
    return spent(flight.record if recorded is None else recorded)
