"""What must hold before a POST: at the claim, and again at the fence."""

import pytest

from pika_async._ledger.events import Cancel, Sending
from pika_async._ledger.machine import step
from pika_async._ledger.records import AttemptState, JobState, Usage
from pika_async._ledger.times import Times
from pika_async.results import Task
from tests.ledger.records import LATE, OWNER, after, attempt, claim, job, sending, states

S = AttemptState


def test_a_claim_takes_a_slot_and_fixes_all_times() -> None:
    """The claim stores lease, E and slot end, counted from itself."""
    claimed = step(job(), claim(times=Times(deadline=60.0), address="1f"), 1000.0).newest
    assert claimed.address == "1f"
    assert (claimed.state, claimed.slot, claimed.owner, claimed.claimed_at) == (
        S.SUBMITTING,
        True,
        OWNER,
        1000.0,
    )
    assert claimed.lease_until == 1000.0 + 76.0
    assert claimed.resolve_after == 1000.0 + 480.0
    assert claimed.slot_until >= 1000.0 + 5.0 + 1800.0 + 5.0


@pytest.mark.parametrize(
    ("record", "usage"),
    [
        (job(attempt(not_before=LATE + 1)), Usage()),
        (job(), Usage(slots=2)),
        (job(), Usage(submits=9)),
        (job(cancel_requested=True), Usage()),
        (job(state=JobState.FAILED), Usage()),
        (job(attempt(state=S.AMBIGUOUS)), Usage()),
        (job(attempt(2)), Usage()),
    ],
    ids=["not before", "slots", "spending cap", "cancelled", "job closed", "not queued", "unknown attempt"],
)
def test_no_claim_while_its_guard_does_not_hold(record, usage) -> None:
    """Slots, cap, time, job and the row itself each forbid the claim."""
    assert step(record, claim(max_slots=2, max_submits=9), LATE, usage) is record


@pytest.mark.parametrize("caps", [{}, {"max_slots": 3, "max_submits": 10}])
def test_a_claim_below_the_caps_is_granted(caps) -> None:
    """One slot and one submit left are enough, and no cap is no limit."""
    assert step(job(), claim(**caps), LATE, Usage(slots=2, submits=9)).newest.state is S.SUBMITTING


@pytest.mark.parametrize(
    ("sibling", "granted"),
    [
        (attempt(state=S.REFUSED), True),
        (attempt(state=S.FAILED), True),
        (attempt(state=S.CANCELLED), True),
        (attempt(state=S.UNRESOLVED, superseded=True), True),
        (attempt(state=S.AMBIGUOUS, superseded=True), True),
        (attempt(state=S.UNRESOLVED), False),
        (attempt(state=S.UNRESOLVED, abandoned=True), False),
        (attempt(state=S.AMBIGUOUS), False),
        (attempt(state=S.SUBMITTING), False),
        (attempt(state=S.RUNNING, superseded=True), False),
        (attempt(state=S.SUCCEEDED, superseded=True), False),
    ],
)
def test_a_sibling_that_may_have_bought_forbids_the_claim(sibling, granted) -> None:
    """Earlier siblings are refused, failed, never sent, or superseded by a person's word."""
    record = job(sibling, attempt(2))
    assert (step(record, claim(2), LATE) is not record) is granted


def test_the_mark_at_the_fence_is_the_owners_and_made_once() -> None:
    """It is committed before the first byte; nobody else may make it, and not for a cancelled job."""
    record = after(job(), claim())
    assert after(record, Sending(attempt="j-1", owner="another")) is record
    marked = after(record, sending())
    assert (states(marked), marked.newest.slot) == ("sending", True)
    assert after(marked, sending()) is marked
    cancelled = after(record, Cancel())
    assert after(cancelled, sending()) is cancelled


def test_a_sibling_that_came_to_life_forbids_the_mark() -> None:
    """The fence asks everything again that the claim asked."""
    record = job(attempt(state=S.RUNNING, task=Task("t")), attempt(2, state=S.SUBMITTING))
    assert after(record, sending(2)) is record


@pytest.mark.parametrize(
    ("usage", "asked", "granted"),
    [
        (Usage(next_submit_at=LATE + 1), {}, False),
        (Usage(next_submit_at=LATE), {}, True),
        (Usage(paused_until=LATE + 1), {}, False),
        (Usage(paused_until=LATE + 1), {"despite_pause": True}, True),
        (Usage(paused_until=LATE + 1, next_submit_at=LATE + 1), {"despite_pause": True}, False),
    ],
)
def test_a_claim_waits_for_the_accounts_pace_and_pause(usage, asked, granted) -> None:
    """What one process was told by a 429 or an empty balance holds for all."""
    assert (states(step(job(), claim(**asked), LATE, usage)) == "submitting") is granted
