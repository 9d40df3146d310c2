"""What evidence does, whoever brings it, and what happens when two rows claim one task."""

import pytest
from attrs import evolve

from pika_async._ledger.events import (
    Cancel,
    Evidence,
    Lost,
    Unbind,
)
from pika_async._ledger.machine import settle
from pika_async._ledger.records import AttemptState, JobState, Usage
from pika_async.results import Task
from tests.ledger.records import (
    ACCOUNT,
    LATE,
    after,
    attempt,
    claim,
    failed,
    job,
    pending,
    refused,
    states,
    succeeded,
    told,
)

S = AttemptState
UNANSWERED = [S.SUBMITTING, S.AMBIGUOUS, S.UNRESOLVED]


@pytest.mark.parametrize("state", [S.QUEUED, S.SUBMITTING, S.AMBIGUOUS, S.UNRESOLVED, S.REFUSED, S.CANCELLED])
@pytest.mark.parametrize("source", ["answer", "echo"])
def test_evidence_binds_whatever_state_the_row_is_in(state, source) -> None:
    """Evidence that reaches us is never dropped, not even for a row thought unsent or refused."""
    record = after(job(attempt(state=state)), told(1, pending(), source))
    bound = record.newest
    assert (bound.state, bound.slot, bound.task, bound.bound_by) == (S.RUNNING, True, Task("t"), source)


@pytest.mark.parametrize("source", ["answer", "callback"])
def test_evidence_cancels_queued_siblings(source) -> None:
    """What was paid is not bought again."""
    record = after(job(attempt(state=S.UNRESOLVED, superseded=True), attempt(2)), told(1, pending(), source))
    assert states(record) == "running cancelled"


def test_a_first_success_wins_the_job_and_frees_its_slot() -> None:
    """Job rule 1."""
    record = after(job(attempt(state=S.RUNNING, slot=True, task=Task("t"))), told(1, succeeded()))
    assert (record.state, record.winner, record.newest.slot) == (JobState.SUCCEEDED, "j-1", False)
    assert record.newest.outcome == succeeded()


def test_a_held_answer_goes_from_submitting_to_the_end() -> None:
    """The POST's own answer may already be final."""
    assert after(job(), claim(), told(1, succeeded())).state is JobState.SUCCEEDED
    assert after(job(), claim(), told(1, failed())).state is JobState.FAILED


def test_an_unresolved_task_that_is_alive_runs_again() -> None:
    """A look-up that finds it brings it back."""
    lost = after(
        job(attempt(state=S.RUNNING, slot=True, task=Task("t"), bound_by="answer")), Lost(attempt="j-1")
    )
    assert (states(lost), lost.newest.task) == ("unresolved", Task("t"))
    assert states(after(lost, told(1, pending(), "echo"))) == "running"


def test_locators_are_merged_and_the_better_source_is_remembered() -> None:
    """A task's earlier locator stays valid, and an echo is proof that no answer or callback takes away."""
    record = after(
        job(attempt(state=S.AMBIGUOUS)),
        told(1, pending(a="1"), "callback"),
        told(1, pending(b="2"), "answer"),
    )
    assert record.newest.bound_by == "answer"
    record = after(record, told(1, pending(), "echo"), told(1, pending(c="3"), "answer"))
    assert record.newest.task == Task("t", {"a": "1", "b": "2", "c": "3"})
    assert record.newest.bound_by == "echo"


def test_the_same_news_twice_changes_nothing() -> None:
    """A poll that finds what is known writes nothing."""
    record = after(job(), claim(), told(1, pending()))
    assert after(record, told(1, pending())) is record


def test_final_rows_stay() -> None:
    """Neither a later failure nor an older word moves an end."""
    record = after(job(), claim(), told(1, succeeded()))
    for late in (told(1, failed()), told(1, pending()), refused(), Lost(attempt="j-1"), Cancel()):
        assert after(record, late) is record


def test_a_success_after_the_same_tasks_failure_is_an_extra() -> None:
    """A final row stays, and a paid video is still shown."""
    record = after(job(), claim(), told(1, failed()), told(1, succeeded()))
    assert (states(record), record.state, record.extras) == ("failed", JobState.FAILED, (succeeded(),))


def test_another_paid_task_of_a_final_row_is_an_extra() -> None:
    """While it runs and when it ends; a task is one extra, and its end stays."""
    record = after(job(), claim(), told(1, succeeded()), told(1, pending("t2"), "echo"))
    assert record.extras == (pending("t2"),)
    record = after(record, told(1, succeeded("t2"), "echo"))
    assert record.extras == (succeeded("t2"),)
    assert after(record, told(1, failed("t2"), "echo")) is record
    assert after(record, told(1, pending("t2"), "echo")) is record
    assert after(record, told(1, failed("t3"), "echo")).extras == (succeeded("t2"), failed("t3"))


def test_a_second_task_of_a_running_row_is_an_extra() -> None:
    """Two tasks bear our token: both may be paid, so neither is dropped."""
    record = after(job(), claim(), told(1, pending("t2"), "echo"), told(1, pending("t1"), "answer"))
    assert (record.newest.task, record.extras) == (Task("t2"), (pending("t1"),))


def test_evidence_without_its_row_makes_the_row() -> None:
    """A restored ledger may have lost the attempt that a verified token names."""
    evidence = Evidence(attempt="j-9", snapshot=succeeded(), source="echo", account=ACCOUNT)
    record = after(job(), evidence)
    assert (states(record), record.state, record.winner) == ("cancelled succeeded", JobState.SUCCEEDED, "j-9")
    assert record.newest.number == 2


def test_evidence_of_an_unknown_attempt_needs_an_account() -> None:
    """Nothing is made up about a row nobody knows."""
    record = job()
    assert after(record, told(7, succeeded())) is record


@pytest.mark.parametrize("state", [s for s in S if s not in {S.AMBIGUOUS, S.UNRESOLVED}])
def test_a_bare_callback_waits_while_anything_better_may_come(state) -> None:
    """A callback by bare token binds from ambiguous and unresolved alone."""
    record = job(attempt(state=state))
    assert after(record, told(1, succeeded(), "callback")) is record


def test_a_bare_callback_binds_what_nobody_answered() -> None:
    """... and then ends the job like any other evidence."""
    record = after(job(attempt(state=S.AMBIGUOUS)), told(1, pending(), "callback"))
    assert record.newest.bound_by == "callback"
    assert after(record, told(1, succeeded(), "callback")).state is JobState.SUCCEEDED


def test_the_posts_own_answer_outranks_a_callback() -> None:
    """A task bound by a callback gives way to the one that the answer names."""
    record = after(job(attempt(state=S.AMBIGUOUS)), told(1, pending("wrong"), "callback"))
    record = after(record, told(1, pending("right"), "answer"))
    assert (record.newest.task, record.newest.bound_by, record.extras) == (Task("right"), "answer", ())


def bound_by_callback(number: int = 1, job_id: str = "other"):
    return job(
        attempt(number, job_id=job_id, state=S.RUNNING, slot=True, task=Task("t"), bound_by="callback"),
        name=job_id,
    )


def test_a_conflict_sends_the_row_bound_by_callback_back_to_ambiguous() -> None:
    """The task goes to the row whose own answer names it."""
    record, freed = settle(after(job(), claim()), told(1, pending()), LATE, Usage(), bound_by_callback())
    assert record.newest.task == Task("t")
    assert freed is not None
    assert (states(freed), freed.newest.task, freed.newest.slot) == ("ambiguous", None, True)


def test_a_conflict_inside_one_job_moves_the_task() -> None:
    """Two attempts of one job: the task is bound once, and both changes are kept."""
    first = attempt(state=S.RUNNING, superseded=True, task=Task("t"), bound_by="callback")
    record = job(first, attempt(2, state=S.SUBMITTING))
    record, other = settle(record, told(2, pending()), LATE, Usage(), record)
    assert (states(record), other) == ("ambiguous running", None)
    assert [a.task for a in record.attempts] == [None, Task("t")]


@pytest.mark.parametrize(
    ("holder", "source", "shown"),
    [
        (evolve(bound_by_callback().newest, state=S.SUCCEEDED), "answer", True),
        (evolve(bound_by_callback().newest, bound_by="answer"), "answer", True),
        (evolve(bound_by_callback().newest, bound_by="echo"), "echo", True),
        (bound_by_callback().newest, "callback", False),
    ],
    ids=["final", "answered", "proven", "a callback of a callback's"],
)
def test_a_task_that_stays_anothers_is_bound_once(holder, source, shown) -> None:
    """What two rows claim is shown on the second one, unless only a bare callback says so."""
    record = job(attempt(state=S.AMBIGUOUS))
    kept, freed = settle(record, told(1, succeeded(), source), LATE, Usage(), job(holder, name="other"))
    assert freed is None
    assert (states(kept), kept.extras) == ("ambiguous", (succeeded(),) if shown else ())


def test_a_siblings_task_is_no_extra() -> None:
    """One task of one job counts once, whichever attempt it is told of."""
    record = job(attempt(state=S.RUNNING, task=Task("t"), bound_by="answer"), attempt(2, state=S.SUBMITTING))
    assert settle(record, told(2, pending()), LATE, Usage(), record) == (record, None)


def test_only_evidence_meets_a_holder() -> None:
    """Other events, and the row's own task, are plain steps."""
    record = after(job(), claim(), told(1, pending()))
    assert settle(record, Cancel(), LATE, Usage(), record)[0].cancel_requested
    assert settle(record, told(1, succeeded()), LATE, Usage(), record)[0].state is JobState.SUCCEEDED


@pytest.mark.parametrize("source", ["callback", "answer"])
def test_an_echo_takes_a_task_from_whoever_had_it_without_proof(source) -> None:
    """A stray answer on a reused connection named another job's task: it goes back to its owner."""
    holder = job(evolve(bound_by_callback().newest, bound_by=source), name="other")
    record, freed = settle(job(attempt(state=S.AMBIGUOUS)), told(1, pending(), "echo"), LATE, Usage(), holder)
    assert (record.newest.task, record.newest.bound_by) == (Task("t"), "echo")
    assert freed is not None
    assert (states(freed), freed.newest.task) == ("ambiguous", None)


@pytest.mark.parametrize(("source", "undone"), [("callback", True), ("answer", True), ("echo", False)])
def test_only_what_was_bound_without_proof_is_undone(source, undone) -> None:
    """Unbind is for rows whose task no echo has confirmed."""
    record = job(attempt(state=S.RUNNING, task=Task("t"), bound_by=source))
    assert (after(record, Unbind(attempt="j-1")) is not record) is undone
