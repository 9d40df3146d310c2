"""How processes share an account: the least cap, turns, and a pause when every key is refused. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import Member, Usage

NO_KEY: Final = "no process has a key that the provider takes"
"""How the reason of a pause begins that is about keys, and not about the balance."""


def shared(usage: Usage, members: Iterable[Member], now: float) -> Usage:
    """Return the account's figures, given all its *members*; those that stopped responding do not count.

    Who waits keeps its turn, and who begins to wait comes last. The account is paused while every living
    member is refused, until one of them is to try again or one with another key comes.
    """
    alive = sorted((m for m in members if m.until > now), key=lambda m: m.owner)
    waiting = [m.owner for m in alive if m.waits_until > now]
    turns = {owner: place for place, owner in enumerate(usage.waiting)}
    waiting.sort(key=lambda owner: turns.get(owner, len(turns)))
    least = min((m.max_slots for m in alive), default=None)
    usage = evolve(usage, members=len(alive), max_slots=least, waiting=tuple(waiting))
    return _paused(usage, alive, now)


def _paused(usage: Usage, alive: Sequence[Member], now: float) -> Usage:
    refused = [m for m in alive if m.refused_until > now]
    if not refused or len(refused) < len(alive):
        is_over = alive and usage.paused_why is not None and usage.paused_why.startswith(NO_KEY)
        return evolve(usage, paused_until=0.0, paused_why=None) if is_over else usage
    first = min(refused, key=lambda m: m.refused_until)
    if first.refused_until <= usage.paused_until:
        return usage
    return evolve(usage, paused_until=first.refused_until, paused_why=f"{NO_KEY}: {first.refused_why}")


def slots_for(owner: str, max_slots: int | None, usage: Usage) -> int | None:
    """Return how many slots may be taken before *owner* takes one more; None for any number.

    One slot is left for each process whose turn comes before.

    >>> slots_for("b", 4, Usage(waiting=("a", "b")))
    3
    >>> slots_for("c", 4, Usage(waiting=("a", "b"), max_slots=3))
    1
    """
    caps = [cap for cap in (max_slots, usage.max_slots) if cap is not None]
    before = usage.waiting.index(owner) if owner in usage.waiting else len(usage.waiting)
    return min(caps) - before if caps else None


def turned(usage: Usage, owner: str) -> Usage:
    """Return the account's figures after *owner* took a slot: its next turn is the last one."""
    if owner not in usage.waiting or len(usage.waiting) == 1:
        return usage
    others = tuple(other for other in usage.waiting if other != owner)
    return evolve(usage, waiting=(*others, owner))
