"""What `jobs --watch` shows of a fleet."""

from __future__ import annotations

import asyncio
from io import StringIO

import pytest
from rich.console import Console, Group

from pika_async.cli import _watch
from pika_async.fleet import AccountStatus, FleetStatus, WorkerStatus
from pika_async.provider import Secret

WORKER = WorkerStatus(
    label="vm-1:42",
    version="0.2.0",
    accounts=("acedata:default",),
    places=32,
    busy=3,
    max_concurrency=16,
    silent=1.2,
)
ACCOUNT = AccountStatus(
    account="acedata:default",
    queued=7,
    oldest_queued=90.0,
    running=5,
    slots=5,
    submits=12,
    poller="vm-1:42",
    paused="The balance is empty.",
)


def printed(*parts):
    """Print *parts* as a wide terminal does."""
    console = Console(file=StringIO(), width=200)
    console.print(Group(*parts))
    return console.file.getvalue()


def test_workers_places_the_oldest_order_and_the_poller_are_shown():
    """And why an account stands still."""
    shown = printed(*_watch.tables(FleetStatus(workers=(WORKER,), accounts=(ACCOUNT,))))
    for part in ("vm-1:42", "3 of 32", "acedata:default", "7", "90 s", "The balance is empty."):
        assert part in shown


def test_a_fleet_without_workers_says_so():
    """Orders wait, and somebody has to start one."""
    assert "no worker lives" in printed(*_watch.tables(FleetStatus(workers=(), accounts=(ACCOUNT,))))


@pytest.mark.anyio
async def test_it_is_shown_anew_until_it_is_cancelled(monkeypatch, capsys):
    """The fleet and the newest jobs."""
    asked, enough = [], asyncio.Event()

    async def status(_):
        return FleetStatus(workers=(WORKER,), accounts=(ACCOUNT,))

    async def jobs():
        asked.append(1)
        if len(asked) == 3:
            enough.set()
        return "the newest jobs"

    monkeypatch.setattr("pika_async.fleet.status", status)
    monkeypatch.setattr(_watch, "_EVERY", 0.0)
    watching = asyncio.ensure_future(_watch.watch(Secret("postgresql://db/shop"), jobs))
    await enough.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    shown = capsys.readouterr().out
    assert "vm-1:42" in shown
    assert "the newest jobs" in shown
