"""What is known is read at once, from whatever thread, and never waited for."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest

from pika_async._ledger.sqlite import SqliteLedger
from pika_async.requests import Generate
from tests.ledger.records import claim, job

pytestmark = pytest.mark.anyio


async def test_the_loop_reads_what_another_process_committed(path, ledgers):
    """No order to the writer's thread is needed; requests and media come with it."""
    one, two = await ledgers(path), await ledgers(path)
    assert one.known("j") is None
    made = job(request=Generate("A cat", image=b"image"))
    await two.create(made)
    assert one.known("j") == made
    claimed = (await two.apply("j", claim())).after
    assert one.known("j") == claimed


async def test_any_thread_may_ask(path, ledgers):
    """A property of a job is asked for wherever the user is."""
    ledger = await ledgers(path)
    await ledger.create(job())
    assert ledger.known("j") == await asyncio.to_thread(ledger.known, "j") == job()


async def test_nothing_is_known_before_opening_and_after_closing(path, ledgers):
    """And no file is opened, or left open, by asking."""
    assert SqliteLedger(path).known("j") is None
    assert not path.exists()
    ledger = await ledgers(path)
    await ledger.create(job())
    assert ledger.known("j") == job()
    await ledger.aclose()
    assert ledger.known("j") is None
    assert not path.with_name("jobs.db-wal").exists()


async def test_a_writer_is_not_waited_for(path, ledgers):
    """Another process may hold its lock for long; readers of a WAL need none."""
    ledger = await ledgers(path)
    await ledger.create(job())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        before = time.monotonic()
        assert ledger.known("j") == job()
        assert time.monotonic() - before < 1.0


async def test_trouble_is_no_answer_and_heals(path, ledgers, monkeypatch):
    """Whoever must know asks the ledger itself."""
    ledger = await ledgers(path)
    await ledger.create(job())
    with monkeypatch.context() as broken:
        broken.setattr(ledger._reader, "_opened", lambda: 1 / 0)
        assert ledger.known("j") is None
    assert ledger.known("j") == job()


async def test_the_reader_cannot_write(path, ledgers):
    """It is there to look."""
    ledger = await ledgers(path)
    ledger.known("j")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        ledger._reader._connection.execute("DELETE FROM jobs")
