"""What a ledger knows of the jobs that a batch ordered, one value a job."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import frozen

from pika_async._engine.digest import digest
from pika_async._engine.verdict import outcome
from pika_async._ledger.records import AttemptState, JobRecord, JobState
from pika_async._ledger.standing import frees_its_key
from pika_async._token import JobToken
from pika_async.batch.entry import Failure

if TYPE_CHECKING:
    from pika_async._ledger import Ledger

REAL: Final = "batch"
PRETENDED: Final = "sandbox"

_KEY: Final = re.compile(rf"({REAL}|{PRETENDED})-([0-9a-f]{{40}})-([0-9]{{1,9}})-([0-9]{{1,9}})")
_PAGE: Final = 500


@frozen(kw_only=True)
class RowKey:
    """The idempotency key of a row's job: what it asks for (*identity*), and which of equal rows it is.

    *generation* counts the orders of one row: a new one is made on a person's word only.
    """

    world: str
    identity: str
    copy: int
    generation: int = 0

    def encode(self) -> str:
        """Return the key as the ledger has it."""
        return f"{self.world}-{self.identity}-{self.copy}-{self.generation}"

    @classmethod
    def decode(cls, key: str | None) -> RowKey | None:
        """Read a key; None for one that no batch made."""
        found = _KEY.fullmatch(key or "")
        if found is None:
            return None
        return cls(world=found[1], identity=found[2], copy=int(found[3]), generation=int(found[4]))


@frozen(kw_only=True)
class KnownJob:
    """A job as the ledger has it.

    *key* names what the job asks for by the digests of today; *stored* is the key that the ledger has.
    *standing* is `unsent` before the first POST, `refused` where the provider refused it for a passing
    reason, `failed` where it failed for good. Times are in seconds since 1970 (UTC).
    """

    id: str
    key: RowKey
    stored: str
    token: str
    provider: str
    account: str
    standing: Literal["unsent", "open", "succeeded", "refused", "failed", "cancelled"]
    failure: Failure | None
    created_at: float
    submitted_at: float | None


async def known_jobs(ledger: Ledger) -> AsyncIterator[KnownJob]:
    """Read, newest first, every job that a batch ordered; never more than a page of the ledger at a time."""
    before: str | None = None
    while page := await ledger.jobs(limit=_PAGE, before=before):
        for record in page:
            key = RowKey.decode(record.key)
            if key is not None:
                yield _known(record, key)
        before = page[-1].id


def identity_of(request: Any, files: Any) -> str:
    """Return what a request asks for as text; equal requests are equal, wherever their files lie."""
    # Without the version at the end of a digest: a key is read again by the form that it always had.
    return digest(request, files)[:40]


def _known(record: JobRecord, key: RowKey) -> KnownJob:
    newest = record.newest
    provider, _, account = newest.account.partition(":")
    error = outcome(record) if record.state is JobState.FAILED else None
    failure = Failure.of(error) if isinstance(error, Exception) else None
    token = JobToken(
        job_id=record.id, provider=provider, label=account, task=newest.task, address=newest.address
    )
    return KnownJob(
        id=record.id,
        key=_of_today(record, key),
        stored=record.key or "",
        token=token.encode(),
        provider=provider,
        account=account,
        standing=_standing(record, failure),
        failure=failure,
        created_at=record.created_at,
        submitted_at=newest.claimed_at,
    )


def _of_today(record: JobRecord, key: RowKey) -> RowKey:
    """Return *key* with the identity of its request by the digests of this version of the library."""
    try:
        identity = identity_of(record.request, record.files or {})
    except (AttributeError, KeyError, TypeError, ValueError):
        # A request of another version, or a record without the digests of its files.
        return key
    return RowKey(world=key.world, identity=identity, copy=key.copy, generation=key.generation)


def _standing(
    record: JobRecord, failure: Failure | None
) -> Literal["unsent", "open", "succeeded", "refused", "failed", "cancelled"]:
    match record.state:
        case JobState.SUCCEEDED:
            return "succeeded"
        case JobState.CANCELLED:
            return "cancelled"
        case JobState.FAILED:
            passing = frees_its_key(record) and failure is not None and not failure.for_good
            return "refused" if passing else "failed"
        case JobState.OPEN:
            return "unsent" if record.newest.state is AttemptState.QUEUED else "open"
