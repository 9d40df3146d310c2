"""Every move that no other file has, and every job rule."""

import pytest
from attrs import evolve

from pika_async._ledger.events import Abandon, Cancel, Evidence, Lost, Mismatch, Restored, SlotOver, Unknown
from pika_async._ledger.machine import account_of, step
from pika_async._ledger.records import AttemptState, JobState
from pika_async.results import Succeeded, Task
from tests.ledger.records import (
    ACCOUNT,
    OWNER,
    after,
    attempt,
    claim,
    failed,
    job,
    nothing,
    pending,
    refused,
    resubmit,
    states,
    succeeded,
    told,
)

S = AttemptState


def test_only_the_owner_and_only_once_says_that_the_outcome_is_unknown() -> None:
    """Whatever else came of the POST is a doubt, and the slot stays taken."""
    record = after(job(), claim())
    assert after(record, Unknown(attempt="j-1", owner="another")) is record
    ambiguous = after(record, Unknown(attempt="j-1", owner=OWNER))
    assert (states(ambiguous), ambiguous.newest.slot) == ("ambiguous", True)
    assert after(ambiguous, Unknown(attempt="j-1", owner=OWNER)) is ambiguous


def test_unresolved_needs_two_negatives_sent_after_the_grace() -> None:
    """Look-ups sent earlier do not count, whenever they end."""
    record = job(attempt(state=S.AMBIGUOUS, resolve_after=100.0))
    assert step(record, nothing(sent_at=99.0), 100.0) is record
    assert step(record, nothing(sent_at=100.0), 500.0) is record
    once = step(record, nothing(sent_at=101.0), 500.0)
    assert states(once) == "ambiguous"
    assert states(step(once, nothing(sent_at=102.0), 500.0)) == "unresolved"


def test_where_there_is_no_history_the_grace_alone_decides() -> None:
    """Nothing else could tell more."""
    record = job(attempt(state=S.AMBIGUOUS, resolve_after=100.0))
    assert step(record, nothing(sent_at=None), 100.0) is record
    assert states(step(record, nothing(sent_at=None), 100.1)) == "unresolved"


@pytest.mark.parametrize("record", [job(attempt(state=S.SUBMITTING)), job(attempt(2, state=S.AMBIGUOUS))])
def test_negatives_say_nothing_about_other_rows(record) -> None:
    """They are about ambiguous rows."""
    assert after(record, nothing()) is record


@pytest.mark.parametrize("state", [s for s in S if s is not S.RUNNING])
def test_only_running_tasks_get_lost(state) -> None:
    """Every other row stays as it is."""
    record = job(attempt(state=state))
    assert after(record, Lost(attempt="j-1")) is record


def test_cancel_before_sending_ends_the_job() -> None:
    """Nothing was bought, and nothing will be."""
    record = after(job(), Cancel())
    assert (states(record), record.state, record.version) == ("cancelled", JobState.CANCELLED, 1)


def test_resubmit_supersedes_and_queues() -> None:
    """The old attempt keeps its slot, and the new one may be claimed."""
    record = after(job(attempt(state=S.UNRESOLVED, slot=True)), resubmit(2))
    assert states(record) == "unresolved queued"
    assert (record.attempts[0].superseded, record.attempts[0].slot) == (True, True)
    assert after(record, claim(2)).newest.state is S.SUBMITTING


@pytest.mark.parametrize(
    "record",
    [
        *(job(attempt(state=s)) for s in S if s is not S.UNRESOLVED),
        job(attempt(state=S.UNRESOLVED, superseded=True)),
        job(attempt(state=S.UNRESOLVED, abandoned=True)),
        job(attempt(state=S.UNRESOLVED), state=JobState.FAILED),
        job(attempt(state=S.UNRESOLVED), cancel_requested=True),
        *(
            job(attempt(state=S.UNRESOLVED), attempt(2, state=s))
            for s in (S.QUEUED, S.SUBMITTING, S.AMBIGUOUS, S.RUNNING)
        ),
    ],
)
def test_resubmit_is_for_open_jobs_in_doubt(record) -> None:
    """Never beside a live sibling, never twice, never after abandon, cancel or the job's end."""
    assert after(record, resubmit(3)) is record


def test_a_word_about_one_attempt_spreads_to_no_other() -> None:
    """A repeated word about the first attempt does not resubmit the second."""
    record = after(job(attempt(state=S.UNRESOLVED)), resubmit(2, "j-1"), claim(2))
    record = after(record, Unknown(attempt="j-2", owner=OWNER), nothing(2), nothing(2))
    assert states(record) == "unresolved unresolved"
    assert after(record, resubmit(3, "j-1")) is record
    assert states(after(record, resubmit(3, "j-2"))) == "unresolved unresolved queued"


def test_resubmit_reaches_an_attempt_that_is_not_the_newest() -> None:
    """The newest may have been cancelled by evidence about an older one, lost since."""
    record = job(attempt(state=S.UNRESOLVED, task=Task("t")), attempt(2, state=S.CANCELLED))
    record = after(record, resubmit(3), claim(3))
    assert states(record) == "unresolved cancelled submitting"


def test_abandon_keeps_the_slot_and_the_job() -> None:
    """Job rule 3: a word that stops asking, not an end."""
    record = after(job(attempt(state=S.UNRESOLVED, slot=True)), Abandon())
    assert (record.newest.abandoned, record.newest.slot, record.state) == (True, True, JobState.OPEN)
    assert after(record, Abandon()) is record


@pytest.mark.parametrize("state", [s for s in S if s is not S.UNRESOLVED])
def test_abandon_is_for_unresolved_attempts(state) -> None:
    """Every other row stays as it is."""
    record = job(attempt(state=state))
    assert after(record, Abandon()) is record
    assert after(record, Abandon(attempt="j-1")) is record


@pytest.mark.parametrize("state", [S.AMBIGUOUS, S.UNRESOLVED])
def test_a_slot_ends_when_whatever_was_sent_must_have_ended(state) -> None:
    """Not before, and in both kinds of doubt."""
    record = job(attempt(state=state, slot=True, slot_until=200.0))
    assert step(record, SlotOver(attempt="j-1"), 200.0) is record
    assert step(record, SlotOver(attempt="j-1"), 200.1).newest.slot is False


@pytest.mark.parametrize(
    "record",
    [
        job(attempt(state=S.RUNNING, slot=True)),
        job(attempt(state=S.SUBMITTING, slot=True)),
        job(attempt(state=S.UNRESOLVED)),
    ],
)
def test_no_other_slot_is_taken_away(record) -> None:
    """Only ambiguous and unresolved rows lose theirs with time."""
    assert after(record, SlotOver(attempt="j-1")) is record


@pytest.mark.parametrize("end", [S.REFUSED, S.FAILED, S.CANCELLED])
def test_an_unresolved_attempt_keeps_its_job_open(end) -> None:
    """Job rule 2, until a person gives the word."""
    record = job(attempt(state=S.UNRESOLVED, superseded=True), attempt(2, state=S.SUBMITTING))
    ended = after(record, refused(2))
    assert ended.state is JobState.OPEN
    assert after(ended, Abandon()).state is JobState.FAILED


def test_abandoned_is_not_final() -> None:
    """Job rule 3: late success wins, late failure fails."""
    record = after(job(attempt(state=S.UNRESOLVED)), Abandon())
    assert after(record, told(1, succeeded(), "echo")).state is JobState.SUCCEEDED
    assert after(record, told(1, failed(), "echo")).state is JobState.FAILED


def test_an_abandoned_job_stays_open_behind_a_sibling_that_was_never_sent() -> None:
    """Job rule 3: a cancelled sibling is no end that a late success would have to overtake."""
    record = job(attempt(state=S.UNRESOLVED, task=Task("t")), attempt(2, state=S.CANCELLED))
    record = after(record, Abandon())
    assert record.state is JobState.OPEN
    assert after(record, told(1, succeeded())).state is JobState.SUCCEEDED


@pytest.mark.parametrize("end", [JobState.FAILED, JobState.CANCELLED])
def test_a_success_after_the_end_is_an_extra(end) -> None:
    """Job rule 4."""
    record = after(job(attempt(state=S.UNRESOLVED, abandoned=True), state=end), told(1, succeeded(), "echo"))
    assert (record.state, record.winner, record.extras) == (end, None, (succeeded(),))


def test_cancel_while_submitting_blocks_the_retry() -> None:
    """Job rule 5: the flag is stored, and a refusal then ends the job."""
    record = after(job(), claim(), Cancel())
    assert (states(record), record.cancel_requested, record.state) == ("submitting", True, JobState.OPEN)
    assert after(record, Cancel()) is record
    assert after(record, refused(following=2)).state is JobState.CANCELLED
    assert after(record, told(1, succeeded())).state is JobState.SUCCEEDED


def test_a_restored_ledger_doubts_what_it_calls_unsent_and_nothing_else() -> None:
    """Queued and submitting become ambiguous until a word; every other row speaks for itself."""
    for state in (S.QUEUED, S.SUBMITTING):
        assert states(after(job(attempt(state=state)), Restored(attempt="j-1"))) == "ambiguous"
    for state in (s for s in S if s not in {S.QUEUED, S.SUBMITTING}):
        record = job(attempt(state=state))
        assert after(record, Restored(attempt="j-1")) is record


@pytest.mark.parametrize("source", ["callback", "answer"])
@pytest.mark.parametrize("state", [S.RUNNING, S.UNRESOLVED])
def test_a_look_up_that_echoes_another_token_frees_the_task(source, state) -> None:
    """The POST's own answer was a stranger's: whatever was bought keeps its slot and is searched for."""
    record = job(attempt(state=state, slot=True, task=Task("t"), bound_by=source))
    freed = after(record, Mismatch(attempt="j-1", task="t"))
    assert (states(freed), freed.newest.task, freed.newest.bound_by, freed.newest.slot) == (
        "ambiguous",
        None,
        None,
        True,
    )
    assert freed.newest.version == record.newest.version + 1
    assert after(freed, Mismatch(attempt="j-1", task="t")) is freed


@pytest.mark.parametrize(
    "record",
    [
        job(attempt(state=S.RUNNING, task=Task("t"), bound_by="echo")),
        job(attempt(state=S.RUNNING, task=Task("other"), bound_by="answer")),
        job(attempt(state=S.SUCCEEDED, task=Task("t"), bound_by="answer")),
        job(attempt(state=S.AMBIGUOUS)),
    ],
    ids=["proven", "another task", "over", "no task"],
)
def test_a_mismatch_says_nothing_about_other_rows(record) -> None:
    """What an echo has proven stays, and so does an end."""
    assert after(record, Mismatch(attempt="j-1", task="t")) is record


def test_an_event_concerns_the_account_of_its_attempt() -> None:
    """Slots and tasks belong to the account of the attempt, which fallback may change from row to row."""
    record = job(evolve(attempt(state=S.REFUSED), account="a:x"), attempt(2))
    assert account_of(record, claim(1)) == "a:x"
    assert account_of(record, claim(7)) == account_of(record, Cancel()) == ACCOUNT
    assert (
        account_of(record, Evidence(attempt="?", snapshot=pending(), source="echo", account="b:y")) == "b:y"
    )


def test_a_jobs_version_counts_its_own_changes_once() -> None:
    """Each step that changes the job adds one, whatever it changes; a row's change adds to the row alone."""
    record = after(job(), claim())
    assert (record.version, record.newest.version) == (0, 1)
    record = after(record, told(1, succeeded()))
    assert (record.version, record.newest.version) == (1, 2)
    assert isinstance(record.newest.outcome, Succeeded)
