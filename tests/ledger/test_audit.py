"""What does not agree in a ledger, a sentence each."""

from pika_async._ledger.audit import Audit
from pika_async._ledger.records import AttemptState
from pika_async.results import Task
from tests.ledger.records import ACCOUNT, attempt, job

RUNNING = attempt(state=AttemptState.RUNNING, slot=True, task=Task("t"))


def audited(*jobs):
    """Count *jobs*."""
    audit = Audit()
    for one in jobs:
        audit.add(one)
    return audit


def test_a_sound_ledger_has_nothing_to_tell():
    """Its counts are those of its jobs."""
    audit = audited(job(RUNNING), job(name="k"))
    assert audit.slots == {ACCOUNT: 1}
    assert audit.told({ACCOUNT: 1}, {}) == []


def test_a_count_of_slots_that_no_attempt_explains():
    """A slot that nobody holds is never given back."""
    assert audited(job(RUNNING)).told({ACCOUNT: 3}, {}) == [
        f"Account {ACCOUNT} counts 3 slots, and 1 attempts hold one."
    ]


def test_an_order_that_cannot_be_sent():
    """It waits, and nobody knows for what."""
    assert audited(job(request=None)).told({ACCOUNT: 0}, {}) == [
        "Job j waits to be sent, and its request cannot be read."
    ]


def test_a_task_of_two_jobs():
    """One of them would get the other's video."""
    other = attempt(job_id="k", state=AttemptState.RUNNING, slot=True, task=Task("t"))
    told = audited(job(RUNNING), job(other, name="k")).told({ACCOUNT: 2}, {})
    assert told == [f"A task on {ACCOUNT} is bound twice."]
