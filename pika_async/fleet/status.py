"""What a fleet is doing, read from its database: workers, tasks, orders and who looks up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, LiteralString

import psycopg
from attrs import frozen
from psycopg.rows import dict_row

from pika_async._crossing import Value
from pika_async._secret import Secret
from pika_async.errors import LedgerError

_WORKERS: Final[LiteralString] = """
SELECT w.label, max(m.version) AS version, array_agg(m.account::text ORDER BY m.account) AS accounts,
  max(m.places) AS places, min(m.max_slots) AS max_concurrency,
  extract(epoch FROM now() - p.last_heartbeat)::float8 AS silent,
  (SELECT count(*) FROM procrastinate_jobs j WHERE j.worker_id = w.worker AND j.status = 'doing') AS busy
FROM pika.members m JOIN pika.workers w USING (label) JOIN procrastinate_workers p ON p.id = w.worker
WHERE m.places > 0 AND m.until > extract(epoch FROM now())
GROUP BY w.worker, w.label, p.last_heartbeat ORDER BY w.worker
"""
_ACCOUNTS: Final[LiteralString] = """
SELECT c.account, c.slots, c.submits, c.paused_why,
  c.paused_until > extract(epoch FROM now()) AS paused, q.queued, q.oldest, r.running, p.label AS poller
FROM pika.accounts c
LEFT JOIN (SELECT a.account, count(*) AS queued, extract(epoch FROM now()) - min(j.created_at) AS oldest
  FROM pika.attempts a JOIN pika.jobs j ON j.id = a.job_id WHERE a.state = 'queued' GROUP BY a.account) q
  USING (account)
LEFT JOIN (SELECT a.account, count(*) AS running FROM pika.attempts a WHERE a.state = 'running'
  GROUP BY a.account) r USING (account)
LEFT JOIN (SELECT l.name, coalesce(w.label, l.owner) AS label
  FROM pika.leases l LEFT JOIN pika.processes w ON w.owner = l.owner
  WHERE l.until > extract(epoch FROM now())) p ON p.name = 'poll ' || c.account
ORDER BY c.account
"""


@frozen(kw_only=True)
class WorkerStatus(Value):
    """A worker that runs: *busy* of its *places* have a task; its last sign was *silent* seconds ago."""

    label: str
    version: str
    accounts: tuple[str, ...]
    places: int
    busy: int
    max_concurrency: int
    silent: float


@frozen(kw_only=True)
class AccountStatus(Value):
    """An account: orders *queued*, the oldest for *oldest_queued* seconds, and tasks *running*.

    *poller* is the process that looks its tasks up, None for no process. *paused* says why nothing is sent.
    """

    account: str
    queued: int
    oldest_queued: float | None
    running: int
    slots: int
    submits: int
    poller: str | None
    paused: str | None


@frozen(kw_only=True)
class FleetStatus(Value):
    """Who works, and on what."""

    workers: tuple[WorkerStatus, ...]
    accounts: tuple[AccountStatus, ...]


async def status(dsn: str | Secret) -> FleetStatus:
    """Read what the fleet on the ledger at *dsn* is doing; raises `LedgerError`. Costs nothing."""
    from pika_async._ledger.postgres.connecting import Address

    address = Address.of(dsn)
    try:
        async with await psycopg.AsyncConnection.connect(
            address.dsn.reveal(), row_factory=dict_row, prepare_threshold=None, autocommit=True
        ) as connection:
            made = await (
                await connection.execute(
                    "SELECT to_regclass('pika.workers') IS NOT NULL AS workers, "
                    "to_regclass('pika.accounts') IS NOT NULL AS ledger"
                )
            ).fetchone()
            workers = await _rows(connection, _WORKERS) if made and made["workers"] else []
            accounts = await _rows(connection, _ACCOUNTS) if made and made["ledger"] else []
    except psycopg.Error as error:
        told = type(error).__name__
        raise LedgerError(f"The fleet cannot be read ({told}); check the database.") from None
    return FleetStatus(workers=tuple(map(_worker, workers)), accounts=tuple(map(_account, accounts)))


async def _rows(
    connection: psycopg.AsyncConnection[dict[str, Any]], query: LiteralString
) -> list[dict[str, Any]]:
    return await (await connection.execute(query)).fetchall()


def _worker(row: Mapping[str, Any]) -> WorkerStatus:
    return WorkerStatus(
        label=row["label"],
        version=row["version"],
        accounts=tuple(row["accounts"]),
        places=row["places"],
        busy=row["busy"],
        max_concurrency=row["max_concurrency"],
        silent=max(0.0, row["silent"]),
    )


def _account(row: Mapping[str, Any]) -> AccountStatus:
    return AccountStatus(
        account=row["account"],
        queued=row["queued"] or 0,
        oldest_queued=None if row["oldest"] is None else max(0.0, float(row["oldest"])),
        running=row["running"] or 0,
        slots=row["slots"],
        submits=row["submits"],
        poller=row["poller"],
        paused=row["paused_why"] if row["paused"] else None,
    )
