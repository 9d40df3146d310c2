"""Copied, moved and restored ledgers: what is called queued may have been sent since."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pika_async._ledger.records import AttemptState, JobState
from pika_async._ledger.sqlite import opening
from pika_async.errors import LedgerError
from tests.ledger.records import (
    after,
    attempt,
    claim,
    job,
    pending,
    refused,
    sending,
    states,
    succeeded,
    told,
)

pytestmark = pytest.mark.anyio

NOW = 2000.0


async def restart(ledgers, path: Path, *, name: str = "jobs.db") -> str:
    """Open a ledger again, maybe elsewhere; give the states of the job that was queued in it."""
    ledger = await ledgers(path.with_name(name) if path.name != name else path)
    return states(await ledger.get("j"))


async def test_the_same_file_is_trusted(queued, ledgers, caplog):
    """Reopened in its place, also through a link, it is no copy."""
    assert await restart(ledgers, queued) == "queued"
    link = queued.with_name("link.db")
    link.symlink_to(queued)
    assert await restart(ledgers, link, name="link.db") == "queued"
    assert not caplog.records


async def test_a_copy_doubts_what_is_queued(queued, ledgers, caplog):
    """The original may have sent it since; it goes on trusting itself."""
    shutil.copy(queued, queued.with_name("copy.db"))
    assert await restart(ledgers, queued, name="copy.db") == "ambiguous"
    assert "may have been sent" in caplog.text
    assert await restart(ledgers, queued) == "queued"


async def test_a_copied_folder_doubts_too(queued, ledgers, tmp_path):
    """The epoch came along, path and inode did not."""
    shutil.copytree(queued.parent, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("elsewhere"))
    assert await restart(ledgers, tmp_path / "elsewhere" / "jobs.db") == "ambiguous"


async def test_a_moved_folder_buys_nothing_twice(queued, ledgers, tmp_path):
    """A move cannot be told from a copy for sure, so it waits for a word; once."""
    (tmp_path / "old").mkdir()
    for file in list(queued.parent.glob("jobs.db*")):
        file.rename(tmp_path / "old" / file.name)
    moved = (tmp_path / "old").rename(tmp_path / "new") / "jobs.db"
    assert await restart(ledgers, moved) == "ambiguous"


async def test_a_backup_put_back_in_place_is_noticed(queued, ledgers, tmp_path):
    """Path and inode are the same; the epoch beside the file has moved on."""
    backup = tmp_path / "backup"
    shutil.copy(queued, backup)
    ledger = await ledgers(queued)
    await ledger.apply("j", claim())
    await ledger.aclose()
    queued.write_bytes(backup.read_bytes())
    assert await restart(ledgers, queued) == "ambiguous"


async def test_a_lost_epoch_is_doubt(queued, ledgers):
    """Without the file beside it nobody can tell."""
    queued.with_name("jobs.db.epoch").unlink()
    assert await restart(ledgers, queued) == "ambiguous"


async def test_a_crash_while_counting_on_is_no_restore(queued, ledgers):
    """Killed between the commit and the number beside the file: no false alarm."""
    beside = queued.with_name("jobs.db.epoch")
    before = beside.read_text()
    ledger = await ledgers(queued)
    await ledger.create(job(name="k"))
    await ledger.aclose()
    assert beside.read_text() != before
    beside.write_text(before)
    assert await restart(ledgers, queued) == "queued"


async def test_a_backup_of_a_moment_ago_is_noticed(queued, ledgers, tmp_path):
    """Taken while the process ran, right before a claim, and put back over the file: one change is enough."""
    ledger = await ledgers(queued)
    await ledger.create(job(name="k"))
    with closing(sqlite3.connect(queued)) as one, closing(sqlite3.connect(tmp_path / "backup")) as two:
        one.backup(two)
    await ledger.apply("j", claim())
    await ledger.aclose()
    queued.write_bytes((tmp_path / "backup").read_bytes())
    assert await restart(ledgers, queued) == "ambiguous"


async def test_a_lost_wal_is_noticed(queued, ledgers, tmp_path):
    """A crash, and a clean-up that took the newest commits for rubbish."""
    ledger = await ledgers(queued)
    copies = [queued, queued.with_name("jobs.db.epoch")]
    await ledger.apply("j", claim())
    for file in copies:
        shutil.copy(file, tmp_path / f"{file.name}.kept")
    await ledger.aclose()
    for file in copies:
        # In place: after a crash, the inode is still the same.
        file.write_bytes((tmp_path / f"{file.name}.kept").read_bytes())
    assert await restart(ledgers, queued) == "ambiguous"


async def test_a_restored_ledger_is_doubted_once(queued, ledgers, tmp_path, caplog):
    """Its number goes on from the one beside it, so that a second restore is noticed as well."""

    async def reopened() -> str:
        ledger = await ledgers(queued)
        found = states(await ledger.get("j"))
        await ledger.create(job(name="k"))
        await ledger.aclose()
        return found

    shutil.copy(queued, tmp_path / "backup")
    assert await reopened() == "queued"
    for _ in range(2):
        queued.write_bytes((tmp_path / "backup").read_bytes())
        caplog.clear()
        assert await reopened() == "ambiguous"
        assert "may have been sent" in caplog.text
        caplog.clear()
        assert await reopened() == "ambiguous"
        assert not [record for record in caplog.records if record.name == "pika_async"]


async def test_many_doubts_are_raised_a_page_at_a_time(path, ledgers, monkeypatch, caplog):
    """No order is left out, and none that may have been sent before the copy is touched."""
    monkeypatch.setattr(opening, "_DOUBTED_AT_ONCE", 2)
    ledger = await ledgers(path)
    for name in "abcde":
        await ledger.create(job(name=name))
    for name in "bc":
        await ledger.apply(name, claim(1, name))
    await ledger.apply("b", sending(1, "b"))
    await ledger.aclose()
    shutil.copy(path, path.with_name("copy.db"))
    copy = await ledgers(path.with_name("copy.db"))
    found = " ".join([states(record) for record in await copy.open_jobs()])
    assert found == "ambiguous sending ambiguous ambiguous ambiguous"
    assert "4 attempts that it calls unsent" in caplog.text


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
@pytest.mark.parametrize("trouble", ["moved", "deleted", "replaced"])
async def test_files_that_are_no_longer_in_their_places_stop_the_next_claim(queued, ledgers, end, trouble):
    """Whatever is committed to a deleted file is bought and forgotten."""
    ledger = await ledgers(queued)
    file = queued.with_name(queued.name + end)
    away = file.with_name("away")
    shutil.copy(file, away) if trouble == "deleted" else file.rename(away)
    if trouble == "deleted":
        file.unlink()
    if trouble == "replaced":
        shutil.copy(away, file)
    with pytest.raises(LedgerError, match="moved, deleted or replaced") as caught:
        await ledger.apply("j", claim())
    assert caught.value.recorded is False
    assert states(await ledger.get("j")) == "queued"


async def test_a_file_that_is_put_back_serves_again(queued, ledgers):
    """A folder renamed by mistake costs no evidence: what waits is written when it is back."""
    ledger = await ledgers(queued)
    folder = queued.parent.rename(queued.parent.with_name("renamed"))
    with pytest.raises(LedgerError, match=r"Put jobs\.db back"):
        await ledger.apply("j", claim())
    folder.rename(queued.parent)
    assert states((await ledger.apply("j", claim())).after) == "submitting"


async def test_a_file_put_back_under_a_running_process_stops_the_next_claim(queued, ledgers):
    """The number in the file is smaller than the one beside it."""
    ledger, other = await ledgers(queued), await ledgers(queued)
    await other.create(job(name="k"))
    with closing(sqlite3.connect(queued)) as connection, connection:
        connection.execute("DELETE FROM news WHERE number = (SELECT max(number) FROM news)")
    for one in (ledger, other):
        with pytest.raises(LedgerError, match="earlier state"):
            await one.apply("j", claim())


async def test_a_restored_running_job_keeps_its_task(path, ledgers):
    """Only what is called queued is in doubt."""
    ledger = await ledgers(path)
    await ledger.create(job())
    await ledger.apply("j", claim())
    await ledger.apply("j", told(1, pending()))
    await ledger.aclose()
    shutil.copy(path, path.with_name("copy.db"))
    assert await restart(ledgers, path, name="copy.db") == "running"


async def test_a_callback_lands_on_a_restored_row(queued, ledgers):
    """Kill point 15: the copy learns of what the original had sent, and buys nothing."""
    shutil.copy(queued, queued.with_name("copy.db"))
    ledger = await ledgers(queued.with_name("copy.db"))
    record = (await ledger.apply("j", told(1, succeeded(), "callback"))).after
    assert record.state is JobState.SUCCEEDED
    assert record == after(
        job(
            attempt(
                state=AttemptState.AMBIGUOUS,
                version=1,
                owner=None,
                claimed_at=None,
                resolve_after=0.0,
                slot_until=0.0,
            )
        ),
        told(1, succeeded(), "callback"),
    )


async def test_only_the_queued_attempt_of_a_job_is_doubted(path, ledgers):
    """What was refused before it stays refused."""
    ledger = await ledgers(path)
    await ledger.create(job())
    await ledger.apply("j", claim())
    await ledger.apply("j", refused(following=2))
    await ledger.aclose()
    shutil.copy(path, path.with_name("copy.db"))
    assert await restart(ledgers, path, name="copy.db") == "refused ambiguous"
