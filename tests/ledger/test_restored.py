"""Copied, moved and restored ledgers: what is called queued may have been sent since."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pika_async._ledger.records import AttemptState, JobState
from tests.ledger.records import (
    after,
    attempt,
    claim,
    job,
    pending,
    refused,
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
    await ledger.apply("j", claim(), NOW)
    await ledger.aclose()
    queued.write_bytes(backup.read_bytes())
    assert await restart(ledgers, queued) == "ambiguous"


async def test_a_lost_epoch_is_doubt(queued, ledgers):
    """Without the file beside it nobody can tell."""
    queued.with_name("jobs.db.epoch").unlink()
    assert await restart(ledgers, queued) == "ambiguous"


async def test_a_crash_while_counting_on_is_no_restore(queued, ledgers):
    """Killed before the commit, or between the commit and the last word: no false alarm."""
    beside = queued.with_name("jobs.db.epoch")
    name, epoch, _ = beside.read_text().split()
    beside.write_text(f"{name} {int(epoch) + 1} pending\n")
    assert await restart(ledgers, queued) == "queued"
    name, epoch, word = beside.read_text().split()
    assert word == "done"
    beside.write_text(f"{name} {epoch} pending\n")
    assert await restart(ledgers, queued) == "queued"


async def test_the_epoch_counts_on_while_the_ledger_works(queued, ledgers, tmp_path):
    """A backup taken while the process ran, put back over the file, is noticed too."""
    ledger = await ledgers(queued)
    backup = tmp_path / "backup"
    shutil.copy(queued, backup)
    ledger._writer._epoch_until = 0.0
    await ledger.apply("j", claim(), NOW)
    await ledger.aclose()
    queued.write_bytes(backup.read_bytes())
    assert await restart(ledgers, queued) == "ambiguous"


async def test_a_restored_running_job_keeps_its_task(path, ledgers):
    """Only what is called queued is in doubt."""
    ledger = await ledgers(path)
    await ledger.create(job())
    await ledger.apply("j", claim(), NOW)
    await ledger.apply("j", told(1, pending()), NOW)
    await ledger.aclose()
    shutil.copy(path, path.with_name("copy.db"))
    assert await restart(ledgers, path, name="copy.db") == "running"


async def test_a_callback_lands_on_a_restored_row(queued, ledgers):
    """Kill point 15: the copy learns of what the original had sent, and buys nothing."""
    shutil.copy(queued, queued.with_name("copy.db"))
    ledger = await ledgers(queued.with_name("copy.db"))
    record = await ledger.apply("j", told(1, succeeded(), "callback"), NOW)
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
    await ledger.apply("j", claim(), NOW)
    await ledger.apply("j", refused(following=2), NOW)
    await ledger.aclose()
    shutil.copy(path, path.with_name("copy.db"))
    assert await restart(ledgers, path, name="copy.db") == "refused ambiguous"
