"""Records as rows of Postgres, and back; texts are made by the codec, which knows no database. Pure."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from pika_async._ledger.codec import (
    decode_outcome,
    decode_price,
    decode_replay,
    decode_request,
    decode_task,
    encode_outcome,
    encode_plain,
    encode_price,
    encode_replay,
    encode_request,
    encode_task,
)
from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Usage
from pika_async._ledger.salvage import SOURCES, salvaged

log = logging.getLogger("pika_async")

Row: TypeAlias = tuple[Any, ...]

ATTEMPT_COLUMNS: Final = (
    "number, id, account, state, version, slot, superseded, abandoned, owner, not_before, claimed_at, "
    "lease_until, resolve_after, slot_until, negatives, task_id, task, bound_by, outcome, price, replay, "
    "address"
)
_JOB_COLUMNS: Final = (
    "seq, id, revision, version, state, created_at, cancel_requested, winner, key, digest, extras"
)
_WIDTH: Final = len(_JOB_COLUMNS.split(", "))
JOBS: Final = (
    f"SELECT {', '.join(f'j.{c}' for c in _JOB_COLUMNS.split(', '))}, "  # noqa: S608 - our own words
    f"{', '.join(f'a.{c}' for c in ATTEMPT_COLUMNS.split(', '))} "
    "FROM pika.jobs j LEFT JOIN pika.attempts a ON a.job_id = j.id "
)
"""One statement sees one moment: a job and its attempts are read together."""
ORDERS: Final = (
    "SELECT job_id, request, files, fallbacks, callback_url, enqueued FROM pika.orders WHERE job_id = ANY($1)"
)
BLOBS: Final = (
    "SELECT sha256, data FROM pika.blobs WHERE sha256 IN "
    "(SELECT sha256 FROM pika.blob_uses WHERE job_id = ANY($1))"
)
FIGURES: Final = (
    "account, slots, submits, paced, next_submit_at, spacing, recent, recent_at, paused_until, paused_why, "
    "members, max_slots, waiting"
)
ACCOUNTS: Final = f"SELECT {FIGURES} FROM pika.accounts"  # noqa: S608 - our own words

SPENDING: Final = "SELECT unit, micros FROM pika.spending"


def holdable(text: str) -> bool:
    """Return whether Postgres can hold *text*: it refuses NUL and half surrogate pairs.

    >>> holdable("a"), holdable("a" + chr(0)), holdable(chr(0xD800))
    (True, False, False)
    """
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def cleaned(text: str) -> str:
    """Return *text* for people to read, without what Postgres refuses."""
    return text if holdable(text) else text.replace("\0", "\ufffd").encode(errors="replace").decode()


def task_key(task_id: str) -> bytes:
    """Return a task's id as bytes, for the index: it may hold what text may not."""
    return task_id.encode("utf-8", "surrogatepass")


def job_values(job: JobRecord) -> Row:
    """Return what changes of a job."""
    extras = encode_plain([encode_outcome(extra) for extra in job.extras]) if job.extras else None
    return job.version, job.state.value, job.cancel_requested, job.winner, job.key, extras


def order_values(job: JobRecord) -> tuple[Row, dict[str, bytes]]:
    """Return what is written once of a job, and the bytes of its media by SHA-256."""
    request, blobs = encode_request(job.request)
    return (
        job.id,
        request,
        None if job.files is None else encode_plain(job.files),
        encode_plain(job.fallbacks) if job.fallbacks else None,
        None if job.callback_url is None else encode_plain(job.callback_url),
        job.enqueued,
    ), blobs


def attempt_values(a: Attempt) -> Row:
    """Return an attempt as `ATTEMPT_COLUMNS` has it."""
    return (
        a.number,
        a.id,
        a.account,
        a.state.value,
        a.version,
        a.slot,
        a.superseded,
        a.abandoned,
        a.owner,
        float(a.not_before),
        None if a.claimed_at is None else float(a.claimed_at),
        float(a.lease_until),
        float(a.resolve_after),
        float(a.slot_until),
        a.negatives,
        None if a.task is None else task_key(a.task.id).hex(),
        None if a.task is None else encode_task(a.task),
        a.bound_by,
        None if a.outcome is None else encode_outcome(a.outcome),
        None if a.price is None else encode_price(a.price),
        None if a.replay is None else encode_replay(a.replay),
        a.address,
    )


def usage_of(row: Row) -> tuple[Usage, int]:
    """Return an account's figures, *submits* being its own, and how often its pace was set."""
    return (
        Usage(
            slots=row[1],
            submits=row[2],
            next_submit_at=row[4],
            spacing=row[5],
            recent=row[6],
            recent_at=row[7],
            paused_until=row[8],
            paused_why=row[9],
            members=row[10],
            max_slots=row[11],
            waiting=tuple(row[12]),
        ),
        row[3],
    )


def grouped(rows: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    """Put the rows of `JOBS`, in the order of jobs, together by job."""
    found: list[tuple[Row, list[Row]]] = []
    for row in rows:
        if not found or found[-1][0][1] != row[1]:
            found.append((row[:_WIDTH], []))
        if row[_WIDTH] is not None:
            found[-1][1].append(row[_WIDTH:])
    return found


def record(job: Row, attempts: Sequence[Row], order: JobRecord | None) -> JobRecord | None:
    """Return a job; *order* is a record of it that has its request. None if nothing of it can be read."""
    try:
        if not attempts:
            raise ValueError("it has no attempt")  # noqa: TRY301 - damage, whatever shows it
        read = JobRecord(
            id=job[1],
            request=None,
            created_at=job[5],
            attempts=tuple(_attempt(job[1], row) for row in attempts),
            key=job[8],
            digest=job[9],
            state=JobState(job[4]),
            version=job[3],
            cancel_requested=job[6],
            winner=job[7],
            extras=tuple(map(decode_outcome, json.loads(job[10]))) if job[10] else (),
        )
    except Exception as error:  # noqa: BLE001 - text of another version leads anywhere
        log.warning(
            "job %s: a part of it cannot be read (%s); it is followed as far as it can be, and not sent",
            job[1],
            type(error).__name__,
        )
        old = (job[0], job[1], *job[3:10], None, None, job[10], None, None)
        salvage = salvaged(old, [(None, *row) for row in attempts], None)
        if salvage is None:
            return None
        read = salvage
    if order is None:
        return read
    return evolve(
        read,
        request=order.request,
        files=order.files,
        fallbacks=order.fallbacks,
        callback_url=order.callback_url,
        enqueued=order.enqueued,
    )


def ordered(job: JobRecord, row: Row, blob: Callable[[str], bytes]) -> JobRecord:
    """Return *job* with what was ordered, a row of `ORDERS`."""
    _, request, files, fallbacks, callback_url, enqueued = row
    try:
        asked = decode_request(request, blob)
    except (ValueError, LookupError) as error:
        # What is known of its attempts must stay readable: money may hang on it.
        log.warning("job %s: its request cannot be read (%s)", job.id, type(error).__name__)
        asked = None
    return evolve(
        job,
        request=asked,
        files=None if files is None else json.loads(files),
        fallbacks=tuple(json.loads(fallbacks)) if fallbacks else (),
        callback_url=None if callback_url is None else json.loads(callback_url),
        enqueued=enqueued,
    )


def _attempt(job_id: str, row: Row) -> Attempt:
    (number, id_, account, state, version, slot, superseded, abandoned, owner, not_before) = row[:10]
    (claimed_at, lease_until, resolve_after, slot_until, negatives, _, task, bound_by) = row[10:18]
    outcome, price, replay, address = row[18:]
    return Attempt(
        id=id_,
        job_id=job_id,
        number=number,
        account=account,
        state=AttemptState(state),
        version=version,
        slot=slot,
        superseded=superseded,
        abandoned=abandoned,
        owner=owner,
        not_before=not_before,
        claimed_at=claimed_at,
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
