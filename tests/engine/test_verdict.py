"""What a record means to the person who waits."""

from __future__ import annotations

import pytest

from pika_async import errors
from pika_async._engine.verdict import in_doubt, job_failed, outcome, refusal_of, unresolved
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Refusal
from pika_async.errors import JobFailed, JobUnresolved, PikaError, RateLimited, SubmitRefused
from pika_async.provider import REFUSALS
from pika_async.results import Failed, State, Succeeded, Task, VideoResult

TASK = Task("t1")
VIDEO = Succeeded(
    task=TASK, results=(VideoResult("t1", "https://media.test/1", None, None, State.SUCCEEDED),)
)


def job(*attempts, state=JobState.OPEN, **changes):
    """Make a record whose attempts are given as (state, changes)."""
    rows = tuple(
        Attempt(id=f"j-{n}", job_id="j", number=n, account="demo:default", state=at, **more)
        for n, (at, more) in enumerate(attempts, 1)
    )
    return JobRecord(id="j", request=None, created_at=0.0, attempts=rows, state=state, **changes)


@pytest.mark.parametrize("state", [s for s in AttemptState if s is not AttemptState.UNRESOLVED])
def test_an_open_job_has_no_outcome(state):
    """Whatever its attempt is doing, unless only a person can go on."""
    assert outcome(job((state, {}))) is None


def test_a_succeeded_job_gives_its_winner():
    """The first committed success, whatever came later."""
    record = job(
        (AttemptState.SUCCEEDED, {"outcome": VIDEO}),
        (AttemptState.FAILED, {"outcome": Failed(task=Task("t2"))}),
        state=JobState.SUCCEEDED,
        winner="j-1",
    )
    assert outcome(record) == VIDEO


def test_a_cancelled_job_was_not_bought():
    """The error says so."""
    error = outcome(job((AttemptState.CANCELLED, {}), state=JobState.CANCELLED))
    assert isinstance(error, PikaError)
    assert error.charged == "no"
    assert "before it was bought" in error.message


@pytest.mark.parametrize(
    ("attempt", "cost"),
    [
        ((AttemptState.REFUSED, {}), "no"),
        ((AttemptState.FAILED, {"task": TASK}), "yes"),
        ((AttemptState.FAILED, {"task": TASK, "outcome": Failed(task=TASK, charged="no")}), "no"),
        ((AttemptState.UNRESOLVED, {}), "unknown"),
    ],
)
def test_a_cancelled_job_tells_what_it_cost(attempt, cost):
    """The word to cancel may come after the money went."""
    assert outcome(job(attempt, state=JobState.CANCELLED)).charged == cost


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_is_raised_as_it_was(kind):
    """Through the ledger and back: the kind, the words, and what helps the provider's support."""
    said = kind("The provider said no.", code="c", status=422, trace_id="trace")
    if isinstance(said, RateLimited):
        said.retry_after = 7.0
    record = job((AttemptState.REFUSED, {"outcome": refusal_of(said)}), state=JobState.FAILED)
    error = outcome(record)
    assert type(error) is kind
    assert (error.message, error.code, error.status, error.trace_id) == (said.message, "c", 422, "trace")
    assert (error.charged, error.phase, error.provider) == ("no", "submit", "demo")
    assert error.retryable == said.retryable
    assert getattr(error, "retry_after", None) == getattr(said, "retry_after", None)


@pytest.mark.parametrize("name", ["NoSuchError", "annotations", "Phase", "TYPE_CHECKING", "JobTimeout"])
def test_a_refusal_of_an_unknown_kind_is_still_a_refusal(name):
    """A ledger may have been written by another version, or by a stranger's adapter."""
    refusal = Refusal(error=name, message="The provider said no.")
    error = outcome(job((AttemptState.REFUSED, {"outcome": refusal}), state=JobState.FAILED))
    assert isinstance(error, PikaError)
    assert error.charged == "no"
    assert "no" in error.message


def test_the_last_word_counts():
    """After several attempts the newest outcome is told."""
    record = job(
        (AttemptState.REFUSED, {"outcome": Refusal(error="RateLimited", message="first")}),
        (AttemptState.FAILED, {"outcome": Failed(task=TASK, reason="content", message="second")}),
        state=JobState.FAILED,
    )
    error = outcome(record)
    assert isinstance(error, JobFailed)
    assert "second" in error.message


def test_a_failed_job_without_a_reason_was_never_accepted():
    """There is nothing to tell but that."""
    assert isinstance(outcome(job((AttemptState.REFUSED, {}), state=JobState.FAILED)), SubmitRefused)


@pytest.mark.parametrize(
    ("reason", "advice"),
    [("content", "change the prompt"), ("no_output", "support"), ("provider", "try again")],
)
@pytest.mark.parametrize("charged", ["no", "yes", "unknown"])
def test_a_failure_says_who_must_act(reason, advice, charged):
    """And what it cost, as far as the provider tells."""
    failed = Failed(
        task=TASK, reason=reason, message="Bad luck.", code="c", charged=charged, trace_id="trace"
    )
    error = job_failed(failed, "demo")
    assert advice in error.message
    assert "(Bad luck)" in error.message
    assert (error.charged, error.trace_id, error.code, error.provider) == (charged, "trace", "c", "demo")
    assert job_failed(Failed(task=TASK, reason=reason), "demo").code == reason


def test_unresolved_names_the_command_and_what_is_known():
    """A forgotten task was paid; without a task nobody knows."""
    forgotten = unresolved(job((AttemptState.UNRESOLVED, {"task": TASK})).newest)
    doubtful = unresolved(job((AttemptState.UNRESOLVED, {})).newest)
    assert "t1" in forgotten.message
    assert (forgotten.charged, doubtful.charged) == ("yes", "unknown")
    for error in (forgotten, doubtful):
        assert isinstance(error, JobUnresolved)
        assert "`pika-async resolve`" in error.message
        assert error.provider == "demo"


@pytest.mark.parametrize(
    "state",
    [AttemptState.QUEUED, AttemptState.SUBMITTING, AttemptState.AMBIGUOUS, AttemptState.RUNNING],
)
def test_a_job_with_an_attempt_under_way_is_not_in_doubt(state):
    """Whether the older or the newer one is unresolved, the other may still bring the video."""
    for attempts in ((AttemptState.UNRESOLVED, state), (state, AttemptState.UNRESOLVED)):
        record = job(*((at, {}) for at in attempts))
        assert in_doubt(record) is None
        assert outcome(record) is None


def test_a_job_whose_other_attempts_are_over_is_in_doubt():
    """The unresolved attempt is the one to settle, wherever it stands."""
    for attempts in (
        (AttemptState.UNRESOLVED, AttemptState.CANCELLED),
        (AttemptState.REFUSED, AttemptState.UNRESOLVED),
    ):
        record = job(*((at, {}) for at in attempts))
        assert in_doubt(record).state is AttemptState.UNRESOLVED
        assert isinstance(outcome(record), JobUnresolved)


def test_every_public_error_can_be_made_from_a_message():
    """As `outcome` does with the ones a ledger names."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PikaError)]
    assert len(kinds) > 10
    for kind in kinds:
        assert kind("word").message == "word"
