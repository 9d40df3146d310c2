"""Callbacks in the file: those about attempts that are not here cannot pile up."""

from __future__ import annotations

import pytest

from pika_async._ledger.events import Cancel
from pika_async._ledger.sqlite import inbox
from tests.ledger.records import job

pytestmark = pytest.mark.anyio


async def test_orphans_are_pruned_by_their_age(path, ledgers, clock):
    """Nobody will ever deal with them: their jobs are in no ledger, or no more."""
    ledger = await ledgers(path)
    await ledger.create(job(name="a"))
    await ledger.inbox_put("a-1", b"", {})
    await ledger.inbox_put("gone-1", b"old", {})
    clock.now += 100
    await ledger.inbox_put("gone-1", b"young", {})
    assert await ledger.prune(clock.now) == 0
    assert [found.body for found in await ledger.inbox_pending()] == [b"", b"young"]


async def test_callbacks_go_with_their_pruned_job(path, ledgers, clock):
    """Whether dealt with or not."""
    ledger = await ledgers(path)
    await ledger.create(job(name="a", key="k"), Cancel())
    await ledger.inbox_put("a-1", b"", {})
    assert await ledger.prune(clock.now) == 1
    assert list(await ledger.inbox_pending()) == []


async def test_only_so_many_orphans_are_kept(path, ledgers, monkeypatch):
    """The newest; callbacks about known attempts are not counted among them."""
    monkeypatch.setattr(inbox, "ORPHANS_KEPT", 3)
    ledger = await ledgers(path)
    await ledger.create(job(name="a"))
    await ledger.inbox_put("a-1", b"", {})
    for number in range(9):
        assert await ledger.inbox_put(f"gone-{number}", b"", {})
    kept = [found.attempt_id for found in await ledger.inbox_pending()]
    assert kept == ["a-1", "gone-6", "gone-7", "gone-8"]


async def test_orphans_are_pruned_page_by_page(path, ledgers, clock, monkeypatch):
    """However many callbacks lie between them."""
    from pika_async._ledger.sqlite import pruning

    monkeypatch.setattr(pruning, "_CALLBACKS_AT_ONCE", 2)
    ledger = await ledgers(path)
    await ledger.create(job(name="a"))
    for number in range(4):
        await ledger.inbox_put("a-1", b"%d" % number, {})
        await ledger.inbox_put(f"gone-{number}", b"", {})
    await ledger.prune(clock.now + 1)
    assert [found.attempt_id for found in await ledger.inbox_pending()] == ["a-1"] * 4
