"""Opening a SQLite ledger: what is refused, with which words, and what is made sure of."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from contextlib import closing

import pytest

from pika_async._ledger.sqlite import columns, opening, place, schema
from pika_async.errors import LedgerError
from tests.ledger.records import (
    job,
)

pytestmark = pytest.mark.anyio

NOW = 2000.0


async def test_files_are_their_owners_alone(path, ledgers):
    """Prompts and the callback secret are nobody else's business, whatever the umask."""
    old = os.umask(0)
    try:
        ledger = await ledgers(path)
        await ledger.create(job())
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(["jobs.db", "jobs.db-wal", "jobs.db-shm", "jobs.db.epoch"], 0o600)


async def test_commits_are_as_durable_as_the_disk_allows(path, ledgers):
    """WAL, synchronous=FULL, and the full fsync of macOS."""
    ledger = await ledgers(path)
    pragmas = ("journal_mode", "synchronous", "fullfsync", "checkpoint_fullfsync")

    def read(batch):
        return [batch.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]

    assert await ledger._writer.read(read) == ["wal", 2, 1, 1]


async def test_a_missing_folder(tmp_path, refusal):
    """Made by nobody in passing: a mistyped path must not look like an empty ledger."""
    assert "folder nowhere does not exist" in await refusal(tmp_path / "nowhere" / "jobs.db")


async def test_a_folder_in_the_files_place(path, refusal):
    """A folder is no ledger."""
    path.mkdir()
    assert "it is a folder" in await refusal(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_an_unwritable_folder(path, refusal):
    """The system's own words say why."""
    path.parent.chmod(0o500)
    assert "cannot be made (Permission denied)" in await refusal(path)


async def test_a_folder_that_takes_no_file(monkeypatch, path, refusal):
    """The system's own words say why, also when it is root who asks."""

    def read_only(*_: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(place.os, "open", read_only)
    assert "cannot be made (Read-only file system)" in await refusal(path)


async def test_not_a_database(path, refusal):
    """Somebody's text file stays as it is."""
    path.write_text("my shopping list\n" * 100)
    assert "not a database" in await refusal(path)
    assert path.read_text().startswith("my shopping list")


async def test_another_programs_database(path, refusal):
    """It is not touched, not even its journal mode."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    before = path.read_bytes()
    assert "belongs to another program" in await refusal(path)
    assert path.read_bytes() == before


async def test_a_newer_ledger(path, ledgers, refusal):
    """An older program must not guess at a newer schema."""
    ledger = await ledgers(path)
    await ledger.aclose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "newer pika_async" in await refusal(path)


@pytest.mark.parametrize(
    ("statement", "lacking"),
    [
        ("DROP TABLE spending", "spending"),
        ("ALTER TABLE job_attempts DROP COLUMN price", "job_attempts.price"),
    ],
)
async def test_a_file_that_was_made_half_way(queued, statement, lacking, refusal):
    """It calls itself of the newest version, and lacks what that has: no command finds out by itself."""
    with closing(sqlite3.connect(queued)) as connection:
        connection.execute(statement)
    told = await refusal(queued)
    assert "it is incomplete" in told
    assert told.endswith(f"need none of its jobs. Missing: {lacking}.")


async def test_a_file_that_an_older_version_made_half_way(queued, refusal):
    """A step finds there what it is to make: that is no word of SQLite's for a person."""
    with closing(sqlite3.connect(queued)) as connection:
        connection.execute("PRAGMA user_version = 3")
    assert "it is incomplete" in await refusal(queued)


async def test_a_table_that_goes_while_the_file_is_open(path, ledgers):
    """Whoever meets it is told in the same words."""
    ledger = await ledgers(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE spending")
    with pytest.raises(LedgerError, match=r"it is incomplete.* no such table: spending"):
        await ledger.usage("")


def test_the_columns_are_those_that_the_migrations_make():
    """A step that adds a column adds it to the list as well."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for step in schema.MIGRATIONS:
            step(connection)
        assert columns.present(connection) == columns.COLUMNS


async def test_a_damaged_file(path, ledgers, refusal):
    """A page overwritten is noticed when it is read, and said so."""
    ledger = await ledgers(path)
    await ledger.create(job())
    await ledger.aclose()
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xff" * 3996
    path.write_bytes(data)
    assert "damaged" in await refusal(path)


@pytest.mark.parametrize(
    "kind",
    [
        *("nfs", "nfs4", "cifs", "smb3", "afs", "ceph", "glusterfs", "davfs"),
        *("9p", "drvfs", "virtiofs", "vboxsf", "fakeowner"),
        *("fuse", "fuse.sshfs", "fuse.davfs2", "fuse.new"),
    ],
)
async def test_a_network_file_system(monkeypatch, tmp_path, path, kind, refusal):
    """Their locks and fsync are not to be trusted with money; the nearest mount counts."""
    table = tmp_path / "mounts"
    table.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\nbroken\n")
    monkeypatch.setattr(place, "_MOUNTS", table)
    assert f"network file system ({kind})" in await refusal(path)


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "fuse.gocryptfs"]
)
def test_a_local_file_system_is_trusted(kind):
    """These promise what a ledger needs."""
    assert place.promise(kind) == "local"


async def test_a_file_system_that_nobody_knows_is_told(monkeypatch, tmp_path, path, ledgers, caplog):
    """It may be fine; whoever chose it can know."""
    (tmp_path / "mounts").write_text(f"/dev/a {tmp_path} newfs rw 0 0\n")
    monkeypatch.setattr(place, "_MOUNTS", tmp_path / "mounts")
    await ledgers(path)
    assert "a file system that we do not know (newfs)" in caplog.text


async def test_a_local_mount_inside_a_network_one(monkeypatch, tmp_path, ledgers):
    """Blanks in mount points are written in octal."""
    home = tmp_path / "my home"
    home.mkdir()
    table = tmp_path / "mounts"
    inner = str(home).replace(" ", "\\040")
    table.write_text(f"server:/x {tmp_path} nfs rw 0 0\n/dev/b {inner} xfs rw 0 0\n")
    monkeypatch.setattr(place, "_MOUNTS", table)
    await ledgers(home / "jobs.db")
    monkeypatch.setattr(place, "_MOUNTS", tmp_path / "no such table")
    await ledgers(tmp_path / "jobs.db")


async def test_a_file_system_without_shared_memory(monkeypatch, path, refusal):
    """Where WAL cannot be, processes could not share the file."""
    connect = sqlite3.connect

    class NoWal(sqlite3.Connection):
        def execute(self, statement, *values):
            return super().execute(statement.replace("journal_mode = WAL", "journal_mode = DELETE"), *values)

    monkeypatch.setattr(
        opening.sqlite3, "connect", lambda *args, **options: connect(*args, factory=NoWal, **options)
    )
    assert "share memory" in await refusal(path)


async def test_many_open_a_new_file_at_once(path, ledgers):
    """One of them makes the tables."""
    opened = await asyncio.gather(*(ledgers(path, patience=10) for _ in range(6)))
    assert len({ledger.id for ledger in opened}) == 1
    assert len({await ledger.secret() for ledger in opened}) == 1


async def test_an_older_file_becomes_a_newer_one(monkeypatch, path, ledgers):
    """Forward migration runs once, and keeps what is there."""
    ledger = await ledgers(path)
    await ledger.create(job())
    await ledger.aclose()
    runs = []

    def version_3(connection: sqlite3.Connection) -> None:
        runs.append(connection.execute("ALTER TABLE jobs ADD COLUMN colour TEXT"))

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, version_3))
    newer = await ledgers(path)
    assert await newer.get("j") == job()
    await ledgers(path)
    assert len(runs) == 1


async def test_a_migration_that_fails_changes_nothing(monkeypatch, path, ledgers, refusal):
    """All of it or nothing."""
    ledger = await ledgers(path)
    await ledger.aclose()

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (a)")
        connection.execute("CREATE TABLE half (a)")

    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
        assert "already exists" in await refusal(path)
    await ledgers(path)


async def test_keys_of_the_provider_are_nowhere_in_the_files(path, ledgers):
    """Nothing but the callback secret is secret here, and that is the ledger's own."""
    ledger = await ledgers(path)
    await ledger.create(job())
    assert len(await ledger.secret()) == 32
    assert ledger.id
    assert {b"api_key", b"Bearer"} & set(path.read_bytes().split()) == set()


async def test_an_epoch_that_cannot_be_written_stops_the_opening(queued, refusal):
    """Without it a later restore would go unnoticed."""
    queued.with_name("jobs.db.epoch").unlink()
    queued.with_name("jobs.db.epoch").mkdir()
    assert "jobs.db.epoch cannot be written" in await refusal(queued)


async def test_a_lock_while_the_journal_is_set_up_is_waited_for(monkeypatch, path, ledgers):
    """SQLite does not wait there by itself; another process may be making the file."""
    connect = sqlite3.connect
    refusals = [sqlite3.OperationalError("database is locked")] * 2

    class Busy(sqlite3.Connection):
        def execute(self, statement, *values):
            if "journal_mode" in statement and refusals:
                raise refusals.pop()
            return super().execute(statement, *values)

    monkeypatch.setattr(
        opening.sqlite3, "connect", lambda *args, **options: connect(*args, factory=Busy, **options)
    )
    await ledgers(path, patience=5)
    assert not refusals


async def test_a_lock_while_the_journal_is_set_up_may_last_too_long(monkeypatch, path, refusal):
    """Patience ends there too."""
    connect = sqlite3.connect

    class Busy(sqlite3.Connection):
        def execute(self, statement, *values):
            if "journal_mode" in statement:
                raise sqlite3.OperationalError("database is locked")
            return super().execute(statement, *values)

    monkeypatch.setattr(
        opening.sqlite3, "connect", lambda *args, **options: connect(*args, factory=Busy, **options)
    )
    assert "database is locked" in await refusal(path, patience=0.0)
