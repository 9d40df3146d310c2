"""Laws of a world: what is truly the case, beside what its ledger says."""

from __future__ import annotations

from collections import Counter

from benchmarks.model.laws.cases import Truth


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
