"""Every row of the table but those of evidence, and every job rule."""

import pytest
from attrs import evolve

from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Evidence,
    LeaseOver,
    Lost,
    Mismatch,
    Restored,
    Sending,
    SlotOver,
    Unknown,
)
from pika_async._ledger.machine import account_of, step
from pika_async._ledger.records import AttemptState, JobState, Usage
from pika_async._ledger.times import Times
from pika_async.results import Succeeded, Task
from tests.ledger.records import (
    ACCOUNT,
    LATE,
    OWNER,
    REFUSAL,
    after,
    attempt,
    claim,
    failed,
    job,
    next_attempt,
    nothing,
    pending,
    refused,
    resubmit,
    sending,
    states,
    succeeded,
    told,
)

S = AttemptState
UNANSWERED = [S.SUBMITTING, S.SENDING, S.AMBIGUOUS, S.UNRESOLVED]


def test_a_claim_takes_a_slot_and_fixes_all_times() -> None:
    """Row 2: the claim stores lease, E and slot end, counted from itself."""
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
    """Row 2: slots, cap, time, job and the row itself each forbid the claim."""
    assert step(record, claim(max_slots=2, max_submits=9), LATE, usage) is record


@pytest.mark.parametrize("caps", [{}, {"max_slots": 3, "max_submits": 10}])
def test_a_claim_below_the_caps_is_granted(caps) -> None:
    """Row 2: one slot and one submit left are enough, and no cap is no limit."""
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
    """Row 2: earlier siblings are refused, failed, never sent, or superseded by a person's word."""
    record = job(sibling, attempt(2))
    assert (step(record, claim(2), LATE) is not record) is granted


@pytest.mark.parametrize("state", UNANSWERED)
def test_a_refusal_frees_the_slot_and_makes_a_new_row(state) -> None:
    """Rows 3 and 4: the refused row never returns to the queue, a new one may."""
    record = after(job(attempt(state=state, slot=True)), refused(following=2))
    assert states(record) == "refused queued"
    assert (record.attempts[0].slot, record.attempts[0].outcome, record.newest.number) == (False, REFUSAL, 2)


@pytest.mark.parametrize(
    "record",
    [
        job(attempt(state=S.QUEUED)),
        job(attempt(state=S.RUNNING, task=Task("t"))),
        job(attempt(state=S.UNRESOLVED, task=Task("t"))),
        job(attempt(state=S.SUBMITTING, owner="another")),
        job(attempt(2, state=S.SUBMITTING)),
    ],
    ids=["unsent", "running", "has a task", "another owner", "unknown attempt"],
)
def test_a_refusal_says_nothing_about_other_rows(record) -> None:
    """Rows 3 and 4: only the owner refuses, and only what has no task."""
    assert after(record, refused(following=3)) is record


@pytest.mark.parametrize(
    ("record", "expected", "state"),
    [
        (job(attempt(state=S.UNRESOLVED, superseded=True), attempt(2)), "refused queued", JobState.OPEN),
        (job(attempt(state=S.UNRESOLVED, superseded=True)), "refused", JobState.FAILED),
        (job(attempt(state=S.UNRESOLVED, abandoned=True)), "refused", JobState.FAILED),
        (job(attempt(state=S.SUBMITTING), cancel_requested=True), "refused", JobState.CANCELLED),
        (job(attempt(state=S.SUBMITTING), state=JobState.SUCCEEDED), "refused", JobState.SUCCEEDED),
    ],
    ids=["not newest", "superseded", "abandoned", "cancelled", "job closed"],
)
def test_a_refusal_that_may_not_go_on(record, expected, state) -> None:
    """Row 4: a new row only if this one is newest, not superseded or abandoned, and the job open."""
    record = after(record, refused(following=3))
    assert (states(record), record.state) == (expected, state)


def test_a_refusal_beside_a_sibling_that_came_to_life_makes_no_row() -> None:
    """Job rule 6: an earlier attempt that runs after all is the one live attempt."""
    record = job(attempt(state=S.RUNNING, task=Task("t")), attempt(2, state=S.SUBMITTING))
    assert states(after(record, refused(2, following=3))) == "running refused"


def test_the_last_refusal_fails_the_job() -> None:
    """Row 4 without a next attempt, job rule 2: nothing is open any more."""
    record = after(job(), claim(), refused())
    assert (record.state, record.version) == (JobState.FAILED, 1)


def test_only_the_owner_and_only_once_says_that_the_outcome_is_unknown() -> None:
    """Row 6."""
    record = after(job(), claim())
    assert after(record, Unknown(attempt="j-1", owner="another")) is record
    ambiguous = after(record, Unknown(attempt="j-1", owner=OWNER))
    assert (states(ambiguous), ambiguous.newest.slot) == ("ambiguous", True)
    assert after(ambiguous, Unknown(attempt="j-1", owner=OWNER)) is ambiguous


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


def test_what_never_passed_the_fence_is_queued_again_when_its_lease_is_over() -> None:
    """No byte has left, and the late owner's mark fails: refused, and a new row takes its place."""
    record = step(job(), claim(), 1000.0)
    over = record.newest.lease_until + 0.1
    lease = LeaseOver(attempt="j-1", next=next_attempt(2))
    assert step(record, lease, record.newest.lease_until) is record
    swept = step(record, lease, over)
    assert (states(swept), swept.attempts[0].slot) == ("refused queued", False)
    assert after(swept, sending()) is swept
    assert after(swept, refused(following=3)) is swept
    alone = step(record, LeaseOver(attempt="j-1"), over)
    assert (states(alone), alone.state) == ("refused", JobState.FAILED)
    cancelled = step(after(record, Cancel()), lease, over)
    assert (states(cancelled), cancelled.state) == ("refused", JobState.CANCELLED)


def test_a_lease_that_is_over_has_no_other_effect_on_what_may_have_left() -> None:
    """Row 7: ambiguous, with its slot, and nothing queued."""
    record = step(step(job(), claim(), 1000.0), sending(), 1000.0)
    assert step(record, LeaseOver(attempt="j-1"), record.newest.lease_until) is record
    lease = LeaseOver(attempt="j-1", next=next_attempt(2))
    swept = step(record, lease, record.newest.lease_until + 0.1)
    assert (states(swept), swept.newest.slot) == ("ambiguous", True)


def test_unresolved_needs_two_negatives_sent_after_the_grace() -> None:
    """Row 8: look-ups sent earlier do not count, whenever they end."""
    record = job(attempt(state=S.AMBIGUOUS, resolve_after=100.0))
    assert step(record, nothing(sent_at=99.0), 100.0) is record
    assert step(record, nothing(sent_at=100.0), 500.0) is record
    once = step(record, nothing(sent_at=101.0), 500.0)
    assert states(once) == "ambiguous"
    assert states(step(once, nothing(sent_at=102.0), 500.0)) == "unresolved"


def test_where_there_is_no_history_the_grace_alone_decides() -> None:
    """Row 8."""
    record = job(attempt(state=S.AMBIGUOUS, resolve_after=100.0))
    assert step(record, nothing(sent_at=None), 100.0) is record
    assert states(step(record, nothing(sent_at=None), 100.1)) == "unresolved"


@pytest.mark.parametrize("record", [job(attempt(state=S.SUBMITTING)), job(attempt(2, state=S.AMBIGUOUS))])
def test_negatives_say_nothing_about_other_rows(record) -> None:
    """Row 8 is for ambiguous rows."""
    assert after(record, nothing()) is record


@pytest.mark.parametrize("state", [s for s in S if s is not S.RUNNING])
def test_only_running_tasks_get_lost(state) -> None:
    """Row 9."""
    record = job(attempt(state=state))
    assert after(record, Lost(attempt="j-1")) is record


def test_cancel_before_sending_ends_the_job() -> None:
    """Row 12."""
    record = after(job(), Cancel())
    assert (states(record), record.state, record.version) == ("cancelled", JobState.CANCELLED, 1)


def test_resubmit_supersedes_and_queues() -> None:
    """Row 13."""
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
    """Row 13: never beside a live sibling, never twice, never after abandon, cancel or the job's end."""
    assert after(record, resubmit(3)) is record


def test_a_word_about_one_attempt_spreads_to_no_other() -> None:
    """Row 13: a repeated word about the first attempt does not resubmit the second."""
    record = after(job(attempt(state=S.UNRESOLVED)), resubmit(2, "j-1"), claim(2))
    record = after(record, Unknown(attempt="j-2", owner=OWNER), nothing(2), nothing(2))
    assert states(record) == "unresolved unresolved"
    assert after(record, resubmit(3, "j-1")) is record
    assert states(after(record, resubmit(3, "j-2"))) == "unresolved unresolved queued"


def test_resubmit_reaches_an_attempt_that_is_not_the_newest() -> None:
    """Row 13: the newest may have been cancelled by evidence about an older one, lost since."""
    record = job(attempt(state=S.UNRESOLVED, task=Task("t")), attempt(2, state=S.CANCELLED))
    record = after(record, resubmit(3), claim(3))
    assert states(record) == "unresolved cancelled submitting"


def test_abandon_keeps_the_slot_and_the_job() -> None:
    """Row 14, job rule 3: a word that stops asking, not an end."""
    record = after(job(attempt(state=S.UNRESOLVED, slot=True)), Abandon())
    assert (record.newest.abandoned, record.newest.slot, record.state) == (True, True, JobState.OPEN)
    assert after(record, Abandon()) is record


@pytest.mark.parametrize("state", [s for s in S if s is not S.UNRESOLVED])
def test_abandon_is_for_unresolved_attempts(state) -> None:
    """Row 14."""
    record = job(attempt(state=state))
    assert after(record, Abandon()) is record
    assert after(record, Abandon(attempt="j-1")) is record


@pytest.mark.parametrize("state", [S.AMBIGUOUS, S.UNRESOLVED])
def test_a_slot_ends_when_whatever_was_sent_must_have_ended(state) -> None:
    """Row 15."""
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
    """Row 15 is for slots of ambiguous and unresolved rows."""
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
    """Row 2: what one process was told by a 429 or an empty balance holds for all."""
    assert (states(step(job(), claim(**asked), LATE, usage)) == "submitting") is granted


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
