"""A second look into the file, from the caller's own thread: what is known is shown without waiting."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from pika_async._ledger.records import JobRecord
from pika_async._ledger.sqlite.reading import Reading

_PATIENCE = 0.05


class Reader:
    """Reads single jobs; opened when first asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._reading = Reading()
        self._lock = threading.Lock()

    def job(self, job_id: str) -> JobRecord | None:
        """Read one job; None when that is not possible at once."""
        with self._lock:
            try:
                for _, _, job in self._reading.jobs(self._opened(), [job_id]):
                    return job
            except Exception:  # noqa: BLE001 - whoever must know asks the ledger itself
                self._close()
            return None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._close()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=ro",
                uri=True,
                timeout=_PATIENCE,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.execute("PRAGMA query_only = 1")
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
