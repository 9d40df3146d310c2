"""A file that a process of the first release left when it was killed, with jobs in every state it knew.

`samples/write_first_release.py` wrote it, with that release's own code.
"""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pika_async._ledger.records import JobRecord
from pika_async.sandbox import Sandbox
from tests.ledger.records import states

pytestmark = pytest.mark.anyio

SAMPLE = Path(__file__).with_name("samples") / "killed_first_release.zip"
WAS = {
    "won": "succeeded",
    "failed sandbox-render-fails": "failed",
    "refused sandbox-moderated": "refused",
    "poor sandbox-no-balance": "refused",
    "running sandbox-never-finishes": "running",
    "doubt sandbox-dropped": "ambiguous",
    "hold": "submitting",
    "queued": "queued",
    "A cat, unresolved": "unresolved",
    "A cat, slotless": "unresolved",
    "A cat, abandoned": "unresolved",
    "A cat, resubmitted": "unresolved queued",
    "A cat, twice": "succeeded succeeded",
    "A cat, cancelled": "cancelled",
    "A cat, cancelling": "submitting",
    "A cat, vanished": "unresolved",
    "A cat, found": "succeeded",
}
OLD = """
SELECT jobs.id, jobs.state, cancel_requested, winner, key, attempts.id, account, attempts.state, slot,
superseded, abandoned, owner, claimed_at, task_id, bound_by
FROM jobs JOIN attempts ON job = seq ORDER BY jobs.id, number
"""


@pytest.fixture
def killed(path) -> Path:
    """Return the sample as a copy of the file: with what SQLite had not yet moved out of its log."""
    with zipfile.ZipFile(SAMPLE) as sample:
        assert "jobs.db-wal" in sample.namelist()
        sample.extractall(path.parent)
    return path


@pytest.fixture
def in_place(killed) -> Path:
    """Return the sample as if it had been made where it is."""
    with closing(sqlite3.connect(killed)) as connection:
        place = {"path": str(killed.resolve()), "inode": str(killed.stat().st_ino)}
        for name, value in place.items():
            connection.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))
        connection.commit()
    return killed


def rows(path: Path) -> list[tuple[Any, ...]]:
    """Read what the first release wrote."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(OLD).fetchall()


def as_rows(record: JobRecord) -> list[tuple[Any, ...]]:
    return [
        (
            *(record.id, record.state, record.cancel_requested, record.winner, record.key),
            *(a.id, a.account, a.state, a.slot, a.superseded, a.abandoned, a.owner, a.claimed_at),
            *(a.task and a.task.id, a.bound_by),
        )
        for a in record.attempts
    ]


def by_prompt(records: list[JobRecord]) -> dict[str, JobRecord]:
    return {record.request.prompt: record for record in records}


async def test_every_row_is_as_it_was(in_place, ledgers):
    """What may have passed the fence is called sending now, and a task found in the history echoed."""
    names = {"submitting": "sending", "history": "echo"}
    was = [tuple(names.get(value, value) for value in row) for row in rows(in_place)]
    ledger = await ledgers(in_place)
    records = sorted(await ledger.jobs(), key=lambda record: record.id)
    assert [row for record in records for row in as_rows(record)] == was
    expected = {prompt: states.replace("submitting", "sending") for prompt, states in WAS.items()}
    assert {prompt: states(record) for prompt, record in by_prompt(records).items()} == expected


async def test_paid_videos_extras_media_and_callbacks_are_there(in_place, ledgers):
    """What money bought, what was given, and what came in."""
    ledger = await ledgers(in_place)
    found = by_prompt(await ledger.jobs())
    links = {
        prompt: record.attempts[0].outcome.results[0].video_url
        for prompt, record in found.items()
        if record.winner
    }
    assert links["A cat, found"] == "https://cdn.example.com/late.mp4"
    assert links["won"].endswith(".mp4")
    assert [extra.task.id for extra in found["A cat, twice"].extras] == ["second"]
    assert found["A cat, vanished"].newest.task.id == "gone"
    assert found["A cat, unresolved"].request.image == b"png of unresolved"
    assert [received.attempt_id for received in await ledger.inbox_pending()] == ["unresolved-1"]
    usage = {account: await ledger.usage(account) for account in ("acedata:default", "acedata:hours")}
    assert [(u.slots, u.submits) for u in usage.values()] == [
        (3, 16),
        (5, 16),
    ]  # submits are the ledger's: 7 and 9


async def test_a_copy_doubts_what_may_have_been_sent_since(killed, ledgers):
    """Queued orders become doubts; of what was being sent, the lease decides, as everywhere."""
    ledger = await ledgers(killed)
    doubted = {
        prompt: states.replace("queued", "ambiguous").replace("submitting", "sending")
        for prompt, states in WAS.items()
    }
    assert {prompt: states(r) for prompt, r in by_prompt(await ledger.jobs()).items()} == doubted


async def test_what_was_paid_is_not_bought_again_and_what_was_queued_is_bought_once(in_place):
    """A client of today, with the keys of the orders of then."""
    async with Sandbox(render_time=0.0) as sandbox:
        options = {"ledger": in_place, "poll_interval": 0.01, "poll_rate": None, "max_concurrency": 8}
        async with sandbox.client("acedata", **options) as pika:
            won = await pika.generate("won", idempotency_key="order-1")
            assert won.video_url.endswith(".mp4")
            assert not sandbox.billed
            await pika.generate("queued", idempotency_key="order-2")
        assert sandbox.billed == {"queued": 1}
