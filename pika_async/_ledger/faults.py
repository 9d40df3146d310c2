"""How a ledger says that it cannot: one plain sentence for whoever must act.

Every error from here was raised before anything was recorded, unless it says otherwise.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pika_async.errors import LedgerError

if TYPE_CHECKING:
    import sqlite3

OUTDATED: Final = "outdated"
"""The *code* of the error for a ledger that only newer releases may write to."""

INCOMPLETE: Final = (
    "it is incomplete, and may be of a pika_async that was never released. Use the version that made it, "
    "restore it from a backup, or move it away if you need none of its jobs"
)
_UNKNOWN_NAME = re.compile(r"no such (table|column)|has no column named|duplicate column name|already exists")
_ADVICE = {
    "FULL": "the disk is full. Free some space, then try again",
    "BUSY": "another process keeps it locked. End that process, then try again",
    "LOCKED": "another process keeps it locked. End that process, then try again",
    "CORRUPT": "the file is damaged. Restore it from a backup, or choose another file",
    "NOTADB": "the file is not a database. Choose another file",
    "READONLY": "the file is read-only. Allow writing to it and to its folder",
    "PERM": "access is denied. Allow writing to it and to its folder",
    "CANTOPEN": "it cannot be opened. Allow writing to it and to its folder",
    "IOERR": "the disk reports an error. Check the disk, then try again",
}


def not_recorded(message: str) -> LedgerError:
    """Make the error for what is surely not in the ledger."""
    error = LedgerError(message)
    error.recorded = False
    return error


def from_sqlite(error: sqlite3.Error, path: Path) -> LedgerError:
    """Say in our words what SQLite says in its own; the cause is kept by whoever raises it."""
    name = getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_").partition("_")[0]
    if name == "ERROR" and _UNKNOWN_NAME.search(str(error)):
        return unusable(path, f"{INCOMPLETE}. SQLite says: {str(error).rstrip('.')}")
    advice = _ADVICE.get(name, f"SQLite says {str(error).rstrip('.')}. Check the file, or choose another")
    return unusable(path, advice)


def unusable(path: Path, why: str) -> LedgerError:
    """Make the error for a file that cannot be a ledger; *why* says what to do."""
    return not_recorded(f"The ledger {path.name} cannot be used: {why}.")


def unknown_job(job_id: str) -> LedgerError:
    """Make the error for a job that is not here."""
    return not_recorded(f"The ledger does not know job {job_id}; check the id and the ledger.")


def unreadable_job(job_id: str) -> LedgerError:
    """Make the error for a job of which not even the attempts can be read."""
    return not_recorded(
        f"Job {job_id} cannot be read, its rows are damaged; restore the ledger from a backup, or look at "
        "the provider's console."
    )


def task_taken(account: str, job_id: str) -> LedgerError:
    """Make the error for a task that another job has."""
    return not_recorded(f"The task on {account} belongs to job {job_id} already; use that job's token.")


def not_open(path: Path) -> LedgerError:
    """Make the error for a ledger used before it is opened or after it is closed."""
    return not_recorded(f"The ledger {path.name} is not open; open a client for each piece of work.")
