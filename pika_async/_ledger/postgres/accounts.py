"""What processes share beside jobs, as statements: who sends, leases, and what pollers learned."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

from typing import Final

import attrs

from pika_async._ledger.postgres.rows import ACCOUNTS, SPENDING, Row, cleaned
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.records import Member
from pika_async._ledger.sharing import NO_KEY

_MEMBER: Final = ", ".join(field.name for field in attrs.fields(Member))
_CHANGES: Final = ", ".join(f"{c} = excluded.{c}" for c in _MEMBER.split(", ") if c != "owner")
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

MEMBERS: Final = f"SELECT {_MEMBER} FROM pika.members WHERE account = $1 AND until > $2".encode()
_MAKE: Final = b"INSERT INTO pika.accounts (account) VALUES ($1) ON CONFLICT DO NOTHING"
# Whoever else says something of the account waits, so that the sums below are of all.
_LOCK: Final = b"SELECT 1 FROM pika.accounts WHERE account = $1 FOR NO KEY UPDATE"
_PUT_MEMBER: Final = (
    f"INSERT INTO pika.members (account, {_MEMBER}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
    f"ON CONFLICT (account, owner) DO UPDATE SET {_CHANGES}"
).encode()
_FORGET_SILENT: Final = b"DELETE FROM pika.members WHERE account = $1 AND until <= $2"
_SHARE: Final = b"""
WITH m AS (
  SELECT count(*)::int AS members, min(max_slots) AS least, bool_and(refused_until > $2) AS refused,
    min(refused_until) AS until, (array_agg(refused_why ORDER BY refused_until, owner))[1] AS why
  FROM pika.members WHERE account = $1
), t AS (
  SELECT coalesce(array_agg(m.owner ORDER BY array_position(a.waiting, m.owner) NULLS LAST, m.owner),
    '{}'::text[]) AS turns
  FROM pika.members m JOIN pika.accounts a USING (account) WHERE m.account = $1 AND m.waits_until > $2
), o AS (SELECT starts_with(coalesce(paused_why, ''), $3) AS over FROM pika.accounts WHERE account = $1)
UPDATE pika.accounts a SET members = m.members, max_slots = m.least, waiting = t.turns, paced = paced + 1,
  paused_until = CASE WHEN m.refused THEN greatest(paused_until, m.until)
    WHEN o.over THEN 0 ELSE paused_until END,
  paused_why = CASE WHEN m.refused AND m.until > paused_until THEN $3 || ': ' || m.why
    WHEN NOT m.refused AND o.over THEN NULL ELSE paused_why END
FROM m, t, o WHERE a.account = $1 AND (a.members <> m.members OR a.max_slots IS DISTINCT FROM m.least
  OR a.waiting <> t.turns OR m.refused AND m.until > a.paused_until OR NOT m.refused AND o.over)
"""


def present(account: str, member: Member, seconds: float, now: float) -> list[Statement]:
    """Keep what a process says of itself, and what follows for its account; `sharing` has the rules."""
    row = attrs.astuple(attrs.evolve(member, until=now + seconds, refused_why=_shown(member.refused_why)))
    return [
        Statement(_MAKE, (account,)),
        Statement(_LOCK, (account,)),
        Statement(_PUT_MEMBER, (account, *row)),
        Statement(_FORGET_SILENT, (account, now)),
        Statement(_SHARE, (account, now, NO_KEY)),
        Statement(ACCOUNTS.encode(), ()),
        Statement(SPENDING.encode(), ()),
    ]


def member_of(row: Row) -> Member:
    """Return a row of `MEMBERS` as what it tells of."""
    return Member(**dict(zip(_MEMBER.split(", "), row, strict=True)))


def _shown(text: str | None) -> str | None:
    return None if text is None else cleaned(text)


def lease(name: str, owner: str, seconds: float, now: float) -> list[Statement]:
    """Take or keep the lease *name* for *owner*; answers with a row if that is granted."""
    return [Statement(_LEASE, (name, owner, now, float(seconds)))]


def learn(account: str, state: str) -> list[Statement]:
    """Keep what pollers learned of *account*."""
    return [Statement(_LEARN, (account, state))]
