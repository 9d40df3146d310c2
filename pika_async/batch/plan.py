"""What is left to do for each row: its list, its ledger and its manifest compared. Changes nothing."""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import anyio.to_thread
from attrs import define, evolve, frozen

from pika_async._engine.files import hashes
from pika_async._token import JobToken
from pika_async.batch.folder import BatchFolder, Names, fits
from pika_async.batch.known import PRETENDED, REAL, KnownJob, RowKey, identity_of, known_jobs
from pika_async.batch.manifest import Entry, Manifest, RowState, Timings, described, without_secrets
from pika_async.batch.rows import Listed
from pika_async.errors import ConfigError

if TYPE_CHECKING:
    from pika_async._ledger import Ledger

_OURS: Final = re.compile(r"[0-9]{3,}-[^/]+\.mp4")
_SHOWN: Final = 10


@define(kw_only=True)
class PlannedRow:
    """A row on its way to its file; *entry* is what the manifest says of it.

    *key* names the one job that it may cost. *token* is that job, where something was sent for it: such a
    row is waited for and never ordered. *file* is the name the video will have, *overwrite* whether a file
    of ours may bear it already.
    """

    listed: Listed
    key: str
    entry: Entry
    token: str | None
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
    """All rows; *others* are entries of rows that the list no longer has.

    *astray* counts the jobs under way that belong to no row; *notes* are sentences for people.
    """

    rows: Sequence[PlannedRow]
    others: Sequence[Entry]
    astray: int
    notes: Sequence[str] = ()

    @property
    def entries(self) -> list[Entry]:
        """Return what the manifest is to say; whoever left the list comes last."""
        last = len(self.rows)
        moved = [evolve(entry, number=last + place) for place, entry in enumerate(self.others, 1)]
        return [row.entry for row in self.rows] + moved


async def make_plan(
    listed: Sequence[Listed],
    folder: BatchFolder,
    ledger: Ledger,
    *,
    sandbox: bool = False,
    retry_failed: bool = False,
    adopt: bool = False,
) -> Plan:
    """Find for each row its job in *ledger*, or its file in *folder*.

    A row is known again by what it asks for, wherever it stands in the list: a changed row is a new one,
    the same row twice is two. Raises `LedgerError`, and `ConfigError`: with the code `unknown_jobs` where the
    manifest names jobs that the ledger does not know, unless *adopt* takes them over by their tokens.
    """
    world = PRETENDED if sandbox else REAL
    jobs = [job async for job in known_jobs(ledger)]
    manifest = Manifest(folder.manifest)
    entries = list(manifest.entries().values())
    _refuse_mixture(jobs, entries, sandbox=sandbox)
    known = {job.id for job in jobs}
    by_job = {job_id: entry for entry in entries if (job_id := entry.job_id) is not None and job_id in known}
    orphans = [entry for entry in entries if entry.job_id not in known]
    whole = await anyio.to_thread.run_sync(lambda: _whole(entries, folder))
    strays = {token for token in manifest.unread if _job_id(token) not in known}
    unfinished = [entry for entry in orphans if entry.number not in whole and _may_be_paid(entry)]
    lost = [entry for entry in unfinished if not await _has(ledger, entry.job_id)]
    if (lost or strays) and not adopt:
        raise _unknown(lost, strays, folder)
    planner = _Planner(
        world=world,
        jobs=jobs,
        by_job=by_job,
        orphans=orphans,
        whole=whole,
        folder=folder,
        rows=len(listed),
        retry_failed=retry_failed,
    )
    seen: Counter[str] = Counter()
    rows = []
    for row in listed:
        identity = identity_of(row.request, await hashes(row.request))
        seen[identity] += 1
        rows.append(planner.row(row, RowKey(world=world, identity=identity, copy=seen[identity])))
    others = [
        entry
        for entry in entries
        if entry.number not in planner.used and (entry.number in whole or entry in unfinished)
    ]
    ours = {row.token for row in rows}
    astray = [job for job in jobs if job.standing == "open" and job.token not in ours]
    notes = [
        f"The job of an unreadable line of {folder.manifest.name} is {token}" for token in sorted(strays)
    ]
    return Plan(rows, others, len(astray), notes)


def _job_id(token: str | None) -> str | None:
    try:
        return None if token is None else JobToken.decode(token).job_id
    except ConfigError:
        return None


async def _has(ledger: Ledger, job_id: str | None) -> bool:
    """Return whether *ledger* has the job, as when an earlier run adopted it: without a row's key."""
    return job_id is not None and await ledger.get(job_id) is not None


def _label(token: str | None) -> str | None:
    try:
        return None if token is None else JobToken.decode(token).label
    except ConfigError:
        return None


def _whole(entries: Iterable[Entry], folder: BatchFolder) -> frozenset[int]:
    """Return the numbers of the entries whose video is here; a file is the video of one of them only."""
    first: dict[str, int] = {}
    for entry in entries:
        if entry.file is not None and folder.is_whole(entry):
            first.setdefault(entry.file, entry.number)
    return frozenset(first.values())


def _may_be_paid(entry: Entry) -> bool:
    """Return whether the job of *entry* may still bring, or have cost, a video that is not here."""
    if entry.token is None:
        return False
    error = entry.error if entry.state is RowState.FAILED else None
    return error is None or not (error.for_good or error.charged == "no")


def _unknown(lost: Sequence[Entry], strays: Iterable[str], folder: BatchFolder) -> ConfigError:
    lines = [f"  row {entry.number}: {entry.token}" for entry in lost]
    lines += [f"  a line that cannot be read: {token}" for token in sorted(strays)]
    error = ConfigError(
        f"{folder.manifest} names jobs that the ledger does not know ({len(lines)}); nothing was bought. "
        "Name the ledger that knows them with --ledger (Pika(ledger=...)). If it was lost or pruned, run "
        "again with --adopt (adopt=True): that takes the jobs over by their tokens, and buys nothing for "
        "their rows.",
        code="unknown_jobs",
        charged="unknown",
    )
    for line in lines[:_SHOWN]:
        error.add_note(line)
    if len(lines) > _SHOWN:
        error.add_note(f"  and {len(lines) - _SHOWN} more")
    return error


def _refuse_mixture(jobs: Iterable[KnownJob], entries: Iterable[Entry], *, sandbox: bool) -> None:
    wrong = REAL if sandbox else PRETENDED
    labels = (_label(entry.token) for entry in entries)
    pretended = (label == PRETENDED or label.startswith(f"{PRETENDED}-") for label in labels if label)
    if any(job.key.world == wrong for job in jobs) or any(said is not sandbox for said in pretended):
        raise ConfigError(
            "This folder holds real videos; choose another one for --sandbox."
            if sandbox
            else "This folder holds videos of the sandbox; choose another one, or delete it."
        )


def _description(request: Mapping[str, object]) -> str:
    return json.dumps(without_secrets(request), sort_keys=True)  # type: ignore[arg-type]


class _Planner:
    """Plans one row after the other; *used* are the numbers of the entries that belong to one."""

    def __init__(
        self,
        *,
        world: str,
        jobs: Iterable[KnownJob],
        by_job: Mapping[str, Entry],
        orphans: Sequence[Entry],
        whole: frozenset[int],
        folder: BatchFolder,
        rows: int,
        retry_failed: bool,
    ) -> None:
        self._by_job, self._whole, self._folder = by_job, whole, folder
        self._world, self._retry_failed = world, retry_failed
        self._now = time.time()
        self._names = Names(folder.path, rows, [e.file or "" for e in [*by_job.values(), *orphans]])
        self._newest: dict[tuple[str, int], KnownJob] = {}
        for job in jobs:
            held = self._newest.setdefault((job.key.identity, job.key.copy), job)
            if held.key.generation < job.key.generation:
                self._newest[job.key.identity, job.key.copy] = job
        self._keyed: dict[tuple[str, int], Entry] = {}
        self._described: defaultdict[str, deque[Entry]] = defaultdict(deque)
        for entry in orphans:
            key = RowKey.decode(entry.key)
            if key is not None:
                self._keyed[key.identity, key.copy] = entry
            self._described[_description(entry.request)].append(entry)
        self._files = Counter((entry.file or "").casefold() for entry in [*by_job.values(), *orphans])
        self.used: set[int] = set()

    def row(self, listed: Listed, key: RowKey) -> PlannedRow:
        """Plan one row; *key* is that of its first order."""
        job = self._newest.get((key.identity, key.copy))
        entry = self._by_job.get(job.id) if job is not None else None
        orphan = self._orphan(listed, key, by_words=job is None)
        if orphan is not None and (job is None or orphan.number in self._whole):
            return self._of_entry(listed, key, orphan)
        if entry is not None:
            self.used.add(entry.number)
        if job is None:
            return self._fresh(listed, key)
        return self._of_job(listed, job, entry)

    def _orphan(self, listed: Listed, key: RowKey, *, by_words: bool) -> Entry | None:
        """Find the entry of a row whose job the ledger does not know: by its key, or else *by_words*."""
        entry = self._keyed.get((key.identity, key.copy))
        if entry is not None and entry.number not in self.used:
            return entry
        if not by_words:
            return None
        alike = self._described.get(_description(described(listed.request)), deque())
        while alike and alike[0].number in self.used:
            alike.popleft()
        return alike[0] if alike else None

    def _of_entry(self, listed: Listed, key: RowKey, entry: Entry) -> PlannedRow:
        """Plan a row that only the manifest knows."""
        self.used.add(entry.number)
        ordered = RowKey.decode(entry.key)
        generation = ordered.generation if ordered is not None else 0
        key = evolve(key, generation=generation)
        failed = entry.error is not None and entry.state is RowState.FAILED and entry.error.for_good
        if entry.number in self._whole or (failed and not self._retry_failed):
            return self._planned(listed, key.encode(), entry, entry)
        if failed or not _may_be_paid(entry):
            return self._fresh(listed, evolve(key, generation=generation + failed), entry)
        begun = evolve(entry, state=RowState.QUEUED, error=None)
        return self._planned(listed, key.encode(), begun, entry, token=entry.token)

    def _of_job(self, listed: Listed, job: KnownJob, entry: Entry | None) -> PlannedRow:
        """Plan a row whose job the ledger knows."""
        if entry is not None and entry.number in self._whole:
            return self._planned(listed, job.stored, entry, entry)
        again = job.standing == "cancelled" or self._is_lost(job)
        if again or (job.standing == "failed" and self._retry_failed):
            return self._fresh(listed, evolve(job.key, generation=job.key.generation + 1), entry)
        if job.standing == "refused":
            return self._fresh(listed, job.key, entry)
        known = entry.timings if entry else Timings()
        timings = Timings(
            created_at=known.created_at or job.created_at,
            submitted_at=known.submitted_at or job.submitted_at,
            rendered_at=known.rendered_at,
        )
        sent = job.standing != "unsent"
        begun = Entry(
            number=listed.number,
            request={},
            provider=job.provider if sent else None,
            file=entry.file if entry else None,
            token=job.token if sent else None,
            timings=timings,
        )
        if job.standing == "failed":
            finished = evolve(timings, finished_at=known.finished_at or self._now)
            begun = evolve(begun, state=RowState.FAILED, error=job.failure, timings=finished)
        return self._planned(listed, job.stored, begun, entry, token=job.token if sent else None)

    def _is_lost(self, job: KnownJob) -> bool:
        # Earlier versions gave each sandbox an account of its own, and the tasks went with it.
        return self._world == PRETENDED and job.account != PRETENDED

    def _fresh(self, listed: Listed, key: RowKey, old: Entry | None = None) -> PlannedRow:
        """Plan a row that is to be ordered."""
        begun = Entry(number=listed.number, request={}, timings=Timings(created_at=self._now))
        return self._planned(listed, key.encode(), begun, old)

    def _planned(
        self, listed: Listed, key: str, entry: Entry, old: Entry | None, *, token: str | None = None
    ) -> PlannedRow:
        file = self._own_file(old)
        done, waits = entry.state is RowState.DONE, entry.state is RowState.QUEUED and token is not None
        poster = entry.poster if self._folder.poster(entry.poster) else None
        return PlannedRow(
            listed=listed,
            key=key,
            entry=evolve(
                entry,
                number=listed.number,
                request=described(listed.request),
                key=key,
                file=entry.file if done else file if waits else None,
                poster=poster,
            ),
            token=token,
            file=(entry.file if done else file)
            or self._names.name(listed.number, listed.request.prompt) + ".mp4",
            overwrite=file is not None,
        )

    def _own_file(self, old: Entry | None) -> str | None:
        """Return the name that a batch gave a row before, unless somebody wrote another one in its place."""
        file = old.file if old is not None else None
        if file is None or not _OURS.fullmatch(file) or self._folder.video(file) is None:
            return None
        return file if self._files[file.casefold()] == 1 and fits(file) else None
