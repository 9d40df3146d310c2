"""What processes share beside jobs, as statements: leases, and what pollers learned."""

from __future__ import annotations

from typing import Final

from pika_async._ledger.postgres.statements import Statement

LEARNED: Final = b"SELECT state FROM pika.learned WHERE account = $1"
_LEASE: Final = (
    b"INSERT INTO pika.leases (name, owner, until) VALUES ($1, $2, $3::float8 + $4) ON CONFLICT (name) "
    b"DO UPDATE SET owner = excluded.owner, until = excluded.until "
    b"WHERE leases.owner = excluded.owner OR leases.until <= $3 RETURNING 1"
)
_LEARN: Final = (
    b"INSERT INTO pika.learned (account, state) VALUES ($1, $2) "
    b"ON CONFLICT (account) DO UPDATE SET state = excluded.state"
)


def lease(name: str, owner: str, seconds: float, now: float) -> list[Statement]:
    """Take or keep the lease *name* for *owner*; answers with a row if that is granted."""
    return [Statement(_LEASE, (name, owner, now, float(seconds)))]


def learn(account: str, state: str) -> list[Statement]:
    """Keep what pollers learned of *account*."""
    return [Statement(_LEARN, (account, state))]
