"""The tables of a Postgres ledger, and how an older schema becomes a newer one.

Every name is qualified: a pool such as pgbouncer keeps no search_path. Only additions are made within a
release, so that old and new processes run side by side; `meta.min_reader` says who is too old. Such a process
begins nothing new, and brings what it has begun to its end.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final, TypeAlias

from psycopg import AsyncConnection, errors

from pika_async._ledger.postgres.faults import outdated, unusable

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]

OPEN_STATES: Final = "('queued', 'submitting', 'sending', 'ambiguous', 'unresolved', 'running')"
LOCK: Final = 0x50494B41
"""The advisory lock of whoever changes the schema or settles in; held within one transaction."""

_VERSION_1 = f"""
CREATE SCHEMA IF NOT EXISTS pika;

CREATE TABLE pika.meta (name text PRIMARY KEY, value bytea NOT NULL);

CREATE TABLE pika.jobs (
  id text COLLATE "C" PRIMARY KEY,
  seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  revision bigint NOT NULL,
  version int NOT NULL,
  state text NOT NULL,
  created_at float8 NOT NULL,
  cancel_requested bool NOT NULL,
  winner text,
  key text COLLATE "C",
  digest text,
  extras text,
  pruned bool NOT NULL DEFAULT false
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX jobs_key ON pika.jobs (key) WHERE key IS NOT NULL;

CREATE TABLE pika.orders (
  job_id text COLLATE "C" PRIMARY KEY,
  request text,
  files text,
  fallbacks text,
  callback_url text
);

CREATE TABLE pika.attempts (
  job_id text COLLATE "C",
  number int,
  seq bigint NOT NULL,
  id text COLLATE "C" NOT NULL UNIQUE,
  account text COLLATE "C" NOT NULL,
  state text NOT NULL,
  version int NOT NULL,
  slot bool NOT NULL,
  superseded bool NOT NULL,
  abandoned bool NOT NULL,
  owner text,
  not_before float8 NOT NULL,
  claimed_at float8,
  lease_until float8 NOT NULL,
  resolve_after float8 NOT NULL,
  slot_until float8 NOT NULL,
  negatives int NOT NULL,
  task_id bytea,
  task text,
  bound_by text,
  outcome text,
  PRIMARY KEY (job_id, number)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE UNIQUE INDEX attempts_task ON pika.attempts (account, task_id) WHERE task_id IS NOT NULL;
CREATE INDEX attempts_open ON pika.attempts (state, seq, account) WHERE state IN {OPEN_STATES};

CREATE TABLE pika.accounts (
  account text COLLATE "C" PRIMARY KEY,
  slots int NOT NULL DEFAULT 0 CHECK (slots >= 0),
  submits bigint NOT NULL DEFAULT 0,
  paced bigint NOT NULL DEFAULT 0,
  next_submit_at float8 NOT NULL DEFAULT 0,
  spacing float8 NOT NULL DEFAULT 0,
  recent float8 NOT NULL DEFAULT 0,
  recent_at float8 NOT NULL DEFAULT 0,
  paused_until float8 NOT NULL DEFAULT 0,
  paused_why text
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

CREATE TABLE pika.leases (name text PRIMARY KEY, owner text NOT NULL, until float8 NOT NULL);
CREATE TABLE pika.learned (account text COLLATE "C" PRIMARY KEY, state text NOT NULL);
CREATE TABLE pika.processes (
  owner text PRIMARY KEY,
  seen timestamptz NOT NULL DEFAULT now(),
  label text NOT NULL,
  version text NOT NULL,
  cluster text NOT NULL,
  written bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
CREATE TABLE pika.history (
  job_id text COLLATE "C",
  number int,
  version int,
  at float8 NOT NULL,
  before text,
  after text NOT NULL,
  note text NOT NULL,
  PRIMARY KEY (job_id, number, version)
);
CREATE TABLE pika.blobs (sha256 text PRIMARY KEY, data bytea NOT NULL);
CREATE TABLE pika.blob_uses (
  job_id text COLLATE "C",
  sha256 text,
  PRIMARY KEY (job_id, sha256)
);
CREATE INDEX blob_uses_sha256 ON pika.blob_uses (sha256);
CREATE TABLE pika.inbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  attempt_id text NOT NULL,
  body_sha256 bytea NOT NULL,
  received_at float8 NOT NULL,
  headers text NOT NULL,
  body bytea,
  done bool NOT NULL DEFAULT false,
  orphan bool NOT NULL,
  UNIQUE (attempt_id, body_sha256)
);
CREATE INDEX inbox_pending ON pika.inbox (id) WHERE NOT done;
CREATE INDEX inbox_orphans ON pika.inbox (id) WHERE orphan;
"""

_VERSION_2 = """
ALTER TABLE pika.attempts ADD COLUMN price text;
ALTER TABLE pika.orders ADD COLUMN enqueued bool NOT NULL DEFAULT true;
ALTER TABLE pika.accounts ADD COLUMN members int NOT NULL DEFAULT 0;
ALTER TABLE pika.accounts ADD COLUMN max_slots int;
ALTER TABLE pika.accounts ADD COLUMN waiting text[] NOT NULL DEFAULT '{}';
CREATE TABLE pika.members (
  account text COLLATE "C",
  owner text,
  max_slots int NOT NULL,
  until float8 NOT NULL,
  label text NOT NULL,
  version text NOT NULL,
  places int NOT NULL,
  refused_until float8 NOT NULL,
  refused_why text,
  waits_until float8 NOT NULL,
  lag float8 NOT NULL,
  PRIMARY KEY (account, owner)
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
CREATE TABLE pika.spending (
  unit text COLLATE "C" PRIMARY KEY,
  micros bigint NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE pika.attempts ADD COLUMN replay text;
ALTER TABLE pika.attempts ADD COLUMN address text;
CREATE TABLE pika.sent (attempt_id text COLLATE "C" PRIMARY KEY, data bytea NOT NULL);
"""

MIGRATIONS: Final = (_VERSION_1, _VERSION_2)
"""Step *n* makes version *n* + 1 of version *n*; all that are missing run in one transaction."""
_MIN_READER: Final = 1
"""The oldest version of the schema whose code may still write to this one."""
OLDEST: Final = (
    "coalesce((SELECT convert_from(value, 'UTF8')::int FROM pika.meta WHERE name = 'min_reader'), 1)"
)
_TRIES: Final = 60
_PAUSE: Final = 0.5
# Whoever comes after a migration that waits for its locks waits as well, so it must not wait for long.
_SHORT_WAIT: Final = b"SELECT set_config('lock_timeout', '1s', true)"


async def migrate(connection: Connection) -> dict[str, bytes]:
    """Bring the schema to the newest version, and return `meta`; raises `LedgerError` if that cannot be."""
    for _ in range(_TRIES):
        meta = await read_meta(connection)
        if meta is not None and _checked(meta) >= len(MIGRATIONS):
            return meta
        try:
            await _step_up(connection)
        except (errors.DuplicateSchema, errors.DuplicateTable, errors.UniqueViolation):
            # The names that it had looked up before it got the lock, another process has made since.
            continue
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            await asyncio.sleep(_PAUSE)
        except errors.InsufficientPrivilege as error:
            raise unusable(
                "its tables are missing or old, and this role may not create them. Run `pika-async ledger "
                "migrate` once as a role that may"
            ) from error
    raise unusable(
        "other transactions hold its tables. Run `pika-async ledger migrate` again; `pika-async doctor` "
        "shows the oldest one"
    )


async def _step_up(connection: Connection) -> None:
    async with connection.transaction():
        await connection.execute(_SHORT_WAIT)
        # Two at once would both make the tables: IF NOT EXISTS races.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", (LOCK,))
        meta = await read_meta(connection)
        version = 0 if meta is None else _checked(meta)
        for step in MIGRATIONS[version:]:
            for statement in step.split(";\n"):
                if statement.strip():
                    await connection.execute(statement.encode())
        if version == 0:
            await put_meta(connection, id=os.urandom(8).hex().encode(), secret=os.urandom(32))
        await put_meta(connection, schema=b"%d" % len(MIGRATIONS), min_reader=b"%d" % _MIN_READER)


async def read_meta(connection: Connection) -> dict[str, bytes] | None:
    """Return the ledger's own facts; None where there is no ledger yet."""
    cursor = await connection.execute("SELECT to_regclass('pika.meta') IS NOT NULL")
    row = await cursor.fetchone()
    if row is None or not row[0]:
        return None
    cursor = await connection.execute("SELECT name, value FROM pika.meta")
    return {name: bytes(value) for name, value in await cursor.fetchall()}


def _checked(meta: dict[str, bytes]) -> int:
    if int(meta.get("min_reader", b"1")) > len(MIGRATIONS):
        raise outdated()
    return int(meta.get("schema", b"0"))


async def put_meta(connection: Connection, **values: bytes) -> None:
    """Keep some of the ledger's own facts."""
    for name, value in values.items():
        await connection.execute(
            "INSERT INTO pika.meta (name, value) VALUES ($1, $2) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )
