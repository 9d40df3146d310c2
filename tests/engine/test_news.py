"""What other clients did to a shared ledger, seen by those who wait."""

from __future__ import annotations

import pytest

from pika_async.errors import LedgerError
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import Host, scene

pytestmark = pytest.mark.anyio


async def test_memory_is_not_asked(monkeypatch):
    """Nobody else writes there."""
    async with scene() as s:
        monkeypatch.setattr(s.engine.desk.ledger, "news", None)
        await s.clock.advance(60)


async def test_an_end_that_another_found_is_told_here():
    """With the same effects as our own."""
    ledger, clock = SharedLedger(), FakeClock()
    hosts = {"scripted": Host(clock)}
    shared = {"ledger": ledger, "clock": clock, "hosts": hosts}
    async with scene(**shared) as one, scene(**shared) as two:
        waits = [one.begin(one.pika.generate("a cat")), two.begin(two.pika.generate("a dog"))]
        await clock.advance(30)
        assert sorted(wait.result().id for wait in waits) == ["t1", "t2"]


async def test_only_what_was_named_is_read(monkeypatch):
    """Reading everything on each change would stop a large fleet."""
    ledger, read = SharedLedger(), []
    named = []

    async def news():
        return tuple(named)

    async def get(job_id):
        read.append(job_id)
        return ledger.known(job_id)

    async with scene(ledger=ledger) as s:
        await s.pika.submit("a cat")
        monkeypatch.setattr(ledger, "news", news)
        monkeypatch.setattr(ledger, "get", get)
        await s.clock.advance(5)
        assert not read
        named.append("somebody")
        await s.clock.advance(5)
        assert set(read) == {"somebody"}


async def test_a_ledger_that_fails_is_asked_again(monkeypatch, caplog):
    """The log says so."""
    ledger, asked = SharedLedger(), []

    async def fails():
        asked.append(1)
        raise LedgerError("The disk is full.")

    async with scene(ledger=ledger) as s:
        monkeypatch.setattr(ledger, "news", fails)
        await s.clock.advance(20)
        assert len(asked) > 3
    assert "cannot be watched" in caplog.text
