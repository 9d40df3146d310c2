"""What is left to do for each row: its list, its ledger and its manifest compared. Changes nothing."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import anyio.to_thread
from attrs import evolve, frozen

from pika_async._engine.files import hashes
from pika_async._token import JobToken
from pika_async.batch.entry import Entry
from pika_async.batch.folder import BatchFolder
from pika_async.batch.known import PRETENDED, REAL, KnownJob, RowKey, identity_of, known_jobs
from pika_async.batch.manifest import Manifest
from pika_async.batch.planner import PlannedRow, Planner, may_be_paid
from pika_async.batch.rows import Listed
from pika_async.errors import ConfigError

if TYPE_CHECKING:
    from pika_async._ledger import Ledger

_OURS: Final = re.compile(r"[0-9]{3,}-[^/]+\.mp4")
_SHOWN: Final = 10


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
    unfinished = [entry for entry in orphans if entry.number not in whole and may_be_paid(entry)]
    ordered = {(job.key.identity, job.key.copy) for job in jobs}
    lost = [entry for entry in unfinished if not await _is_known(entry, ledger, ordered)]
    if (lost or strays) and not adopt:
        raise _unknown(lost, strays, folder)
    planner = Planner(
        world=world,
        jobs=jobs,
        by_job=by_job,
        orphans=orphans,
        whole=whole,
        folder=folder,
        rows=len(listed),
        retry_failed=retry_failed,
        now=time.time(),
    )
    seen: Counter[str] = Counter()
    rows = []
    for row in listed:
        identity = identity_of(row.request, await hashes(row.request))
        seen[identity] += 1
        rows.append(planner.row(row, RowKey(world=world, identity=identity, copy=seen[identity])))
    kept = whole | {entry.number for entry in unfinished}
    others = [entry for entry in entries if entry.number in kept - planner.used]
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


async def _is_known(entry: Entry, ledger: Ledger, ordered: Collection[tuple[str, int]]) -> bool:
    """Return whether *ledger* has the job of *entry*, as when an earlier run adopted it without a row's key.

    A token that cannot be read says nothing; the row's key does.
    """
    if entry.job_id is None:
        key = RowKey.decode(entry.key)
        return key is not None and (key.identity, key.copy) in ordered
    return await ledger.get(entry.job_id) is not None


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
