"""What stood in the way of a claim, as the engine is told."""

import pytest

from pika_async._ledger.change import refused_by
from pika_async._ledger.events import Cancel
from pika_async._ledger.pacing import Obstacle
from pika_async._ledger.records import AttemptState, Usage
from tests.ledger.records import attempt, claim, job

NOW = 1000.0
FULL = Usage(slots=1)


def test_a_claim_that_only_the_account_forbids_names_the_obstacle() -> None:
    """The order stays in its line, and knows what to wait for."""
    assert refused_by(job(), claim(max_slots=1), FULL, NOW) == Obstacle("slots")
    paused = Usage(paused_until=NOW + 9, paused_why="empty")
    assert refused_by(job(), claim(), paused, NOW) == Obstacle("paused", NOW + 9, "empty")


@pytest.mark.parametrize(
    ("record", "event"),
    [
        (job(cancel_requested=True), claim(max_slots=1)),
        (job(attempt(state=AttemptState.SUBMITTING)), claim(max_slots=1)),
        (job(attempt(not_before=NOW + 1)), claim(max_slots=1)),
        (job(), claim(7, max_slots=1)),
        (job(), Cancel()),
        (job(), claim()),
    ],
    ids=["cancelled", "not queued", "not yet", "unknown attempt", "no claim", "nothing in the way"],
)
def test_what_the_job_itself_forbids_is_no_obstacle(record, event) -> None:
    """Waiting for the account would not help."""
    assert refused_by(record, event, FULL, NOW) is None
