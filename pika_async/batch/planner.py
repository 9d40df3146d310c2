"""What is left to do for one row: its job, its file and its entry in the manifest compared."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from attrs import define, evolve

from pika_async.batch.describe import described, without_secrets
from pika_async.batch.entry import Entry, RowState, Timings
from pika_async.batch.folder import BatchFolder, Names, fits
from pika_async.batch.known import PRETENDED, KnownJob, RowKey
from pika_async.batch.rows import Listed
from pika_async.results import JSON

_OURS: Final = re.compile(r"[0-9]{3,}-[^/]+\.mp4")


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


def may_be_paid(entry: Entry) -> bool:
    """Return whether the job of *entry* may still bring, or have cost, a video that is not here."""
    if entry.token is None:
        return False
    error = entry.error if entry.state is RowState.FAILED else None
    return error is None or not (error.for_good or error.charged == "no")


def _description(request: Mapping[str, JSON]) -> str:
    """Return one text for descriptions that differ only in what requests clean; not every version did."""
    return json.dumps(_cleaned(without_secrets(request)), sort_keys=True)


def _cleaned(value: JSON) -> JSON:
    match value:
        case float() if value.is_integer():
            return int(value)
        case str():
            return unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n").strip())
        case dict():
            return {name: _cleaned(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_cleaned(inner) for inner in value]
        case _:
            return value


class Planner:
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
        now: float,
    ) -> None:
        self._by_job, self._whole, self._folder = by_job, whole, folder
        self._world, self._retry_failed, self._now = world, retry_failed, now
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
        if failed or not may_be_paid(entry):
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
            or self._names.name(listed.number, listed.request.prompt or "video") + ".mp4",
            overwrite=file is not None,
        )

    def _own_file(self, old: Entry | None) -> str | None:
        """Return the name that a batch gave a row before, unless another one was written in its place."""
        file = old.file if old is not None else None
        if file is None or not _OURS.fullmatch(file) or self._folder.video(file) is None:
            return None
        return file if self._files[file.casefold()] == 1 and fits(file) else None
