"""What a ledger knows of a batch's jobs."""

import pytest

from pika_async import Generate
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Refusal
from pika_async.batch.known import RowKey, identity_of, known_jobs
from pika_async.results import Task

pytestmark = pytest.mark.anyio

CAT = RowKey(world="batch", identity=identity_of(Generate("A cat"), {}), copy=1)


def job(key=CAT, end=JobState.OPEN, request=None, **attempt):
    """Make the record of a job with one attempt."""
    only = Attempt(id="j-1", job_id="j", number=1, account="acedata:default", **attempt)
    return JobRecord(
        id="j",
        request=request or Generate("A cat"),
        created_at=1.0,
        attempts=(only,),
        key=key if key is None or isinstance(key, str) else key.encode(),
        state=end,
    )


async def known(record):
    ledger = MemoryLedger()
    await ledger.create(record)
    return [found async for found in known_jobs(ledger)]


def test_a_key_is_read_as_it_was_written():
    """The keys of the first release are these."""
    key = RowKey(world="batch", identity="0" * 40, copy=2, generation=3)
    assert key.encode() == f"batch-{'0' * 40}-2-3"
    assert RowKey.decode(key.encode()) == key


@pytest.mark.parametrize("text", [None, "", "mine", "batch-", f"batch-{'0' * 40}-1", f"other-{'0' * 40}-1-0"])
async def test_jobs_of_others_are_left_alone(text):
    """A ledger may hold more than a batch."""
    assert RowKey.decode(text) is None
    assert await known(job(text)) == []


@pytest.mark.parametrize(
    ("state", "attempt", "standing"),
    [
        (JobState.OPEN, {}, "unsent"),
        (JobState.OPEN, {"state": AttemptState.RUNNING, "task": Task("t")}, "open"),
        (JobState.OPEN, {"state": AttemptState.AMBIGUOUS}, "open"),
        (JobState.SUCCEEDED, {"state": AttemptState.SUCCEEDED}, "succeeded"),
        (JobState.CANCELLED, {"state": AttemptState.CANCELLED}, "cancelled"),
        (JobState.FAILED, {"state": AttemptState.FAILED}, "failed"),
        (
            JobState.FAILED,
            {"state": AttemptState.REFUSED, "outcome": Refusal(error="RateLimited", message="Later.")},
            "refused",
        ),
        (
            JobState.FAILED,
            {"state": AttemptState.REFUSED, "outcome": Refusal(error="ContentBlocked", message="No.")},
            "failed",
        ),
    ],
)
async def test_where_a_job_stands(state, attempt, standing):
    """One word decides what a batch does with the row."""
    (found,) = await known(job(end=state, **attempt))
    assert (found.standing, found.key, found.provider) == (standing, CAT, "acedata")


async def test_a_key_of_an_older_version_is_known_by_what_it_asks_for():
    """Digests may change from one version to the next; requests do not."""
    old = RowKey(world="batch", identity="0" * 40, copy=1)
    (found,) = await known(job(old))
    assert (found.key, found.stored) == (CAT, old.encode())


async def test_a_request_that_cannot_be_read_keeps_its_key():
    """A row of a newer version is still a row that was ordered."""
    (found,) = await known(job(request={"kind": "dance"}))
    assert found.key == CAT


def test_equal_requests_are_equal():
    """Only what they ask for counts, and a key made of it can be read again."""
    assert RowKey.decode(CAT.encode()) == CAT
    assert identity_of(Generate("A cat"), {}) == identity_of(Generate("A cat", seed=None), {})
