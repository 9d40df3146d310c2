"""What one transaction is going to write, kept back so that it goes out in few statements."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from pika_async._ledger.records import Attempt, JobRecord
from pika_async._ledger.sqlite.rows import (
    CHANGE_ATTEMPTS,
    CHANGE_ATTEMPTS_BUT_TASK,
    CHANGE_JOBS,
    COMPARE_AND_SET_JOBS,
    INSERT_ATTEMPTS,
    INSERT_HISTORY,
    INSERT_JOBS,
    SET_ACCOUNT,
    SET_SPENDING,
    Row,
    attempt_row,
    job_change,
    job_row,
    write_rows,
)


class ConflictError(Exception):
    """A row was not as it was read: what was decided on it is void."""


class Writes:
    """Rows by table; a job may be in here once, because each row is compared with what was read."""

    def __init__(self) -> None:
        self._jobs: set[str] = set()
        self._clear()

    def _clear(self) -> None:
        self._jobs.clear()
        self._new_jobs: list[Row] = []
        self._job_changes: list[Row] = []
        self._new_attempts: list[Row] = []
        self._attempts: list[Row] = []
        self._attempts_but_task: list[Row] = []
        self._history: list[Row] = []
        self._blobs: list[Row] = []
        self._sent: dict[str, bytes | None] = {}

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._jobs

    def add_job(self, seq: int, job: JobRecord) -> int:
        """Write a new job, without its attempts; returns how many bytes of media it has."""
        self._jobs.add(job.id)
        row, blobs = job_row(seq, job)
        self._new_jobs.append(row)
        self._blobs.extend((seq, sha256, data) for sha256, data in blobs.items())
        return sum(map(len, blobs.values()))

    def change_job(self, seq: int, job: JobRecord) -> None:
        """Write what changed of the job itself."""
        self._job_changes.append(job_change(seq, job))

    def touch(self, job_id: str) -> None:
        """Note that rows of the job are in here."""
        self._jobs.add(job_id)

    def put_attempt(self, seq: int, old: Attempt | None, new: Attempt) -> None:
        """Write a new or changed attempt."""
        if old is None:
            self._new_attempts.append(attempt_row(seq, new))
        elif old.task is new.task:
            self._attempts_but_task.append(attempt_row(seq, new, but_task=True))
        else:
            self._attempts.append(attempt_row(seq, new))

    def keep_sent(self, sent: Mapping[str, bytes | None]) -> None:
        """Write the bytes of POSTs by the ids of their attempts; None takes them away."""
        self._sent.update(sent)

    def tell_job(self, seq: int, before: JobRecord, after: JobRecord, at: float, note: str) -> None:
        """Write a line of history about the job itself."""
        self._history.append((seq, 0, after.version, at, before.state.value, after.state.value, note))

    def tell_attempt(self, seq: int, old: Attempt | None, new: Attempt, at: float, note: str) -> None:
        """Write a line of history about an attempt."""
        before = None if old is None else old.state.value
        self._history.append((seq, new.number, new.version, at, before, new.state.value, note))

    def flush(
        self, connection: sqlite3.Connection, accounts: Iterable[Row], spending: Iterable[Row] = ()
    ) -> None:
        """Write all by compare-and-set; raises `ConflictError` if a row is not as it was read."""
        write_rows(connection, INSERT_JOBS, self._new_jobs)
        for statement, rows, compare_and_set in (
            (INSERT_ATTEMPTS, self._attempts, CHANGE_ATTEMPTS),
            (INSERT_ATTEMPTS, self._attempts_but_task, CHANGE_ATTEMPTS_BUT_TASK),
            (CHANGE_JOBS, self._job_changes, COMPARE_AND_SET_JOBS),
        ):
            if write_rows(connection, statement, rows, compare_and_set) != len(rows):
                raise ConflictError("a row is not as it was read")
        # What loses a task is above: a task is bound once.
        write_rows(connection, INSERT_ATTEMPTS, self._new_attempts)
        write_rows(connection, INSERT_HISTORY, self._history)
        for job, sha256, data in self._blobs:
            connection.execute("INSERT OR IGNORE INTO blobs (sha256, data) VALUES (?, ?)", (sha256, data))
            connection.execute("INSERT OR IGNORE INTO blob_uses (job, sha256) VALUES (?, ?)", (job, sha256))
        for attempt_id, data in self._sent.items():
            if data is None:
                connection.execute("DELETE FROM sent WHERE attempt_id = ?", (attempt_id,))
            else:
                connection.execute("INSERT OR REPLACE INTO sent VALUES (?, ?)", (attempt_id, data))
        for account in accounts:
            connection.execute(SET_ACCOUNT, account)
        for sum_ in spending:
            connection.execute(SET_SPENDING, sum_)
        self._clear()
