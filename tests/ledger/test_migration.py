"""A ledger that the first release wrote: it opens, keeps its jobs, and is the old process's no more."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pika_async._ledger.sqlite import schema
from pika_async._ledger.sqlite.news import newest
from pika_async.requests import Blob, Generate
from pika_async.results import Pending, Task
from tests.ledger.records import claim, pending, states, told

pytestmark = pytest.mark.anyio

SAMPLE = Path(__file__).with_name("samples") / "first_release.sql"


@pytest.fixture
def first_release(path) -> Path:
    """Return the sample in its place, as if it had been made there."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SAMPLE.read_text())
        place = {"path": str(path.resolve()), "inode": str(path.stat().st_ino)}
        for name, value in place.items():
            connection.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))
        connection.commit()
        ledger_id, epoch = (
            connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0]
            for name in ("id", "epoch")
        )
    path.with_name("jobs.db.epoch").write_text(f"{ledger_id} {epoch} done\n")
    return path


async def test_jobs_of_the_first_release_go_on(first_release, ledgers, caplog):
    """Queued, running and ended ones, with requests, media and further tasks."""
    ledger = await ledgers(first_release)
    found = {record.id: states(record) for record in await ledger.jobs()}
    assert found == {
        "queued": "queued",
        "running": "running",
        "found": "running",
        "won": "succeeded",
        "doubt": "ambiguous",
        "failed": "failed",
        "media": "queued",
    }
    assert "".join(record.id[0] for record in await ledger.open_jobs()) == "qrfdm"
    won = await ledger.get("won")
    assert (won.winner, won.extras) == ("won-1", (Pending(task=Task("t4")),))
    assert (won.fallbacks, won.callback_url) == ((), None)
    media = Generate("A dog", image=b"image", video=Blob(b"video", "video/mp4", "v.mp4"))
    assert (await ledger.get("media")).request == media
    usage = await ledger.usage("acedata:default")
    assert (usage.slots, usage.submits, usage.next_submit_at) == (3, 5, 0.0)
    assert len(await ledger.inbox_pending()) == 2
    assert not [record for record in caplog.records if record.name == "pika_async"]


async def test_what_it_called_history_is_an_echo(first_release, ledgers):
    """The strongest proof stays the strongest."""
    ledger = await ledgers(first_release)
    assert (await ledger.get("found")).newest.bound_by == "echo"
    assert (await ledger.get("running")).newest.bound_by == "answer"


async def test_its_orders_are_sent_and_accepted(first_release, ledgers):
    """Everything that may happen to a job may happen to an old one."""
    ledger = await ledgers(first_release)
    assert (await ledger.apply("queued", claim(1, "queued"))).moved
    assert (await ledger.apply("queued", told(1, pending("t9"), job_id="queued"))).moved
    assert (await ledger.apply("found", told(1, pending("t2", where="eu"), "echo", job_id="found"))).moved
    assert (await ledger.create(await ledger.get("media"))).moved is False
    assert await ledger.prune(5000.0) == 2
    await ledger.aclose()
    assert states(await (await ledgers(first_release)).get("queued")) == "running"


OLD_STATEMENTS = [
    "SELECT job, number, id, account, state, version, slot FROM attempts WHERE job IN (1)",
    """INSERT INTO attempts (job, number, id, account, state, version, slot, superseded, abandoned,
    not_before, lease_until, resolve_after, slot_until, negatives)
    VALUES (1, 1, 'q', 'a', 'submitting', 1, 1, 0, 0, 0, 0, 0, 0, 0)
    ON CONFLICT (job, number) DO UPDATE SET state = excluded.state""",
    """SELECT job FROM attempts INDEXED BY attempts_open
    WHERE state IN ('ambiguous', 'queued', 'running', 'submitting', 'unresolved')""",
]


@pytest.mark.parametrize("statement", OLD_STATEMENTS)
async def test_a_process_of_the_first_release_cannot_go_on_buying(first_release, ledgers, statement):
    """It has the file open while a newer one brings it forward: its reads and claims fail there."""
    with closing(sqlite3.connect(first_release, isolation_level=None)) as old:
        old.execute(statement).fetchall()
        await ledgers(first_release)
        with pytest.raises(sqlite3.OperationalError, match="no such table: attempts"):
            old.execute(statement)


async def test_an_older_process_is_refused_when_it_opens_the_file(
    first_release, ledgers, refusal, monkeypatch
):
    """It checks the version first."""
    await (await ledgers(first_release)).aclose()
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
    assert "a newer pika_async made it. Upgrade pika_async" in await refusal(first_release)


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ("{id} 1 done", "queued"),
        ("{id} 1 pending", "queued"),
        ("{id} 2 pending", "queued"),
        ("{id} 2 done", "ambiguous"),
        ("another 1 done", "ambiguous"),
        ("", "ambiguous"),
    ],
)
async def test_a_restored_file_of_the_first_release_is_noticed(first_release, ledgers, beside, expected):
    """By the words that it wrote beside the file; killed while counting on, it is no restore."""
    written = first_release.with_name("jobs.db.epoch")
    written.write_text(beside.format(id=written.read_text().split()[0]))
    ledger = await ledgers(first_release)
    assert states(await ledger.get("queued")) == expected


async def test_the_epoch_goes_on_from_the_old_one(first_release, ledgers):
    """A file that only grows a number stays comparable."""
    ledger = await ledgers(first_release)
    assert await ledger._writer.read(lambda batch: newest(batch.connection)) == 1
    await ledger.apply("queued", claim(1, "queued"))
    assert first_release.with_name("jobs.db.epoch").read_text().split()[1].lstrip("0") == "2"
