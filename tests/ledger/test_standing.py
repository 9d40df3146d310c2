"""Where a job stands: the predicates that engine and command line ask."""

import pytest

from pika_async._ledger.events import Abandon, Cancel
from pika_async._ledger.records import AttemptState, JobRecord, JobState, Refusal
from pika_async._ledger.standing import (
    charged,
    frees_its_key,
    in_doubt,
    is_question,
    is_watched,
    keeps_open,
    may_resubmit,
    may_send,
    settled,
    spent,
    under_way,
    unsent,
)
from pika_async.results import Task
from tests.ledger.records import (
    OWNER,
    after,
    attempt,
    claim,
    failed,
    job,
    pending,
    refused,
    succeeded,
    told,
)

S = AttemptState


def test_a_key_is_free_again_only_after_refusals_alone() -> None:
    """An empty balance must not burn an idempotency key; anything else does."""
    assert frees_its_key(after(job(), claim(), refused()))
    assert not frees_its_key(after(job(), claim(), told(1, failed())))
    assert not frees_its_key(after(job(), Cancel()))
    assert not frees_its_key(after(job(attempt(state=S.UNRESOLVED)), Abandon()))


def test_settled_is_closed_with_nothing_open() -> None:
    """A closed job with an abandoned attempt can still be told of a success."""
    assert settled(after(job(), Cancel()))
    assert not settled(job(attempt(state=S.UNRESOLVED, abandoned=True), state=JobState.FAILED))
    assert not settled(job())


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        (attempt(), "no"),
        (attempt(state=S.REFUSED, outcome=Refusal(error="AuthError", message="")), "no"),
        (attempt(state=S.CANCELLED), "no"),
        (attempt(state=S.SUBMITTING), "unknown"),
        (attempt(state=S.UNRESOLVED), "unknown"),
        (attempt(state=S.UNRESOLVED, task=Task("t")), "yes"),
        (attempt(state=S.RUNNING, task=Task("t")), "yes"),
        (attempt(state=S.FAILED, task=Task("t"), outcome=failed()), "unknown"),
    ],
)
def test_charged_never_calls_money_safe_when_it_is_not(row, answer) -> None:
    """Only what was never sent, or provably refused, is free."""
    assert charged(row) == answer


@pytest.mark.parametrize(
    ("record", "answer"),
    [
        (job(), "no"),
        (job(attempt(state=S.REFUSED), attempt(2, state=S.SUBMITTING)), "unknown"),
        (job(attempt(state=S.UNRESOLVED), attempt(2, state=S.RUNNING, task=Task("t"))), "yes"),
        (job(extras=(pending(),)), "yes"),
        (job(extras=(succeeded(),)), "yes"),
        (job(extras=(failed(),)), "unknown"),
    ],
)
def test_a_job_costs_what_its_attempts_and_further_tasks_cost(record, answer) -> None:
    """The worst of it: one paid task makes a paid job."""
    assert spent(record) == answer


@pytest.mark.parametrize(
    ("record", "free"),
    [
        (job(), True),
        (job(attempt(state=S.REFUSED), attempt(2)), True),
        (job(attempt(state=S.SUBMITTING)), False),
        (job(attempt(state=S.UNRESOLVED, superseded=True), attempt(2)), False),
        (job(state=JobState.CANCELLED), False),
    ],
)
def test_only_what_was_never_on_its_way_may_be_given_up_for_free(record, free) -> None:
    """A claim may have been sent, whoever made it."""
    assert unsent(record) is free


def places(record: JobRecord) -> tuple[int | None, bool]:
    doubtful = in_doubt(record)
    return None if doubtful is None else doubtful.number, under_way(record)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (job(), (None, True)),
        (job(attempt(state=S.UNRESOLVED)), (1, False)),
        (job(attempt(state=S.UNRESOLVED), attempt(2, state=S.UNRESOLVED)), (2, False)),
        (job(attempt(state=S.UNRESOLVED), attempt(2, state=S.AMBIGUOUS)), (None, True)),
        (job(attempt(state=S.FAILED)), (None, False)),
    ],
)
def test_a_person_is_asked_when_nothing_else_may_bring_the_video(record, expected) -> None:
    """The newest doubt counts, and none while another attempt is under way."""
    assert places(record) == expected


def test_looks_go_to_tasks_that_may_still_change() -> None:
    """A running task, or one that was lost; never what is over or has no task."""
    task = {"task": Task("t")}
    assert is_watched(attempt(state=S.RUNNING, **task))
    assert is_watched(attempt(state=S.UNRESOLVED, **task))
    assert not is_watched(attempt(state=S.SUCCEEDED, **task))
    assert not is_watched(attempt(state=S.AMBIGUOUS))


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        (attempt(state=S.SUBMITTING, owner="another"), True),
        (attempt(state=S.SUBMITTING), False),
        (attempt(state=S.AMBIGUOUS), True),
        (attempt(state=S.UNRESOLVED, task=Task("t")), False),
        (attempt(state=S.UNRESOLVED, task=Task("t"), slot=True), True),
        (attempt(state=S.RUNNING, task=Task("t")), False),
        (attempt(), False),
    ],
)
def test_a_question_is_what_only_time_history_or_another_process_answers(row, answer) -> None:
    """An own POST under way answers for itself."""
    assert is_question(row, OWNER) is answer


def test_only_open_attempts_keep_a_job_open() -> None:
    """But for one that a person has given up."""
    assert keeps_open(attempt())
    assert keeps_open(attempt(state=S.UNRESOLVED))
    assert not keeps_open(attempt(state=S.UNRESOLVED, abandoned=True))
    assert not keeps_open(attempt(state=S.REFUSED))


def test_the_fence_asks_what_the_claim_asked() -> None:
    """A sibling's success, a cancel or the job's end forbid the POST as they forbid the claim."""
    second = attempt(2, state=S.SUBMITTING)
    refused_first = job(attempt(state=S.REFUSED), second)
    assert may_send(refused_first, second)
    assert not may_send(job(attempt(state=S.SUCCEEDED, task=Task("t")), second), second)
    assert not may_send(job(attempt(state=S.REFUSED), second, cancel_requested=True), second)
    assert not may_send(job(attempt(state=S.REFUSED), second, state=JobState.FAILED), second)


def test_a_word_orders_again_only_what_is_in_doubt() -> None:
    """Of one attempt by name, or of any."""
    record = job(attempt(state=S.UNRESOLVED, superseded=True), attempt(2, state=S.UNRESOLVED))
    assert may_resubmit(record)
    assert may_resubmit(record, "j-2")
    assert not may_resubmit(record, "j-1")
    assert not may_resubmit(job())
