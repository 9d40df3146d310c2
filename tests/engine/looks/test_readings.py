"""What one answer of a look-up tells of one attempt."""

from __future__ import annotations

import pytest
from attrs import evolve

from pika_async._engine.looks.readings import Again, Circumstances, HasEnded, Looked, Seen, read_look
from pika_async._ledger.events import Evidence, Lost, Mismatch
from pika_async._ledger.records import AttemptState
from pika_async.results import Failed, Task
from tests.ledger.records import attempt, failed, pending, succeeded

AT = Circumstances(now=100.0, wall=1000.0, longest_render=1800.0)
RUNNING = attempt(state=AttemptState.RUNNING, slot=True, task=Task("t"), bound_by="answer", claimed_at=900.0)
NO_LINK = Failed(task=Task("t"), reason="no_output")


FRESH = Seen()


def read(found, seen=FRESH, running=RUNNING, **at):
    """Read one answer about a running attempt."""
    return read_look(running, found, seen, evolve(AT, **at))


def test_pending_is_progress_alone():
    """The ledger need not know of it."""
    reading = read(pending())
    assert reading.note == Looked(None)
    assert reading.event is None
    assert reading.progress == pending()


@pytest.mark.parametrize("found", [succeeded(), failed()])
def test_an_end_is_evidence(found):
    """A look-up by id confirms the task, not that it is ours: who bound it stays as it is."""
    reading = read(found)
    assert reading.note == HasEnded()
    assert reading.event == Evidence(attempt=RUNNING.id, snapshot=found, source="answer")


def test_an_echo_of_our_token_is_proof():
    """Once seen it counts for every later look-up."""
    proven = read(pending(), named=RUNNING.id).seen
    assert proven.proven
    assert read(succeeded(), proven).event.source == "echo"


@pytest.mark.parametrize("found", [pending(), succeeded(), failed(), NO_LINK])
def test_another_token_is_a_mismatch(found):
    """Whatever the task brought, it is not ours to give."""
    reading = read(found, named="x-1-y")
    assert reading.event == Mismatch(attempt=RUNNING.id, task="t")
    assert reading.progress is None
    assert read(found, named="").event == reading.event


def test_what_was_proven_has_no_mismatch():
    """What counted once is not doubted again."""
    assert not isinstance(
        read(pending(), running=evolve(RUNNING, bound_by="echo"), named="x").event, Mismatch
    )


@pytest.mark.parametrize("found", [pending(), succeeded(), failed(), NO_LINK])
def test_a_token_whose_task_is_anothers_is_given_up(found):
    """There is no row that could be in doubt, and the video is not its own to give."""
    reading = read(found, named="", adopted=True)
    assert reading.gone
    assert reading.event is reading.progress is None


def test_a_success_without_a_link_is_looked_at_twice():
    """One answer is no proof."""
    first = read(NO_LINK)
    assert (first.event, first.seen.doubted) == (None, True)
    assert read(NO_LINK, first.seen).event.snapshot == NO_LINK


def test_a_task_that_is_missing_again_and_again_is_lost():
    """Five looks in a row over two minutes; one that knows it begins the count anew."""
    seen, lost = Seen(), []
    for number in range(6):
        reading = read(None, seen, now=100.0 + 40.0 * number)
        seen = reading.seen
        lost.append(isinstance(reading.event, Lost))
    assert lost == [False, False, False, False, True, True]
    assert read(pending(), seen).seen.misses == 0


def test_a_task_that_is_missing_for_a_moment_is_not_lost():
    """Neither five quick looks nor two slow ones are enough."""
    quick = slow = FRESH
    for number in range(9):
        reading = read(None, quick, now=100.0 + number)
        quick = reading.seen
        assert reading.event is None
    for number in range(4):
        reading = read(None, slow, now=100.0 + 100.0 * number)
        slow = reading.seen
        assert reading.event is None


def test_what_is_no_task_of_ours_begins_anew():
    """What was counted was about another task."""
    assert read(pending(), Seen(misses=3), named="j-9").seen == FRESH


def test_a_token_whose_task_nobody_knows_is_given_up():
    """It has no row that could be lost."""
    seen = Seen()
    for number in range(5):
        reading = read(None, seen, adopted=True, now=100.0 + 60.0 * number)
        seen = reading.seen
    assert reading.gone
    assert reading.event is None


def test_the_first_sight_of_an_adopted_task_is_evidence():
    """It makes the row."""
    assert read(pending(), adopted=True).event.snapshot == pending()


def test_what_runs_longer_than_any_render_is_lost_and_looked_at_slowly():
    """Nobody vouches for it any more."""
    reading = read(pending(), wall=900.0 + 1801.0)
    assert isinstance(reading.event, Lost)
    assert reading.note == Looked(60.0)


def test_what_runs_as_long_as_a_render_may_is_pending():
    """A second less than the longest."""
    reading = read(pending(), wall=900.0 + 1799.0)
    assert (reading.event, reading.note, reading.progress) == (None, Looked(None), pending())


def test_what_is_lost_already_is_not_lost_again():
    """Nor does a task run again that is too old to be rendered still."""
    unresolved = evolve(RUNNING, state=AttemptState.UNRESOLVED)
    old = read(pending(), running=unresolved, wall=900.0 + 1801.0)
    assert (old.event, old.note) == (None, Looked(60.0))
    missing = read(None, Seen(misses=9, missing_since=0.0), unresolved, now=1000.0)
    assert (missing.event, missing.note) == (None, Looked(60.0))


def test_what_was_lost_and_is_found_runs_again():
    """The provider knows it after all."""
    unresolved = evolve(RUNNING, state=AttemptState.UNRESOLVED)
    assert isinstance(read(pending(), running=unresolved).event, Evidence)


def test_a_new_locator_is_kept():
    """Later look-ups need it."""
    assert read(pending("t", page="2")).event.snapshot.task.locator == {"page": "2"}


def test_another_task_than_was_asked_for_tells_nothing():
    """The adapter mixed them up."""
    assert isinstance(read(pending("other")).note, Again)
    assert read(pending("other")).event is None
