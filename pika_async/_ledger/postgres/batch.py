"""What one transaction decides, for many callers at once, on what was read before it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import define, field

from pika_async._ledger.change import Change, described, refused_by
from pika_async._ledger.events import Claim, Event, Evidence
from pika_async._ledger.evidence import binds
from pika_async._ledger.evolve import evolve
from pika_async._ledger.faults import task_taken, unknown_job, unreadable_job
from pika_async._ledger.machine import account_of, settle
from pika_async._ledger.pacing import paced
from pika_async._ledger.postgres.faults import outdated
from pika_async._ledger.postgres.known import Known
from pika_async._ledger.postgres.rows import Row, cleaned
from pika_async._ledger.records import Attempt, JobRecord, Usage
from pika_async._ledger.sent import sent_bytes
from pika_async._ledger.sharing import slots_for
from pika_async._ledger.spending import added, total
from pika_async._ledger.standing import frees_its_key, moves
from pika_async._money import Money

_PUT_BACK: Final = "known to a process before a failover"


@define
class Charge:
    """What a batch does to one account: added to what is there, and refused where that has moved too far.

    *slack* is by how many slots others may have filled the account since it was read; *submits_slack* the
    same for all submits. *pace* are the account's new figures where they are set and not added to.
    """

    slots: int = 0
    submits: int = 0
    claims: int = 0
    slack: int | None = None
    submits_slack: int | None = None
    pace: Usage | None = None


@define
class Sum:
    """What a batch adds to the sum of prices in one unit; *slack* as in `Charge`."""

    micros: int = 0
    slack: int | None = None


@define
class Batch:
    """Decides for many callers, and collects what is to be written.

    *keys* and *tasks* say which jobs hold them, where that was looked up: for one caller alone. A batch for
    many relies on the constraints of the tables; when one fails, everything is done again, one by one.
    *read* are the jobs read for this batch; what moves nothing must rest on one of them.
    """

    known: Known
    now: float
    read: frozenset[str]
    read_accounts: bool
    keys: Mapping[str, str] = field(factory=dict)
    tasks: Mapping[tuple[str, str], str] | None = None
    held_until: float = 0.0
    """No claim is granted before."""
    outdated: bool = False
    """Whether nothing may begin here: no order and no claim."""

    before: dict[str, JobRecord | None] = field(factory=dict)
    after: dict[str, JobRecord] = field(factory=dict)
    unlooked: bool = False
    """Whether evidence was met whose task may be another job's, which no constraint tells."""
    history: list[Row] = field(factory=list)
    charges: dict[str, Charge] = field(factory=dict)
    sums: dict[str, Sum] = field(factory=dict)
    sent: dict[str, bytes | None] = field(factory=dict)
    """Bytes of POSTs to keep, by attempt; None for those to forget."""
    stale: set[str] = field(factory=set)
    """Jobs to read before this batch may answer."""
    stale_accounts: bool = False
    _usages: dict[str, Usage] = field(factory=dict)

    def create(self, job: JobRecord, first: Event | None = None) -> Change:
        """Keep a new job and decide on its first event, or return the job with its id or key."""
        known = self._here(job.id)
        holder = None
        if known is None and job.key is not None and (holder_id := self.keys.get(job.key)) is not None:
            holder = self._here(holder_id)
            known = None if holder is None or frees_its_key(holder) else holder
        if known is not None:
            self._rests_on(known.id)
            return Change(before=known, after=known, moved=False, at=self.now)
        if self.outdated:
            raise outdated()
        for attempt in job.attempts:
            if attempt.task is not None:
                other = (self.tasks or {}).get((attempt.account, attempt.task.id))
                if other is not None:
                    raise task_taken(attempt.account, other)
        if holder is not None:
            freed = evolve(holder, key=None, version=holder.version + 1)
            self._change(holder, freed, f"its key went to {job.id}")
        self.before[job.id] = None
        self.after[job.id] = job
        for attempt in job.attempts:
            self._tell(job, None, attempt, job.created_at, "created")
            self._count(None, attempt)
        if first is None:
            return Change(before=None, after=job, at=self.now)
        return evolve(self._decided(job, first), before=None, moved=True)

    def put_back(self, job: JobRecord) -> None:
        """Let a job be as a process knew it, where the ledger has lost that; the later of the two stays."""
        before = self._here(job.id)
        if before is None:
            self.before[job.id] = None
            self.after[job.id] = job
            for attempt in job.attempts:
                self._tell(job, None, attempt, self.now, _PUT_BACK)
                self._count(None, attempt)
        elif moves(before) < moves(job):
            self._change(before, evolve(job, request=before.request), _PUT_BACK)

    def apply(self, job_id: str, event: Event) -> Change:
        """Let the machine decide."""
        before = self._here(job_id)
        if before is None:
            self._rests_on(job_id)
            raise unknown_job(job_id)
        return self._decided(before, event)

    def usage(self, account: str) -> Usage:
        """Return what an account uses after what was decided so far."""
        if account not in self._usages:
            self._usages[account] = self.known.usage(account)
        usage = self._usages[account]
        submits = self.known.usage("").submits + sum(charge.submits for charge in self.charges.values())
        spent = self.known.spent
        for unit, sum_ in self.sums.items():
            spent = total(spent, Money(sum_.micros, unit))
        return evolve(usage, submits=submits, spent=spent, held_until=self.held_until)

    def _here(self, job_id: str) -> JobRecord | None:
        if (decided := self.after.get(job_id)) is not None:
            return decided
        held = self.known.jobs.get(job_id)
        if held is None:
            return None
        if held.record is None:
            raise unreadable_job(job_id)
        return held.record

    def _rests_on(self, job_id: str) -> None:
        if job_id not in self.read and job_id not in self.after:
            self.stale.add(job_id)

    def _decided(self, before: JobRecord, event: Event) -> Change:
        if self.outdated and isinstance(event, Claim):
            raise outdated()
        account = account_of(before, event)
        holder = None
        if isinstance(event, Evidence):
            holder_id = (self.tasks or {}).get((account, event.snapshot.task.id))
            holder = None if holder_id is None else self._here(holder_id)
        usage = self.usage(account)
        after, freed = settle(before, event, self.now, usage, holder)
        if isinstance(event, Evidence) and self.tasks is None and not binds(after, event):
            self.unlooked = True
        if holder is not None and freed is not None:
            self._change(holder, freed, f"its task belongs to {before.id}")
        if after is before:
            self._rests_on(before.id)
            refused = refused_by(before, event, usage, self.now)
            self.stale_accounts |= not self.read_accounts and refused is not None
            return Change(
                before=before,
                after=after,
                event=event,
                moved=False,
                at=self.now,
                obstacle=refused,
                usage=usage,
            )
        if isinstance(event, Claim):
            self._grant(account, event, usage)
        self._change(before, after, cleaned(described(event)))
        self.sent.update(sent_bytes(before, after, event))
        kept = self.usage(account)
        if (usage := paced(kept, event, self.now)) is not kept:
            self._usages[account] = usage
            charge = self._charge(account)
            turned = usage.waiting != kept.waiting
            if not isinstance(event, Claim) or turned or charge.pace is not None:
                # Set and not added to, so it must rest on what was read now.
                self.stale_accounts |= not self.read_accounts
                charge.pace = usage
        return Change(before=before, after=after, event=event, at=self.now, usage=usage)

    def _grant(self, account: str, claim: Claim, usage: Usage) -> None:
        charge = self._charge(account)
        charge.claims += 1
        if (slots := slots_for(claim.owner, claim.max_slots, usage)) is not None:
            charge.slack = _least(charge.slack, slots - 1 - usage.slots)
        if claim.max_submits is not None:
            charge.submits_slack = _least(charge.submits_slack, claim.max_submits - 1 - usage.submits)
        if claim.max_cost is not None and (price := claim.price) is not None:
            sum_ = self.sums.setdefault(price.unit, Sum())
            left = claim.max_cost.micros - usage.spent.get(price.unit, 0)
            sum_.slack = _least(sum_.slack, left - price.micros)

    def _change(self, before: JobRecord, after: JobRecord, note: str) -> None:
        self.before.setdefault(before.id, before)
        self.after[after.id] = after
        if after.version != before.version:
            self.history.append(
                (after.id, 0, after.version, self.now, before.state.value, after.state.value, note)
            )
        known = {a.id: a for a in before.attempts}
        for attempt in after.attempts:
            old = known.get(attempt.id)
            if old is not attempt:
                self._tell(after, old, attempt, self.now, note)
                self._count(old, attempt)

    def _tell(self, job: JobRecord, old: Attempt | None, new: Attempt, at: float, note: str) -> None:
        before = None if old is None else old.state.value
        self.history.append((job.id, new.number, new.version, float(at), before, new.state.value, note))

    def _count(self, old: Attempt | None, new: Attempt) -> None:
        slots = int(new.slot) - int(old is not None and old.slot)
        submits = int(new.claimed_at is not None and (old is None or old.claimed_at is None))
        if slots or submits:
            usage = self.usage(new.account)
            charge = self._charge(new.account)
            charge.slots += slots
            charge.submits += submits
            self._usages[new.account] = evolve(usage, slots=usage.slots + slots)
        if new.price is not None and (money := added(old, new)) is not None:
            self.sums.setdefault(money.unit, Sum()).micros += money.micros

    def _charge(self, account: str) -> Charge:
        return self.charges.setdefault(account, Charge())


def _least(one: int | None, other: int) -> int:
    return other if one is None else min(one, other)
