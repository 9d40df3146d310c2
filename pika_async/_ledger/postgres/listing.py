"""The statements that find many jobs: pages, searches and histories."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from pika_async._ledger.postgres.rows import Row
from pika_async._ledger.postgres.schema import OPEN_STATES
from pika_async._ledger.records import AttemptState, JobState, Move
from pika_async._ledger.standing import OPEN

_OPEN_ROWS: Final = f"FROM pika.attempts WHERE state IN {OPEN_STATES}"
HISTORY: Final = (
    b"SELECT coalesce(a.id, h.job_id), h.at, h.before, h.after, h.note FROM pika.history h "
    b"LEFT JOIN pika.attempts a ON a.job_id = h.job_id AND a.number = h.number "
    b"WHERE h.job_id = $1 ORDER BY h.at, h.number, h.version"
)
SENT: Final = b"SELECT data FROM pika.sent WHERE attempt_id = $1"
FIND: Final = (
    "WHERE j.id = coalesce((SELECT id FROM pika.jobs WHERE id = $1), "
    "(SELECT job_id FROM pika.attempts WHERE id = $1), "
    "(SELECT min(id) FROM (SELECT id FROM pika.jobs WHERE id > $1 AND id < $1 || chr(1114111) LIMIT 2) "
    "AS found HAVING count(*) = 1)) ORDER BY j.seq, a.number"
)


def open_jobs(states: Collection[AttemptState], account: str | None) -> str:
    """Return what finds a page of open jobs: each state is read in order, up to the page's size.

    Its values are the job *after* which to begin, the limit, and the account if there is one.
    """
    on_account = "" if account is None else "AND account = $3 "
    each = " UNION ".join(
        f"(SELECT DISTINCT seq {_OPEN_ROWS} AND state = '{AttemptState(state)}' {on_account}"
        "AND seq > (SELECT place FROM p) ORDER BY seq LIMIT $2)"
        for state in sorted(states)
    )
    return (
        "WHERE j.seq IN (WITH p AS (SELECT coalesce((SELECT seq FROM pika.jobs WHERE id = $1), 0) AS place) "
        f"SELECT seq FROM ({each}) every ORDER BY seq LIMIT $2) ORDER BY j.seq, a.number"
    )


def jobs(state: str | None) -> str:
    """Return what finds jobs, newest first; its values are the job *before* which to begin, and the limit."""
    where = "seq < coalesce((SELECT seq FROM pika.jobs WHERE id = $1), 1::bigint << 62) AND NOT pruned"
    if state in OPEN:
        where += f" AND seq IN (SELECT seq {_OPEN_ROWS} AND state = '{AttemptState(state)}')"
    elif state == JobState.OPEN:
        where += f" AND state = '{JobState.OPEN}' AND seq IN (SELECT seq {_OPEN_ROWS})"
    elif state is not None:
        where += f" AND state = '{JobState(state)}'"
    newest = f"SELECT seq FROM pika.jobs WHERE {where} ORDER BY seq DESC LIMIT $2"
    return f"WHERE j.seq IN ({newest}) ORDER BY j.seq DESC, a.number"


def moves(rows: Sequence[Row]) -> list[Move]:
    """Return the lines of a history that the rows of `HISTORY` stand for."""
    return [
        Move(subject=subject, at=at, before=before, after=after, note=note)
        for subject, at, before, after, note in rows
    ]
