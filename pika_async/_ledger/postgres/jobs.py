"""Reading jobs, and what a batch must know before it decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import field, frozen

from pika_async._ledger.events import Evidence
from pika_async._ledger.machine import account_of
from pika_async._ledger.postgres.known import Held, Known
from pika_async._ledger.postgres.rows import (
    ACCOUNTS,
    BLOBS,
    JOBS,
    ORDERS,
    SPENDING,
    Row,
    grouped,
    ordered,
    record,
    task_key,
)
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.records import JobRecord

if TYPE_CHECKING:
    from pika_async._ledger.postgres.orders import Decision

Ask: TypeAlias = Callable[[Sequence[Statement]], Awaitable[list[list[Row]]]]

_HOLDERS: Final = (
    b"SELECT account, task_id, job_id FROM pika.attempts "
    b"WHERE (account, task_id) IN (SELECT * FROM unnest($1::text[], $2::bytea[]))"
)
_BY_ID: Final = f"{JOBS}WHERE j.id = ANY($1) ORDER BY j.seq, a.number".encode()


async def read_jobs(ask: Ask, known: Known, job_ids: Collection[str]) -> dict[str, JobRecord | None]:
    """Read these jobs as they are now; one that cannot be read is None, one that is not there is missing."""
    if not job_ids:
        return {}
    (rows,) = await ask([Statement(_BY_ID, (list(job_ids),))])
    return await _kept(ask, known, rows)


async def read_query(ask: Ask, known: Known, query: str, *values: object) -> list[JobRecord]:
    """Read the jobs that *query*, what follows `FROM pika.jobs j`, finds, in its order."""
    (rows,) = await ask([Statement(query.encode(), values)])
    found = await _kept(ask, known, rows)
    return [job for job in found.values() if job is not None]


async def _kept(ask: Ask, known: Known, rows: Sequence[Row]) -> dict[str, JobRecord | None]:
    read = grouped(rows)
    asked = {job[1]: held.record for job, _ in read if (held := known.jobs.get(job[1])) is not None}
    unknown = [job[1] for job, _ in read if asked.get(job[1]) is None]
    orders: dict[str, Row] = {}
    blobs: dict[str, bytes] = {}
    if unknown:
        told, media = await ask(
            [Statement(ORDERS.encode(), (unknown,)), Statement(BLOBS.encode(), (unknown,))]
        )
        orders = {row[0]: row for row in told}
        blobs = {sha256: bytes(data) for sha256, data in media}
    found: dict[str, JobRecord | None] = {}
    for job, attempts in read:
        job_id = job[1]
        order = asked.get(job_id)
        made = record(job, attempts, order)
        if made is not None and order is None and job_id in orders:
            made = ordered(made, orders[job_id], blobs.__getitem__)
        found[job_id] = made
        known.keep(job_id, Held(job[2], made))
    return found


@frozen
class Found:
    """What was read for a batch: the holders of keys and of tasks, and which jobs are fresh."""

    keys: Mapping[str, str] = field(factory=dict)
    tasks: Mapping[tuple[str, str], str] | None = None
    jobs: frozenset[str] = frozenset()


async def load(ask: Ask, known: Known, job_ids: Collection[str], *, accounts: bool) -> None:
    """Read these jobs, and all accounts, into *known*."""
    await read_jobs(ask, known, job_ids)
    if accounts:
        rows, sums = await ask([Statement(ACCOUNTS.encode(), ()), Statement(SPENDING.encode(), ())])
        known.learn(rows)
        known.learn_spending(sums)


async def look(ask: Ask, known: Known, order: Decision) -> Found:
    """Read who holds the key and the tasks that *order* names, and those jobs as well."""
    new = order.new
    keys: dict[str, str] = {}
    bound: dict[tuple[str, str], str] = {}
    if new is not None and new.key is not None:
        (rows,) = await ask([Statement(b"SELECT key, id FROM pika.jobs WHERE key = $1", (new.key,))])
        keys = dict(rows)
    if tasks := _tasks(order, known):
        values = [account for account, _ in tasks], [task_key(task) for _, task in tasks]
        (rows,) = await ask([Statement(_HOLDERS, values)])
        bound = {(row[0], bytes(row[1]).decode("utf-8", "surrogatepass")): row[2] for row in rows}
    jobs = frozenset((*keys.values(), *bound.values()))
    await read_jobs(ask, known, jobs)
    return Found(keys, bound, jobs)


def accounts_of(orders: Iterable[Decision], known: Known | None = None) -> set[str]:
    """Return the accounts on which *orders* may change something."""
    found: set[str] = set()
    for order in orders:
        held = None if known is None else known.jobs.get(order.job_id)
        job = order.new or (None if held is None else held.record)
        if job is not None:
            found |= {attempt.account for attempt in job.attempts}
            if order.event is not None:
                found.add(account_of(job, order.event))
    return found


def _tasks(order: Decision, known: Known) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    held = known.jobs.get(order.job_id)
    job = order.new or (None if held is None else held.record)
    if job is None:
        return found
    if order.new is not None:
        found += [(a.account, a.task.id) for a in job.attempts if a.task is not None]
    if isinstance(order.event, Evidence):
        found.append((account_of(job, order.event), order.event.snapshot.task.id))
    return found
