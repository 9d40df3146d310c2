"""How much an account may submit now, from what all processes of its ledger did. Pure.

Times are the ledger's wall clock. A 429 halves the pace and waits as long as the provider asks; every submit
that the provider takes speeds it up a little. An empty balance pauses the account.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from pika_async._ledger.events import Claim, Event, Evidence, Refused
from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import Refusal, Usage
from pika_async._ledger.sharing import slots_for, turned

PAUSE = 30.0
"""Seconds for which an empty balance holds what waits on its account; what is asked for anew is tried."""
_SLOWEST = 60.0
_LONGEST_WISH = 3600.0

Reason: TypeAlias = Literal["slots", "pace", "paused", "cap", "cost", "unpriced"]
OUR_CAPS = frozenset({"max_submits", "max_cost", "no_price"})
"""Codes of refusals that are the user's own: the provider's account has money."""


@frozen
class Obstacle:
    """Why a claim is not granted now; *until* is when to ask again, where time alone removes it."""

    reason: Reason
    until: float | None = None
    why: str | None = None


def obstacle(claim: Claim, usage: Usage, now: float) -> Obstacle | None:
    """Return what stands in the way of *claim* on its account, the cheapest to remove last."""
    if claim.max_submits is not None and usage.submits >= claim.max_submits:
        return Obstacle("cap")
    if claim.max_cost is not None:
        if claim.price is None or claim.price.unit != claim.max_cost.unit:
            return Obstacle("unpriced")
        if usage.spent.get(claim.price.unit, 0) + claim.price.micros > claim.max_cost.micros:
            return Obstacle("cost")
    is_older = claim.asked_at <= usage.paused_until - PAUSE
    if now < usage.paused_until and is_older and not claim.despite_pause:
        return Obstacle("paused", usage.paused_until, usage.paused_why)
    if now < (opens_at := max(usage.next_submit_at, usage.held_until)):
        return Obstacle("pace", opens_at)
    slots = slots_for(claim.owner, claim.max_slots, usage)
    if slots is not None and usage.slots >= slots:
        return Obstacle("slots")
    return None


def paced(usage: Usage, event: Event, now: float) -> Usage:
    """Return the account's figures after *event*, which has moved a job; slots are counted elsewhere."""
    match event:
        case Claim():
            faded = max(0.0, usage.recent * (1.0 - min(1.0, max(0.0, now - usage.recent_at))))
            paced_at = (
                max(usage.next_submit_at, now + usage.spacing) if usage.spacing else usage.next_submit_at
            )
            usage = turned(usage, event.owner)
            return evolve(usage, next_submit_at=paced_at, recent=faded + 1.0, recent_at=now)
        case Refused(refusal=Refusal(error="RateLimited", retry_after=wish)):
            return _throttled(usage, now, wish)
        case Refused(refusal=Refusal(error="InsufficientBalance", message=why, code=code)) if (
            code not in OUR_CAPS
        ):
            return evolve(usage, paused_until=now + PAUSE, paused_why=why)
        case Evidence(source="answer") if usage.spacing or usage.paused_until:
            spacing = usage.spacing * 0.95
            return evolve(
                usage, spacing=spacing if spacing >= 0.001 else 0.0, paused_until=0.0, paused_why=None
            )
        case _:
            return usage


def _throttled(usage: Usage, now: float, retry_after: float | None) -> Usage:
    spacing = usage.spacing
    if now >= usage.next_submit_at:
        # Refusals of submits that were under way together count once.
        spacing = min(max(2 * spacing, 2 / max(usage.recent, 1.0)), _SLOWEST)
    wish = spacing if retry_after is None else min(max(retry_after, 0.0), _LONGEST_WISH)
    return evolve(usage, spacing=spacing, next_submit_at=max(usage.next_submit_at, now + wish))
