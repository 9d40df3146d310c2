"""A second look into the file, from the caller's own thread: what is known is shown without waiting."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from pika_async._ledger.records import JobRecord
from pika_async._ledger.sqlite.reading import Reading

_PATIENCE = 0.05


class Reader:
    """Reads single jobs; the file is opened when one is first asked for, and no more after `close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._reading = Reading()
        self._lock = threading.Lock()
        self._closed = False

    def job(self, job_id: str) -> JobRecord | None:
        """Read one job; None when that is not possible at once."""
        with self._lock:
            if self._closed:
                return None
            try:
                connection = self._opened()
                connection.execute("BEGIN")
                found = list(self._reading.jobs(connection, [job_id]))
                connection.execute("ROLLBACK")
            except Exception:  # noqa: BLE001 - whoever must know asks the ledger itself
                self._let_go()
                return None
            return found[0][2] if found else None

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._closed = True
            self._let_go()

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

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
