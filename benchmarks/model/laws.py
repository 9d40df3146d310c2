"""The laws of docs/pay-once.md, each by its name: of a job that is told an event, of a fence, of a world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field, frozen

from benchmarks.model.book import NOW, REFUSAL, WITHIN
from benchmarks.model.world import FLYING, Setting, World
from pika_async._ledger import machine
from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Claim,
    Event,
    Evidence,
    LeaseOver,
    NextAttempt,
    NothingFound,
    Refused,
    Replaying,
    Resubmit,
    Sending,
    SlotOver,
    Unknown,
)
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Usage
from pika_async._ledger.standing import FINAL, LOST, OPEN, in_doubt

S = AttemptState
_NOBODY = "nobody"
_LIVE = frozenset({S.RUNNING, S.SUCCEEDED})
_UNSENT = frozenset({S.QUEUED, S.SUBMITTING, S.CANCELLED})
_HOLDS_A_SLOT = frozenset({S.SUBMITTING, S.SENDING, S.AMBIGUOUS, S.UNRESOLVED, S.RUNNING})


@frozen(eq=False)
class Told:
    """One job before and after *event*; *slots* are what all jobs hold after it.

    *proof* is the source of evidence that was told to another job and changed this one.
    """

    setting: Setting
    event: Event
    before: JobRecord
    after: JobRecord
    slots: int
    proof: str | None = None

    def rows(self) -> Iterator[tuple[Attempt | None, Attempt]]:
        """Return each attempt as it was and as it is."""
        return ((self.before.attempt(new.id), new) for new in self.after.attempts)

    def claimed(self) -> Attempt | None:
        """Return the attempt that was claimed."""
        return next(
            (new for old, new in self.rows() if _was(old, S.QUEUED) and new.claimed_at is not None), None
        )

    def entered(self, state: AttemptState) -> Iterator[tuple[Attempt | None, Attempt]]:
        """Return the attempts that are in *state* now and were not."""
        return ((old, new) for old, new in self.rows() if new.state is state and not _was(old, state))


@define(eq=False)
class Records:
    """What a ledger says: computed once for the many worlds that it is the ledger of."""

    setting: Setting
    jobs: tuple[JobRecord, ...]
    attempts: tuple[Attempt, ...] = field(init=False)
    shown: frozenset[str] = field(init=False)
    refused: frozenset[str] = field(init=False)
    ids: frozenset[str] = field(init=False)
    unsent: frozenset[str] = field(init=False)
    doubted: frozenset[str] = field(init=False)
    closed: frozenset[str] = field(init=False)
    given_up: frozenset[str] = field(init=False)
    won: frozenset[tuple[str, str]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Read the records once."""
        self.attempts = tuple(a for job in self.jobs for a in job.attempts)
        bound = [a.task.id for a in self.attempts if a.task is not None]
        self.shown = frozenset(bound).union(extra.task.id for job in self.jobs for extra in job.extras)
        self.refused = frozenset(a.id for a in self.attempts if a.state is S.REFUSED)
        self.unsent = frozenset(a.id for a in self.attempts if a.state in _UNSENT)
        self.ids = frozenset(a.id for a in self.attempts)
        self.doubted = frozenset(a.id for a in self.attempts if a.state in LOST)
        lost = {JobState.FAILED, JobState.CANCELLED}
        self.closed = frozenset(job.id for job in self.jobs if job.state in lost)
        self.given_up = frozenset(a.id for a in self.attempts if a.abandoned)
        winners = {(job.id, job.winner) for job in self.jobs}
        self.won = frozenset(
            (a.task.id, a.job_id) for a in self.attempts if a.task is not None and (a.job_id, a.id) in winners
        )


@frozen(eq=False)
class Truth:
    """A world, beside what the records of its ledger say."""

    world: World
    records: Records

    def may_buy(self) -> set[str]:
        """Return the attempts of which the provider has a task, or may still get one."""
        flying = {p.attempt for p in self.world.posts if p.phase == FLYING}
        return flying.union(b.attempt for b in self.world.billed)


def each_attempt_is_posted_once(truth: Truth) -> bool:
    """Each attempt is POSTed at most once."""
    return len(set(truth.world.posted)) == len(truth.world.posted)


def a_job_is_bought_once(truth: Truth) -> bool:
    """A job is bought again only after a person's word."""
    bought = Counter(b.attempt[0] for b in truth.world.billed)
    words = zip(truth.records.jobs, truth.world.words, strict=True)
    return not bought or all(bought[job.id] <= 1 + n for job, n in words)


def a_refusal_is_proven(truth: Truth) -> bool:
    """Of a refused attempt nothing was bought, and nothing will be."""
    return not truth.records.refused or truth.records.refused.isdisjoint(truth.may_buy())


def the_mark_comes_before_the_first_byte(truth: Truth) -> bool:
    """Of a queued, submitting or cancelled attempt no byte has left: the second mark comes before it."""
    return not truth.records.unsent or truth.records.unsent.isdisjoint(truth.may_buy())


def a_doubt_is_about_bytes_that_left(truth: Truth) -> bool:
    """Only what passed the fence can become a doubt, if the ledger is no copy and every commit was heard."""
    setting = truth.records.setting
    if setting.adopted or setting.left.restore or setting.left.unheard:
        return True
    return truth.records.doubted.issubset(truth.world.posted)


def evidence_is_never_dropped(truth: Truth) -> bool:
    """A task that an answer or an echo named is bound to an attempt, or shown as an extra."""
    return truth.records.shown.issuperset(truth.world.told)


def no_result_on_a_wrong_job(truth: Truth) -> bool:
    """A job's result is a task of its own (a bearer of a valid token who lies is trusted, see the limits)."""
    if not truth.records.won or truth.records.setting.left.forged:
        return True
    return truth.records.won <= {(b.task, b.attempt[0]) for b in truth.world.billed}


def a_paid_task_keeps_its_job_open(truth: Truth) -> bool:
    """A job is failed or cancelled only when no attempt of it has an unknown task, but what is abandoned."""
    lost = truth.records.closed
    if not lost or truth.records.setting.left.forged:
        return True
    unknown = {b.attempt for b in truth.world.billed if b.attempt[0] in lost} & truth.records.ids
    known = {b.attempt for b in truth.world.billed if b.task in truth.records.shown}
    return not unknown - known - truth.records.given_up


def a_task_has_one_attempt(records: Records) -> bool:
    """A task is bound to one attempt at most."""
    bound = [a.task.id for a in records.attempts if a.task is not None]
    return len(set(bound)) == len(bound)


def one_attempt_is_alive(records: Records) -> bool:
    """A job has one unsuperseded, non-final attempt at most, but for rows that evidence made again."""
    return all(
        sum(a.state in OPEN and not a.superseded and not _is_made_again(a) for a in job.attempts) <= 1
        for job in records.jobs
    )


def nothing_waits_beside_a_sibling_that_lives(records: Records) -> bool:
    """Evidence cancels what is queued: no attempt waits to be sent while another runs or has succeeded."""
    return not any(
        any(a.state is S.QUEUED for a in job.attempts) and any(a.state in _LIVE for a in job.attempts)
        for job in records.jobs
    )


def a_word_orders_once(records: Records) -> bool:
    """A person's word orders again only what is unresolved, and each doubt once."""
    for job in records.jobs:
        open_doubt = any(a.state is S.UNRESOLVED and not a.superseded for a in job.attempts)
        word = Resubmit(next=NextAttempt(id=f"{job.id}99", account=job.newest.account))
        if not open_doubt and _moves(job, word):
            return False
    return True


def slots_are_rows_under_way(records: Records) -> bool:
    """A row that is over or unsent holds no slot; a running one does."""
    return all(a.state in _HOLDS_A_SLOT if a.slot else a.state is not S.RUNNING for a in records.attempts)


def only_the_owner_speaks(records: Records) -> bool:
    """A process that did not claim an attempt can neither send nor refuse it, nor call it unknown."""
    return not any(
        _moves(job, event)
        for job in records.jobs
        for a in job.attempts
        for event in (
            Sending(attempt=a.id, owner=_NOBODY),
            Replaying(attempt=a.id, owner=_NOBODY, within=WITHIN),
            Refused(attempt=a.id, owner=_NOBODY, refusal=REFUSAL),
            Unknown(attempt=a.id, owner=_NOBODY),
        )
    )


def the_owner_speaks_in_time(records: Records) -> bool:
    """An owner's word counts only in the states of the table, and the fence lets pass what was claimed."""
    for job in records.jobs:
        quiet = job.cancel_requested or job.state is not JobState.OPEN
        for a in job.attempts:
            if a.owner is None:
                continue
            sent = _after(job, Sending(attempt=a.id, owner=a.owner))
            if sent is not job and (quiet or a.state is not S.SUBMITTING):
                return False
            if a.state is S.SUBMITTING and not quiet and len(job.attempts) == 1:
                marked = sent.attempt(a.id)
                if marked is None or marked.state is not S.SENDING:
                    return False
            too_late = a.claimed_at is None or a.claimed_at + WITHIN < NOW
            over = quiet or a.superseded or too_late or a.state not in {S.SENDING, S.AMBIGUOUS}
            if over and _moves(job, Replaying(attempt=a.id, owner=a.owner, within=WITHIN)):
                return False
            answered = a.state not in {S.SUBMITTING, S.SENDING, S.AMBIGUOUS, S.UNRESOLVED}
            if answered and _moves(job, Refused(attempt=a.id, owner=a.owner, refusal=REFUSAL)):
                return False
    return True


def each_job_ends_or_waits_for_a_word(records: Records) -> bool:
    """Where nothing can happen any more, each job has ended, or shows a person what it is in doubt about."""
    return all(job.state is not JobState.OPEN or in_doubt(job) is not None for job in records.jobs)


def no_attempt_without_a_reason(told: Told) -> bool:
    """A second attempt exists only after a proven refusal or a word, and beside no sibling that lives."""
    for old, _ in told.entered(S.QUEUED):
        if old is not None or not isinstance(told.event, Refused | Resubmit | LeaseOver):
            return False
        if not isinstance(told.event, Resubmit) and told.after.attempts[-2].state is not S.REFUSED:
            return False
        if any(a.state in _LIVE for a in told.after.attempts):
            return False
    return True


def nothing_is_queued_again(told: Told) -> bool:
    """An attempt never returns to queued."""
    return all(old is None for old, _ in told.entered(S.QUEUED))


def final_never_moves_back(told: Told) -> bool:
    """A final attempt or job stays as it is, and so does its task."""
    was = told.before.state, told.before.winner
    if was[0] is not JobState.OPEN and was != (told.after.state, told.after.winner):
        return False
    return all(
        (old.state, old.task) == (new.state, new.task)
        for old, new in told.rows()
        if old is not None and old.state in FINAL
    )


def the_first_success_wins(told: Told) -> bool:
    """The job succeeds with its first committed success; any other paid success is an extra."""
    for _, new in told.entered(S.SUCCEEDED):
        if told.before.state is JobState.OPEN:
            if (told.after.state, told.after.winner) != (JobState.SUCCEEDED, new.id):
                return False
        elif new.task is None or new.task.id not in {e.task.id for e in told.after.extras}:
            return False
    return True


def no_claim_beside_a_sibling(told: Told) -> bool:
    """A claim is granted only while every sibling is over, or superseded by a person's word."""
    claimed = told.claimed()
    over, doubtful = {S.REFUSED, S.FAILED, S.CANCELLED}, OPEN - {S.QUEUED, S.RUNNING}
    return claimed is None or all(
        a.id == claimed.id or a.state in over or (a.state in doubtful and a.superseded)
        for a in told.before.attempts
    )


def a_claim_keeps_to_the_slots(told: Told) -> bool:
    """A claim takes a slot for its owner, and never exceeds the cap."""
    claimed, caps = told.claimed(), told.setting.caps
    if claimed is None:
        return True
    is_its = isinstance(told.event, Claim) and claimed.owner == told.event.owner
    return is_its and claimed.slot and (caps is None or told.slots <= caps)


def nothing_follows_a_cancel(told: Told) -> bool:
    """After a cancel nothing is claimed, and no attempt is made that may be sent."""
    quiet = told.before.cancel_requested or told.before.state is not JobState.OPEN
    return not quiet or (told.claimed() is None and not list(told.entered(S.QUEUED)))


def adoption_needs_no_slot(told: Told) -> bool:
    """Proof of a task binds it or shows it, however many slots are taken."""
    event = told.event
    if not isinstance(event, Evidence) or event.source == "callback":
        return True
    known = {a.task.id for a in told.after.attempts if a.task is not None}
    return event.snapshot.task.id in known | {e.task.id for e in told.after.extras}


def time_only_looks(told: Told) -> bool:
    """Time, leases and look-ups never end an attempt, nor make one, but for what is provably unsent."""
    if isinstance(told.event, Refused | Resubmit | Evidence | Cancel):
        return True
    if isinstance(told.event, LeaseOver) and any(
        _was(old, S.SUBMITTING) for old, _ in told.entered(S.REFUSED)
    ):
        return True
    ends = {S.QUEUED, S.REFUSED, S.CANCELLED, *FINAL}
    return all(
        old is not None and (old.state is new.state or new.state not in ends) for old, new in told.rows()
    )


def each_time_has_come(told: Told) -> bool:
    """A lease, E and the end of a slot count only once they have passed, and E takes two looks after it."""
    for old, new in told.rows():
        match told.event:
            case LeaseOver() if old is not None and old.state is not new.state:
                if old.lease_until >= NOW:
                    return False
            case SlotOver() if old is not None and old.slot and not new.slot:
                if old.slot_until >= NOW:
                    return False
            case NothingFound(sent_at=sent_at) if old is not None and old.state is not new.state:
                looked = sent_at is None or (sent_at > old.resolve_after and old.negatives >= 1)
                if old.resolve_after >= NOW or not looked:
                    return False
    return True


def echo_before_the_result(told: Told) -> bool:
    """Where look-ups echo our token, no job ends well before one has."""
    if not told.setting.echoes or told.after.winner is None:
        return True
    won = told.after.attempt(told.after.winner)
    return won is not None and won.bound_by == "echo"


def a_bare_callback_waits(told: Told) -> bool:
    """A callback without an echo binds only what is ambiguous or unresolved, or a row that is missing."""
    if not isinstance(told.event, Evidence) or told.event.source != "callback":
        return True
    return all(
        old is None or old.task is not None or new.task is None or old.state in {S.AMBIGUOUS, S.UNRESOLVED}
        for old, new in told.rows()
    )


def a_task_leaves_for_more_proof(told: Told) -> bool:
    """Another attempt takes a task over only with more proof than binds it here."""
    ranks = {None: 0, "callback": 1, "answer": 2, "echo": 3}
    return told.proof is None or not any(
        old is not None
        and old.task is not None
        and new.task is None
        and ranks[told.proof] <= ranks[old.bound_by]
        for old, new in told.rows()
    )


def trouble_cancels_nothing(told: Told) -> bool:
    """Only a cancel ends a job as cancelled; an attempt is cancelled by it or by a sibling's evidence."""
    if told.after.state is JobState.CANCELLED and not told.after.cancel_requested:
        return False
    return isinstance(told.event, Cancel | Evidence) or not list(told.entered(S.CANCELLED))


def a_word_is_kept(told: Told) -> bool:
    """A cancel is remembered; superseded and abandoned stay, and only a person's word sets them."""
    if isinstance(told.event, Cancel) and not told.after.cancel_requested:
        return told.before.state is not JobState.OPEN
    for old, new in told.rows():
        before = (False, False) if old is None else (old.superseded, old.abandoned)
        if before != (new.superseded, new.abandoned):
            allowed = (isinstance(told.event, Resubmit) and new.superseded and not before[0]) or (
                isinstance(told.event, Abandon) and new.abandoned and not before[1]
            )
            if not allowed:
                return False
    return True


def no_post_after_a_siblings_evidence(job: JobRecord) -> bool:
    """No byte leaves while a sibling runs or has succeeded."""
    return not any(a.state in _LIVE for a in job.attempts)


def no_post_after_a_cancel(job: JobRecord) -> bool:
    """No byte leaves once the job is cancelled or has ended."""
    return job.state is JobState.OPEN and not job.cancel_requested


def a_replay_leaves_within_t(job: JobRecord, attempt: Attempt) -> bool:
    """The same bytes leave again only within T of the claim, and not once anything else may follow."""
    in_time = attempt.claimed_at is not None and attempt.claimed_at + WITHIN >= NOW
    wanted = job.state is JobState.OPEN and not job.cancel_requested and not attempt.superseded
    alive = any(a.state in _LIVE or a.state is S.QUEUED for a in job.attempts)
    return in_time and wanted and not alive and attempt.state in {S.SENDING, S.AMBIGUOUS}


OF_EVENTS = (
    no_attempt_without_a_reason,
    nothing_is_queued_again,
    final_never_moves_back,
    the_first_success_wins,
    no_claim_beside_a_sibling,
    a_claim_keeps_to_the_slots,
    nothing_follows_a_cancel,
    adoption_needs_no_slot,
    time_only_looks,
    each_time_has_come,
    echo_before_the_result,
    a_bare_callback_waits,
    a_task_leaves_for_more_proof,
    trouble_cancels_nothing,
    a_word_is_kept,
)
OF_FENCES = (no_post_after_a_siblings_evidence, no_post_after_a_cancel)
OF_RECORDS = (
    a_task_has_one_attempt,
    one_attempt_is_alive,
    nothing_waits_beside_a_sibling_that_lives,
    a_word_orders_once,
    slots_are_rows_under_way,
    only_the_owner_speaks,
    the_owner_speaks_in_time,
)
OF_WORLDS = (
    each_attempt_is_posted_once,
    a_job_is_bought_once,
    a_refusal_is_proven,
    the_mark_comes_before_the_first_byte,
    a_doubt_is_about_bytes_that_left,
    evidence_is_never_dropped,
    no_result_on_a_wrong_job,
    a_paid_task_keeps_its_job_open,
)
OF_ENDS = (each_job_ends_or_waits_for_a_word,)
LAWS: tuple[Callable[..., bool], ...] = (
    a_replay_leaves_within_t,
    *OF_EVENTS,
    *OF_FENCES,
    *OF_RECORDS,
    *OF_WORLDS,
    *OF_ENDS,
)


def name_of(law: Callable[[Any], bool]) -> str:
    """Return a law's name as words."""
    return law.__name__.replace("_", " ")


def _after(job: JobRecord, event: Event) -> JobRecord:
    return machine.settle(job, event, NOW, Usage(), None)[0]


def _moves(job: JobRecord, event: Event) -> bool:
    return _after(job, event) is not job


def _was(old: Attempt | None, state: AttemptState) -> bool:
    return old is not None and old.state is state


def _is_made_again(attempt: Attempt) -> bool:
    return attempt.claimed_at is None and attempt.state is not S.QUEUED
