"""What a process remembers of the database: records with their revisions, to try first without reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define, field, frozen

from pika_async._ledger.evolve import evolve
from pika_async._ledger.postgres.rows import Row, usage_of
from pika_async._ledger.records import JobRecord, Usage
from pika_async._ledger.standing import settled
from pika_async.requests import MEDIA_FIELDS

_REMEMBERED = 10_000
_MEDIA_REMEMBERED = 64 << 20


@frozen
class Held:
    """A job as it was read or written, and the revision by which a write finds it unchanged.

    *record* is None where not even the attempts can be read.
    """

    revision: int
    record: JobRecord | None


@frozen(kw_only=True)
class Account:
    """An account's figures; *submits* are its own, *paced* counts how often its pace was set."""

    usage: Usage
    submits: int
    paced: int


@define
class Known:
    """Jobs and accounts as this process saw them last; whatever is decided on them is compared and set."""

    jobs: dict[str, Held]
    accounts: dict[str, Account]
    spent: Mapping[str, int] = field(factory=dict)
    media: int = 0

    @classmethod
    def nothing(cls) -> Known:
        return cls({}, {})

    def keep(self, job_id: str, held: Held) -> None:
        """Remember a job; the oldest are forgotten."""
        was = self.jobs.pop(job_id, None)
        if _request(held) is not _request(was):
            self.media += _weight(held) - _weight(was)
        self.jobs[job_id] = held
        while len(self.jobs) > _REMEMBERED or self.media > _MEDIA_REMEMBERED:
            oldest = next(iter(self.jobs))
            if oldest == job_id:
                break
            self.forget([oldest])

    def forget(self, job_ids: Iterable[str]) -> None:
        """Remember these jobs no longer."""
        for job_id in job_ids:
            self.media -= _weight(self.jobs.pop(job_id, None))

    def learn(self, rows: Iterable[Row]) -> None:
        """Take over accounts as they were read or written."""
        for row in rows:
            usage, paced = usage_of(row)
            self.accounts[row[0]] = Account(usage=usage, submits=usage.submits, paced=paced)

    def learn_spending(self, rows: Iterable[Row]) -> None:
        """Take over the sums of prices as they were read or written, in millionths by unit."""
        told = {**self.spent, **{unit: micros for unit, micros, *_ in rows}}
        self.spent = {unit: micros for unit, micros in told.items() if micros}

    def usage(self, account: str) -> Usage:
        """Return what an account uses, with the submits and prices of all accounts."""
        found = self.accounts.get(account)
        submits = sum(other.submits for other in self.accounts.values())
        usage = Usage() if found is None else found.usage
        return evolve(usage, submits=submits, spent=self.spent)

    def open(self) -> dict[str, int]:
        """Return the revisions of all jobs that may still change."""
        return {
            job_id: held.revision
            for job_id, held in self.jobs.items()
            if held.record is None or not settled(held.record)
        }


def _request(held: Held | None) -> object:
    return None if held is None or held.record is None else held.record.request


def _weight(held: Held | None) -> int:
    request = _request(held)
    total = 0
    for name in MEDIA_FIELDS if request is not None else ():
        value = getattr(request, name, None)
        for medium in value if isinstance(value, tuple) else (value,):
            total += len(getattr(medium, "data", medium if isinstance(medium, bytes) else b""))
    return total
