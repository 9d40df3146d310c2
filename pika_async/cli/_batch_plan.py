"""What is left to do for each row: its list, its ledger and its folder compared."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import anyio.to_thread
from attrs import define, evolve, frozen

from pika_async import ConfigError, PikaError
from pika_async._engine.files import digest, hashes
from pika_async._engine.verdict import outcome
from pika_async._ledger.records import AttemptState, JobRecord, JobState, Refusal
from pika_async._token import JobToken
from pika_async.cli._batch_folder import BatchFolder, Names
from pika_async.cli._rows import Listed
from pika_async.gallery import Entry, Failure, Manifest, RowState, Timings, described

if TYPE_CHECKING:
    from pika_async._ledger import Ledger

# Refusals of the request, not of the account or the moment: the same again would be refused again.
_LASTING: Final = frozenset({"ContentBlocked", "SubmitRefused", "UnsupportedRequest"})
_REAL, _PRETENDED = "batch-", "sandbox-"


@define(kw_only=True)
class BatchRow:
    """A row on its way to its file; *entry* is what the manifest says of it.

    *key* names the one job that it may cost; *job_id* is that job where something was sent for it;
    *file* is the name the video will have, *overwrite* whether a file of ours may bear it already.
    """

    listed: Listed
    key: str
    entry: Entry
    job_id: str | None
    file: str
    overwrite: bool

    @property
    def poster(self) -> str:
        """Return the name that the poster will have."""
        return self.file.removesuffix(".mp4") + ".jpg"

    @property
    def settled(self) -> bool:
        """Return whether the row is done or has failed for good."""
        return self.entry.state in {RowState.DONE, RowState.FAILED}


@frozen
class Plan:
    """All rows; *others* are whole videos of rows that the list no longer has, *astray* counts their jobs."""

    rows: Sequence[BatchRow]
    others: Sequence[Entry]
    astray: int

    @property
    def entries(self) -> list[Entry]:
        """Return what the manifest is to say; whoever left the list comes last."""
        last = len(self.rows)
        moved = [evolve(entry, number=last + place) for place, entry in enumerate(self.others, 1)]
        return [row.entry for row in self.rows] + moved


async def make_plan(
    listed: Sequence[Listed], folder: BatchFolder, ledger: Ledger, *, sandbox: bool, retry_failed: bool
) -> Plan:
    """Find for each row its job in *ledger* and its file in *folder*; reads both whole, changes neither.

    A row is known again by what it asks for, wherever it stands in the list: a changed row is a new one, the
    same row twice is two. Raises `ConfigError`, `LedgerError`.
    """
    keyed = {record.key: record for record in await _jobs(ledger) if record.key is not None}
    _refuse_mixture(keyed, sandbox=sandbox)
    entries = {
        JobToken.decode(entry.token).job_id: entry
        for entry in Manifest(folder.manifest).entries().values()
        if entry.token is not None
    }
    whole = await anyio.to_thread.run_sync(
        lambda: {job_id for job_id, entry in entries.items() if folder.is_whole(entry)}
    )
    planner = _Planner(keyed, entries, whole, sandbox=sandbox, retry_failed=retry_failed)
    seen: Counter[str] = Counter()
    names = Names(folder.path, len(listed))
    rows = []
    for row in listed:
        identity = digest(row.request, await hashes(row.request))
        seen[identity] += 1
        rows.append(planner.row(row, f"{identity[:40]}-{seen[identity]}", names))
    ours = {row.job_id for row in rows}
    others = [entry for job_id, entry in entries.items() if job_id in whole - ours]
    astray = [r for r in keyed.values() if r.id not in ours and not r.settled and _was_sent(r)]
    return Plan(rows, others, 0 if sandbox else len(astray))


async def _jobs(ledger: Ledger) -> list[JobRecord]:
    jobs: list[JobRecord] = []
    while page := await ledger.jobs(limit=1000, before=jobs[-1].id if jobs else None):
        jobs += page
    return jobs


def _refuse_mixture(keyed: Mapping[str, JobRecord], *, sandbox: bool) -> None:
    if any(key.startswith(_REAL if sandbox else _PRETENDED) for key in keyed):
        raise ConfigError(
            "This folder holds real videos; choose another one for --sandbox."
            if sandbox
            else "This folder holds videos of the sandbox; choose another one, or delete it."
        )


def _was_sent(record: JobRecord) -> bool:
    return record.newest.state is not AttemptState.QUEUED


class _Planner:
    def __init__(
        self,
        keyed: Mapping[str, JobRecord],
        entries: Mapping[str, Entry],
        whole: set[str],
        *,
        sandbox: bool,
        retry_failed: bool,
    ) -> None:
        self._keyed, self._entries, self._whole = keyed, entries, whole
        self._sandbox, self._retry_failed = sandbox, retry_failed
        self._now = time.time()

    def row(self, listed: Listed, identity: str, names: Names) -> BatchRow:
        """Plan one row; a generation of its key is a job, and the next one is made on purpose only."""
        prefix = (_PRETENDED if self._sandbox else _REAL) + identity
        generation, record = 0, None
        while (found := self._keyed.get(f"{prefix}-{generation}")) is not None:
            record = found
            generation += 1
        old = self._entries.get(record.id) if record else None
        if record is not None and not self._is_over(record):
            generation -= 1
        else:
            record = None
        file = (old and old.file) or names.name(listed.number, listed.request.prompt) + ".mp4"
        return BatchRow(
            listed=listed,
            key=f"{prefix}-{generation}",
            entry=self._entry(listed, record, old),
            job_id=record.id if record and _was_sent(record) and not record.frees_its_key else None,
            file=file,
            overwrite=bool(old and old.file),
        )

    def _is_over(self, record: JobRecord) -> bool:
        """Return whether the row needs another job than *record*."""
        match record.state:
            case JobState.CANCELLED:
                return True
            case JobState.FAILED:
                return self._retry_failed and _is_lasting(record)
            case _:
                # What an earlier sandbox knew is gone with it.
                return self._sandbox and record.id not in self._whole

    def _entry(self, listed: Listed, record: JobRecord | None, old: Entry | None) -> Entry:
        request = described(listed.request)
        if record is None:
            timings = Timings(created_at=self._now)
            return Entry(number=listed.number, request=request, timings=timings)
        if old is not None and record.id in self._whole:
            return evolve(old, number=listed.number, request=request)
        known = old.timings if old else Timings()
        entry = Entry(
            number=listed.number,
            request=request,
            provider=record.newest.account.partition(":")[0] if _was_sent(record) else None,
            file=old.file if old else None,
            token=old.token if old else None,
            timings=Timings(
                created_at=known.created_at or record.created_at,
                submitted_at=known.submitted_at or record.newest.claimed_at,
                rendered_at=known.rendered_at,
            ),
        )
        error = outcome(record) if record.state is JobState.FAILED and _is_lasting(record) else None
        if isinstance(error, PikaError):
            finished = evolve(entry.timings, finished_at=known.finished_at or self._now)
            return evolve(entry, state=RowState.FAILED, error=Failure.of(error), file=None, timings=finished)
        return entry


def _is_lasting(record: JobRecord) -> bool:
    """Return whether a failed job stays failed; one refused for the moment's reasons is simply sent again."""
    refusal = record.newest.outcome
    return not (record.frees_its_key and isinstance(refusal, Refusal) and refusal.error not in _LASTING)
