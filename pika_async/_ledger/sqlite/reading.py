"""Jobs as they are read from a SQLite file: one that is damaged spoils itself alone."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence

from pika_async._ledger.codec import (
    decode_outcome,
    decode_price,
    decode_replay,
    decode_request,
    decode_task,
)
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState
from pika_async._ledger.salvage import SOURCES, salvaged
from pika_async._ledger.sqlite.rows import ATTEMPT_COLUMNS, JOB_COLUMNS, Row, marks
from pika_async.requests import VideoRequest

log = logging.getLogger("pika_async")

_AT_ONCE = 500
_STATES = {state.value: state for state in AttemptState}
_WEATHER = frozenset({"BUSY", "LOCKED", "IOERR", "CANTOPEN", "FULL", "NOMEM", "INTERRUPT", "READONLY"})
"""Errors that are not about one row."""


class Reading:
    """Reads jobs, and logs each one that is damaged once."""

    def __init__(self) -> None:
        self.weight = 0
        """Bytes of media that were read."""
        self.met_damage = False
        """Whether a page of the file could not be read."""
        self._logged: set[str] = set()

    def jobs(
        self, connection: sqlite3.Connection, job_ids: Sequence[str]
    ) -> Iterator[tuple[int, str, JobRecord | None]]:
        """Read the jobs that are there: place in the order of arrival, id, and None for an unreadable one."""
        for start in range(0, len(job_ids), _AT_ONCE):
            yield from self._some(connection, job_ids[start : start + _AT_ONCE])

    def _some(
        self, connection: sqlite3.Connection, job_ids: Sequence[str]
    ) -> Iterable[tuple[int, str, JobRecord | None]]:
        try:
            rows, attempts = _rows(connection, job_ids)
        except sqlite3.Error as error:
            if _is_weather(error):
                raise
            self.met_damage |= not isinstance(error, sqlite3.OperationalError)
            if len(job_ids) > 1:
                return [found for job_id in job_ids for found in self._some(connection, [job_id])]
            return [self._unread(connection, job_ids[0], error)]
        return [
            (row[0], row[1], self._job(row, attempts[row[0]], lambda sha256: self._blob(connection, sha256)))
            for row in rows
        ]

    def _unread(
        self, connection: sqlite3.Connection, job_id: str, error: sqlite3.Error
    ) -> tuple[int, str, JobRecord | None]:
        strict = connection.text_factory
        connection.text_factory = _any_text
        try:
            rows, attempts = _rows(connection, [job_id])
            row = rows[0]
            return row[0], job_id, self._damaged(row, attempts[row[0]], error, _no_blob)
        except (sqlite3.Error, IndexError):
            self._log(job_id, error)
            return 0, job_id, None
        finally:
            connection.text_factory = strict

    def _job(self, row: Row, attempts: Sequence[Row], blob: Callable[[str], bytes]) -> JobRecord | None:
        try:
            return self._whole(row, attempts, blob)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - damaged text leads anywhere
            return self._damaged(row, attempts, error, blob)

    def _whole(self, row: Row, attempts: Sequence[Row], blob: Callable[[str], bytes]) -> JobRecord:
        (_, id_, version, state, created_at, cancel_requested, winner, key, digest, request, files) = row[:11]
        extras, fallbacks, callback_url, _ = row[11:]
        if not attempts:
            raise ValueError("it has no attempt")
        # Bytes among these are damage: SQLite takes them, and joining them raises here.
        _ = "".join((id_, winner or "", key or "", digest or ""))
        return JobRecord(
            id=id_,
            request=self._request(id_, request, blob),
            created_at=created_at + 0.0,
            attempts=tuple(attempt_of(id_, attempt) for attempt in attempts),
            files=None if files is None else json.loads(files),
            key=key,
            digest=digest,
            state=JobState(state),
            version=version + 0,
            cancel_requested=bool(cancel_requested),
            winner=winner,
            extras=tuple(map(decode_outcome, json.loads(extras))) if extras else (),
            fallbacks=tuple(json.loads(fallbacks)) if fallbacks else (),
            callback_url=None if callback_url is None else json.loads(callback_url),
        )

    def _damaged(
        self, row: Row, attempts: Sequence[Row], error: Exception, blob: Callable[[str], bytes]
    ) -> JobRecord | None:
        self._log(str(row[1]), error)
        return salvaged(row, attempts, self._request(str(row[1]), row[9], blob))

    def _request(self, job_id: str, text: str | None, blob: Callable[[str], bytes]) -> VideoRequest | None:
        try:
            return decode_request(text, blob)
        except (ValueError, sqlite3.Error) as error:
            if isinstance(error, sqlite3.Error) and _is_weather(error):
                raise
            # What is known of its attempts must stay readable: money may hang on it.
            self._log(job_id, error)
            return None

    def _blob(self, connection: sqlite3.Connection, sha256: str) -> bytes:
        row = connection.execute("SELECT data FROM blobs WHERE sha256 = ?", (sha256,)).fetchone()
        if row is None:
            raise ValueError("its media are gone")
        self.weight += len(row[0])
        return bytes(row[0])

    def _log(self, job_id: str, error: Exception) -> None:
        if job_id not in self._logged:
            self._logged.add(job_id)
            log.warning(
                "job %s: a part of it cannot be read (%s); it is followed as far as it can be, and not sent",
                job_id,
                type(error).__name__,
            )


def _rows(connection: sqlite3.Connection, job_ids: Sequence[str]) -> tuple[list[Row], dict[int, list[Row]]]:
    query = f"SELECT {JOB_COLUMNS} FROM jobs WHERE id IN ({marks(job_ids)})"
    rows = connection.execute(query, job_ids).fetchall()
    attempts: dict[int, list[Row]] = {row[0]: [] for row in rows}
    query = f"SELECT {ATTEMPT_COLUMNS} FROM job_attempts WHERE job IN ({marks(rows)}) ORDER BY job, number"
    for row in connection.execute(query, list(attempts)):
        attempts[row[0]].append(row)
    return rows, attempts


def attempt_of(job_id: str, row: Row) -> Attempt:
    """Return an attempt of a row of `ATTEMPT_COLUMNS`; damage raises whatever it leads to."""
    (_, number, id_, account, state, version, slot, superseded, abandoned, owner, not_before) = row[:11]
    (claimed_at, lease_until, resolve_after, slot_until, negatives, _, task, bound_by) = row[11:19]
    outcome, price, replay, address = row[19:]
    # A text among numbers is damage, and so are bytes among texts: SQLite takes them, and this raises.
    _ = "".join((id_, account, owner or "", address or ""))
    _ = number + version + slot + not_before + lease_until + resolve_after + slot_until + negatives
    return Attempt(
        id=id_,
        job_id=job_id,
        number=number,
        account=account,
        state=_STATES[state],
        version=version,
        slot=bool(slot),
        superseded=bool(superseded),
        abandoned=bool(abandoned),
        owner=owner,
        not_before=not_before,
        claimed_at=claimed_at if claimed_at is None else claimed_at + 0.0,
        lease_until=lease_until,
        resolve_after=resolve_after,
        slot_until=slot_until,
        negatives=negatives,
        task=None if task is None else decode_task(task),
        bound_by=SOURCES[bound_by],
        outcome=None if outcome is None else decode_outcome(outcome),
        price=None if price is None else decode_price(price),
        replay=None if replay is None else decode_replay(replay),
        address=address,
    )


def _is_weather(error: sqlite3.Error) -> bool:
    name: str = getattr(error, "sqlite_errorname", "")
    return name.removeprefix("SQLITE_").partition("_")[0] in _WEATHER


def _any_text(text: bytes) -> str:
    return text.decode(errors="replace")


def _no_blob(_: str) -> bytes:
    raise ValueError("its media cannot be read")
