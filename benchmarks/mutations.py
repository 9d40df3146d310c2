"""Seeded one-line faults of the pay-once machine: the model check has to find each of them."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from attrs import evolve, frozen

from benchmarks._report import Figure, Report
from benchmarks.model.laws import name_of
from benchmarks.model.search import Search
from benchmarks.model.settings import FULL, SMALL
from benchmarks.model.world import Left

CLAIM = "the model check finds one-line faults of the machine"
_MODULES = ("standing", "evidence", "replays", "claims", "refusals", "machine")
_AT_MOST = 6_000
"""States of one world: a fault that needs more is called a survivor."""
_THREE = evolve(
    next(setting for setting in FULL if setting.name == "three attempts"), left=Left(lose=1, resubmit=1)
)
_WORLDS = (*SMALL, *(setting for setting in FULL[len(SMALL) :] if setting.jobs == 2), _THREE)


@frozen
class Mutant:
    """One line of *module* with *old* for *new*; *equivalent* says why none of these worlds
    can show it."""

    module: str
    old: str
    new: str
    equivalent: str = ""


MUTANTS = (
    # The claim.
    Mutant(
        "claims",
        "attempt.state is AttemptState.QUEUED and attempt.not_before <= now",
        "attempt.not_before <= now",
    ),
    Mutant(
        "claims",
        "attempt.not_before <= now and may_send(job, attempt)",
        "attempt.not_before <= now",
        "whatever makes a sibling live, or closes the job, has cancelled what is queued: a second line",
    ),
    Mutant("claims", "or obstacle(event, usage, now) is not None", ""),
    Mutant("claims", "        slot=True,\n", "        slot=False,\n"),
    Mutant("claims", "        owner=event.owner,\n", "        owner=None,\n"),
    Mutant(
        "claims",
        "lease_until=now + times.lease,",
        "lease_until=now,",
        "the lease only has to be over some time",
    ),
    Mutant("claims", "        state=AttemptState.SUBMITTING,\n", "        state=AttemptState.SENDING,\n"),
    # The fence.
    Mutant(
        "claims",
        "a.state is AttemptState.SUBMITTING\n            and a.owner",
        'a.state in {"submitting", "sending"}\n            and a.owner',
    ),
    Mutant(
        "claims",
        "a.state is AttemptState.SUBMITTING\n            and a.owner",
        'a.state in {"submitting", "sending", "ambiguous", "unresolved"}\n            and a.owner',
    ),
    Mutant(
        "claims",
        "and event.version in {None, a.version}\n            and may_send(job, a)",
        "and event.version in {None, a.version}",
    ),
    Mutant(
        "claims",
        "        ),\n        state=AttemptState.SENDING,",
        "        ),\n        state=AttemptState.SUBMITTING,",
    ),
    # Replays.
    Mutant(
        "replays",
        "mine = attempt.state in REPLAYABLE",
        "mine = attempt.state in REPLAYABLE | {AttemptState.UNRESOLVED}",
    ),
    Mutant(
        "replays",
        "if attempt.superseded or attempt.claimed_at",
        "if attempt.claimed_at",
        "what is superseded was unresolved; only a mix-up after a resubmit brings it back to ambiguous",
    ),
    Mutant("replays", " or now > attempt.claimed_at + event.within:", ":"),
    Mutant(
        "replays",
        "_may_take_over(attempt, event, now)) and may_send(job, attempt)",
        "_may_take_over(attempt, event, now))",
    ),
    Mutant("replays", "        and replay.key == event.key\n", ""),
    Mutant(
        "replays",
        "        and now <= replay.until\n",
        "",
        "every process of the model has the same T, and so the event's own bound says the same",
    ),
    Mutant(
        "replays",
        "        and (attempt.owner == event.owner or now > attempt.lease_until)\n",
        "",
        "two at once buy nothing more, because the provider keeps the key: the turns save requests",
    ),
    Mutant(
        "replays",
        "moved(job, event.attempt, lambda _: True, owner=event.owner, lease_until=",
        "moved(job, event.attempt, lambda _: True, lease_until=",
    ),
    # Refusals.
    Mutant("refusals", "attempt is None or attempt.state not in UNANSWERED", "attempt is None"),
    Mutant(
        "refusals", "attempt.task is not None or attempt.owner != event.owner", "attempt.task is not None"
    ),
    Mutant("refusals", "state=AttemptState.REFUSED, slot=False", "state=AttemptState.REFUSED"),
    Mutant(
        "refusals",
        "attempt.id == job.newest.id\n",
        "True\n",
        "an older attempt that is open is superseded, which the next guard asks",
    ),
    Mutant(
        "refusals",
        "        and not attempt.superseded\n",
        "",
        "a superseded attempt is never the newest, which the guard before asks",
    ),
    Mutant(
        "refusals",
        "        and job.state is JobState.OPEN\n        and not job.cancel_requested\n",
        "        and job.state is JobState.OPEN\n",
    ),
    Mutant("refusals", "        and all(makes_way(a) for a in after.attempts)\n", ""),
    Mutant(
        "refusals",
        "if next_ is not None and may_go_on else closed(after)",
        "if next_ is not None and may_go_on else after",
    ),
    # Leases, doubts and slots.
    Mutant(
        "refusals",
        "attempt.state not in CLAIMED or now <= attempt.lease_until",
        "attempt.state not in CLAIMED",
    ),
    Mutant("refusals", "    if attempt.state is AttemptState.SENDING:\n", "    if False:\n"),
    Mutant("refusals", "    return _without_it(job, attempt, _SILENT, event.next)", "    return job"),
    Mutant("machine", "lambda a: a.state in CLAIMED and a.owner == owner", "lambda a: a.owner == owner"),
    Mutant(
        "machine",
        "attempt.state is not AttemptState.AMBIGUOUS or now <= attempt.resolve_after",
        "now <= attempt.resolve_after",
    ),
    Mutant(
        "machine",
        "attempt.state is not AttemptState.AMBIGUOUS or now <= attempt.resolve_after",
        "attempt.state is not AttemptState.AMBIGUOUS",
    ),
    Mutant(
        "machine", "if event.sent_at <= attempt.resolve_after:", "if event.sent_at < attempt.resolve_after:"
    ),
    Mutant(
        "machine", "AttemptState.UNRESOLVED if negatives >= 2", "AttemptState.UNRESOLVED if negatives >= 1"
    ),
    Mutant("machine", "a.slot and a.state in LOST and now > a.slot_until", "a.slot and a.state in LOST"),
    Mutant("machine", "a.slot and a.state in LOST and now > a.slot_until", "a.slot and now > a.slot_until"),
    Mutant(
        "machine",
        "lambda a: a.state is AttemptState.RUNNING, state=AttemptState.UNRESOLVED",
        "lambda a: True, state=AttemptState.UNRESOLVED",
    ),
    Mutant(
        "machine", "lambda a: a.state in UNSENT, state", "lambda a: a.state is AttemptState.QUEUED, state"
    ),
    Mutant(
        "machine", "lambda a: a.state in UNSENT, state", "lambda a: a.state is AttemptState.SUBMITTING, state"
    ),
    # Words.
    Mutant(
        "machine",
        "if a.state is AttemptState.QUEUED else a\n",
        "if a.state in UNSENT else a\n",
    ),
    Mutant("machine", "attempts=attempts, cancel_requested=True", "attempts=attempts"),
    Mutant("machine", "    if not may_resubmit(job, event.attempt):\n        return job\n", ""),
    Mutant("machine", "changed(a, superseded=True) if a.state", "changed(a, superseded=False) if a.state"),
    Mutant(
        "machine", "changed(a, abandoned=True) if a.id in ids", "changed(a, superseded=True) if a.id in ids"
    ),
    # Evidence.
    Mutant("evidence", 'if event.source == "callback" and attempt.state not in LOST:', "if False:"),
    Mutant("evidence", "        if attempt.state not in FINAL:\n", "        if True:\n"),
    Mutant(
        "evidence", 'return job if event.source == "callback" else with_extra(job, snapshot)', "return job"
    ),
    Mutant("evidence", "if attempt.state not in FINAL and outranks(", "if outranks("),
    Mutant("evidence", 'return holder == "callback" and _RANK', "return _RANK"),
    Mutant("evidence", "    return held.state in OPEN and _RANK", "    return _RANK"),
    Mutant(
        "evidence",
        "_RANK[event.source] > _RANK[held.bound_by]",
        "_RANK[event.source] >= _RANK[held.bound_by]",
    ),
    Mutant("evidence", "return job if ours or event.source", "return job if True or event.source"),
    Mutant("evidence", "        slot=state is AttemptState.RUNNING,\n", ""),
    Mutant("evidence", "        slot=state is AttemptState.RUNNING,\n", "        slot=True,\n"),
    Mutant("evidence", "        task=task,\n", "        task=attempt.task,\n"),
    Mutant(
        "evidence",
        "    if job.state is not JobState.OPEN:\n        return with_extra",
        "    if False:\n        return with_extra",
    ),
    Mutant("evidence", "any(keeps_open(a) for a in job.attempts)", "False"),
    Mutant(
        "evidence", "JobState.CANCELLED if job.cancel_requested else JobState.FAILED", "JobState.CANCELLED"
    ),
    Mutant(
        "evidence",
        "    if attempt.state is AttemptState.QUEUED:\n        return changed(",
        "    if False:\n        return changed(",
    ),
    Mutant(
        "evidence",
        "bound_by = max(event.source, attempt.bound_by or event.source, key=_RANK.__getitem__)",
        "bound_by = event.source",
        "the machine is told of a bound task by nothing weaker than what bound it",
    ),
    # Predicates.
    Mutant(
        "standing",
        "return sibling.superseded if sibling.state in UNANSWERED",
        "return True if sibling.state in UNANSWERED",
        "a refused attempt comes to life by evidence alone, and no provider here takes what it refused",
    ),
    Mutant(
        "standing",
        "_MAY_FOLLOW = frozenset({AttemptState.REFUSED, ",
        "_MAY_FOLLOW = frozenset({AttemptState.RUNNING, AttemptState.REFUSED, ",
    ),
    Mutant(
        "standing",
        "        job.state is JobState.OPEN\n        and not job.cancel_requested\n        and all(makes_way",
        "        job.state is JobState.OPEN\n        and all(makes_way",
    ),
    Mutant(
        "standing",
        "return attempt.state in OPEN and not (attempt.state",
        "return attempt.state in LOST and not (attempt.state",
    ),
    Mutant(
        "standing",
        "        and not under_way(job)\n",
        "",
        "what is in doubt beside an attempt that is under way is superseded, which the next guard asks",
    ),
    Mutant("standing", "any(not a.superseded for a in doubted(job, named))", "bool(doubted(job, named))"),
)


@frozen
class Verdict:
    """What became of one mutant: the law that it broke, in which world and after how many steps."""

    mutant: Mutant
    law: str | None
    world: str = ""
    steps: int = 0


def _path(name: str) -> Path:
    return Path(str(import_module(f"pika_async._ledger.{name}").__file__))


def _planted(mutant: Mutant) -> None:
    """Run the mutated source in the place of the module, and what stands on it again."""
    first = _MODULES.index(mutant.module)
    for name in _MODULES[first:]:
        module: ModuleType = import_module(f"pika_async._ledger.{name}")
        source = _path(name).read_text()
        if name == mutant.module:
            if source.count(mutant.old) < 1:
                raise ValueError(f"{name} has no line {mutant.old!r}: bring the campaign up to the machine")
            source = source.replace(mutant.old, mutant.new, 1)
        exec(compile(source, str(_path(name)), "exec"), module.__dict__)


def judged(mutant: Mutant) -> Verdict:
    """Search the worlds with *mutant* in the machine; only in a process of its own."""
    _planted(mutant)
    for setting in _WORLDS:
        try:
            violation = Search(setting).run(_AT_MOST * (4 if setting is _THREE else 1)).violation
        except Exception as error:  # noqa: BLE001 - a machine that raises is found out as well
            return Verdict(mutant, f"it raises {type(error).__name__}", setting.name)
        if violation is not None:
            return Verdict(mutant, name_of(violation.law), setting.name, len(violation.trace))
    return Verdict(mutant, None)


def verdicts(mutants: tuple[Mutant, ...] = MUTANTS) -> Iterator[Verdict]:
    """Judge each mutant in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes=1, maxtasksperchild=1) as pool:
        yield from pool.imap(judged, mutants, chunksize=1)


def measure(*, full: bool) -> Report:
    """Judge every mutant; in quick form every fifth."""
    chosen = MUTANTS if full else MUTANTS[::5]
    found = []
    for verdict in verdicts(chosen):
        found.append(verdict)
        print(f"  {len(found)}/{len(chosen)} {verdict.law or 'NOT CAUGHT'}", file=sys.stderr, flush=True)
    missed = [v for v in found if v.law is None and not v.mutant.equivalent]
    return Report(
        name="mutations",
        claim=CLAIM,
        quick=not full,
        rows=[
            {
                "in": v.mutant.module,
                "instead of": " ".join(v.mutant.old.split())[:46],
                "caught by": v.law or ("equivalent" if v.mutant.equivalent else "NOT CAUGHT"),
                "steps": v.steps or None,
            }
            for v in found
        ],
        figures=[
            Figure(name="mutants", value=len(found), goal=40 if full else None, at_least=True),
            Figure(name="caught", value=sum(v.law is not None for v in found)),
            Figure(name="equivalent", value=sum(v.law is None and bool(v.mutant.equivalent) for v in found)),
            Figure(name="not caught", value=len(missed), goal=0),
        ],
        remarks=[
            f"equivalent: {v.mutant.old!r}: {v.mutant.equivalent}"
            for v in found
            if v.mutant.equivalent and v.law is None
        ],
    )
