"""SQLite ledgers that are closed at the end of a test, and words with which they refuse to open."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import define

from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.errors import LedgerError
from tests.ledger.records import job


@define
class Clock:
    """The wall clock of a test."""

    now: float = 2000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return the time by which ledgers stamp."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the file's place."""
    return tmp_path / "jobs.db"


@pytest.fixture
async def ledgers(clock):
    """Open ledgers that are closed at the end of the test, whatever becomes of it."""
    opened: list[SqliteLedger] = []

    async def open_one(path: Path, **options) -> SqliteLedger:
        ledger = SqliteLedger(path, **{"patience": 0.2, **options})
        opened.append(ledger)
        await ledger.open(clock)
        return ledger

    yield open_one
    for ledger in opened:
        await ledger.aclose()


@pytest.fixture
def refusal():
    """Return the words with which a ledger refuses to open."""

    async def words(path: Path, **options) -> str:
        ledger = SqliteLedger(path, **{"patience": 0.2, **options})
        with pytest.raises(LedgerError) as caught:
            await ledger.open()
        assert str(caught.value).startswith("The ledger jobs.db cannot be used: ")
        with pytest.raises(LedgerError, match="not open"):
            await ledger.get("j")
        return str(caught.value)

    return words


@pytest.fixture
async def queued(path, ledgers) -> Path:
    """Return a closed ledger with one queued job."""
    ledger = await ledgers(path)
    await ledger.create(job())
    await ledger.aclose()
    return path


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def ledger(request, tmp_path, clock):
    """Return one ledger of each kind."""
    match request.param:
        case "memory":
            opened = MemoryLedger()
        case "sqlite":
            opened = SqliteLedger(tmp_path / "jobs.db")
        case _:
            dsn = request.getfixturevalue("dsn")
            from pika_async._ledger.postgres import PostgresLedger

            opened = PostgresLedger(dsn, wall=clock)
    await opened.open(clock)
    yield opened
    await opened.aclose()
