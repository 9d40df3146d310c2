"""Reading many jobs: pages, searches and histories."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

from collections.abc import Callable, Collection

from pika_async._ledger.records import AttemptState, JobRecord, JobState, Move
from pika_async._ledger.sqlite.batch import Batch
from pika_async._ledger.sqlite.schema import OPEN_STATES, read_int
from pika_async._ledger.standing import OPEN

_OPEN_ROWS = f"FROM job_attempts INDEXED BY attempts_open WHERE state IN ({OPEN_STATES})"
_LAST = 1 << 60


def open_jobs(
    states: Collection[AttemptState], account: str | None, after: str | None, limit: int, batch: Batch
) -> list[JobRecord]:
    """Read a page of the jobs with an attempt in one of *states*, in the order of arrival."""
    query = open_query(states, account)

    def page(place: int, limit: int) -> list[tuple[int, str]]:
        values = {"place": place, "limit": limit, "account": account}
        return batch.connection.execute(query, values).fetchall()

    return _filled(batch, page, _place(batch, after, 0), limit)


def sent(attempt_id: str, batch: Batch) -> bytes | None:
    """Read the bytes of one POST, while they are kept."""
    batch.flush()
    row = batch.connection.execute("SELECT data FROM sent WHERE attempt_id = ?", (attempt_id,)).fetchone()
    return None if row is None else bytes(row[0])


def open_query(states: Collection[AttemptState], account: str | None) -> str:
    """Return the statement for a page of open jobs: each state is read in order, up to the page's size."""
    on_account = "" if account is None else "AND account = :account "
    each = (
        f"SELECT * FROM (SELECT DISTINCT job {_OPEN_ROWS} AND state = '{AttemptState(state)}' {on_account}"
        "AND job > :place ORDER BY job LIMIT :limit)"
        for state in sorted(states)
    )
    return f"SELECT seq, id FROM jobs WHERE seq IN ({' UNION '.join(each)}) ORDER BY seq LIMIT :limit"


def jobs(state: str | None, before: str | None, limit: int, batch: Batch) -> list[JobRecord]:
    """Read jobs, newest first; *state* is one of a job, or an open one of an attempt."""
    where = "seq < :place AND pruned = 0"
    if state in OPEN:
        where += f" AND seq IN (SELECT job {_OPEN_ROWS} AND state = '{AttemptState(state)}')"
    elif state == JobState.OPEN:
        where += f" AND state = '{JobState.OPEN}' AND seq IN (SELECT job {_OPEN_ROWS})"
    elif state is not None:
        where += f" AND state = '{JobState(state)}'"
    query = f"SELECT seq, id FROM jobs WHERE {where} ORDER BY seq DESC LIMIT :limit"

    def page(place: int, limit: int) -> list[tuple[int, str]]:
        return batch.connection.execute(query, {"place": place, "limit": limit}).fetchall()

    return _filled(batch, page, _place(batch, before, _LAST), limit)


def find(text: str, batch: Batch) -> JobRecord | None:
    """Read the job with that id, or attempt's id, or unique start of an id."""
    for query, values in (
        ("SELECT id FROM jobs WHERE id = ?", (text,)),
        ("SELECT jobs.id FROM job_attempts JOIN jobs ON seq = job WHERE job_attempts.id = ?", (text,)),
        ("SELECT id FROM jobs WHERE id > ? AND id < ? LIMIT 2", (text, text + "\U0010ffff")),
    ):
        found = batch.select(query, *values)
        if len(found) == 1:
            return found[0]
    return None


def history(job_id: str, batch: Batch) -> list[Move]:
    """Read what happened to a job, oldest first."""
    rows = batch.connection.execute(
        "SELECT coalesce(job_attempts.id, jobs.id), at, before, after, note FROM jobs "
        "JOIN history ON history.job = seq "
        "LEFT JOIN job_attempts ON job_attempts.job = seq AND job_attempts.number = history.number "
        "WHERE jobs.id = ? ORDER BY at, history.number, history.version",
        (job_id,),
    )
    return [
        Move(subject=subject, at=at, before=before, after=after, note=note)
        for subject, at, before, after, note in rows
    ]


def _place(batch: Batch, job_id: str | None, otherwise: int) -> int:
    query = "SELECT coalesce((SELECT seq FROM jobs WHERE id = ?), ?)"
    return read_int(batch.connection, query, job_id, otherwise)


def _filled(
    batch: Batch, page: Callable[[int, int], list[tuple[int, str]]], place: int, limit: int
) -> list[JobRecord]:
    """Read until there are *limit* jobs: one that cannot be read must not make a page look like the last."""
    found: list[JobRecord] = []
    while missing := limit - len(found):
        rows = page(place, missing)
        found += batch.readable([job_id for _, job_id in rows])
        if len(rows) < missing:
            break
        place = rows[-1][0]
    return found
