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
from pika_async._ledger.postgres.charges import Charges
from pika_async._ledger.postgres.faults import outdated
from pika_async._ledger.postgres.known import Known
from pika_async._ledger.postgres.rows import Row, cleaned
from pika_async._ledger.records import Attempt, JobRecord
from pika_async._ledger.sent import sent_bytes
from pika_async._ledger.standing import frees_its_key, moves

_PUT_BACK: Final = "known to a process before a failover"


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
    charges: Charges = field(init=False)
    sent: dict[str, bytes | None] = field(factory=dict)
    """Bytes of POSTs to keep, by attempt; None for those to forget."""
    stale: set[str] = field(factory=set)
    """Jobs to read before this batch may answer."""
    stale_accounts: bool = False

    @charges.default
    def _nothing_charged(self) -> Charges:
        return Charges(self.known, self.held_until)

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
            self.charges.count(None, attempt)
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
                self.charges.count(None, attempt)
        elif moves(before) < moves(job):
            self._change(before, evolve(job, request=before.request), _PUT_BACK)

    def apply(self, job_id: str, event: Event) -> Change:
        """Let the machine decide."""
        before = self._here(job_id)
        if before is None:
            self._rests_on(job_id)
            raise unknown_job(job_id)
        return self._decided(before, event)

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
        usage = self.charges.usage(account)
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
            self.charges.grant(account, event, usage)
        self._change(before, after, cleaned(described(event)))
        self.sent.update(sent_bytes(before, after, event))
        usage = self.charges.pace(account, event, self.now)
        # A pace is set and not added to, so it must rest on what was read now.
        self.stale_accounts |= not self.read_accounts and self.charges.set_a_pace
        return Change(before=before, after=after, event=event, at=self.now, usage=usage)

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
                self.charges.count(old, attempt)

    def _tell(self, job: JobRecord, old: Attempt | None, new: Attempt, at: float, note: str) -> None:
        before = None if old is None else old.state.value
        self.history.append((job.id, new.number, new.version, float(at), before, new.state.value, note))
