"""The charges of a batch, as statements. Pure.

What it rests on was read before: each statement says how far others may have gone since, and divides by zero
where they went further.
"""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

from typing import Any, Final

from pika_async._ledger.postgres.charges import Charge, Charges
from pika_async._ledger.postgres.known import Account
from pika_async._ledger.postgres.rows import FIGURES, cleaned
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.records import Usage

_COUNT_SUBMITS: Final = (
    b"WITH l AS MATERIALIZED (SELECT submits FROM pika.accounts ORDER BY account FOR NO KEY UPDATE) "
    b"SELECT 1 / (sum(submits) <= $1)::int FROM l"
)
_FIGURES: Final = (
    f" RETURNING {FIGURES}) SELECT w.*, 1 / c.n FROM (SELECT count(*) AS n FROM w) c LEFT JOIN w ON true"
).encode()
# A claim rests on the pace that was read: whoever sets it counts `paced` up, and while there is a spacing
# every claim moves the time of the next one.
_ADD_TO_ACCOUNT: Final = (
    b"WITH w AS (UPDATE pika.accounts SET slots = slots + $2, submits = submits + $3, "
    b"next_submit_at = CASE WHEN $4 > 0 AND spacing <> 0 THEN greatest(next_submit_at, $5 + spacing) "
    b"ELSE next_submit_at END, "
    b"recent = CASE WHEN $4 > 0 THEN greatest(0, recent * (1 - least(1, greatest(0, $5 - recent_at)))) + $4 "
    b"ELSE recent END, recent_at = CASE WHEN $4 > 0 THEN $5 ELSE recent_at END "
    b"WHERE account = $1 AND ($6::int IS NULL OR slots <= $6) "
    b"AND ($4 = 0 OR (paced = $7 AND (spacing = 0 OR next_submit_at = $8)))" + _FIGURES
)
_SET_PACE: Final = (
    b"WITH w AS (UPDATE pika.accounts SET slots = slots + $2, submits = submits + $3, paced = paced + 1, "
    b"next_submit_at = $4, spacing = $5, recent = $6, recent_at = $7, paused_until = $8, paused_why = $9, "
    b"waiting = $13::text[] "
    b"WHERE account = $1 AND paced = $10 AND ($11::int IS NULL OR slots <= $11) "
    b"AND (spacing = 0 OR next_submit_at = $12)" + _FIGURES
)

_ADD_TO_SUM: Final = (
    b"WITH w AS (INSERT INTO pika.spending AS s (unit, micros) VALUES ($1, $2) ON CONFLICT (unit) DO UPDATE "
    b"SET micros = s.micros + excluded.micros WHERE $3::bigint IS NULL OR s.micros <= $3 "
    b"RETURNING unit, micros) SELECT w.*, 1 / c.n FROM (SELECT count(*) AS n FROM w) c LEFT JOIN w ON true"
)
SUM_WIDTH: Final = 3
"""What the statement of a sum answers with: its unit, the new sum, and a one."""


def account_writes(charges: Charges, now: float) -> list[Statement]:
    """Return what is to be written of accounts, by name, and of sums, by unit: in the order of the locks."""
    found: list[Statement] = []
    slack = [c.submits_slack for c in charges.of.values() if c.submits_slack is not None]
    if slack:
        total = charges.known.usage("").submits
        found.append(Statement(_COUNT_SUBMITS, (total + min(slack),)))
    found += [
        _charged(account, charge, charges.known.accounts[account], now)
        for account, charge in sorted(charges.of.items())
    ]
    found += [
        Statement(_ADD_TO_SUM, (unit, sum_.micros, _limit(charges.known.spent.get(unit, 0), sum_.slack)))
        for unit, sum_ in sorted(charges.sums.items())
    ]
    return found


def _limit(known: int, slack: int | None) -> int | None:
    return None if slack is None else known + slack


def _charged(account: str, charge: Charge, known: Account, now: float) -> Statement:
    limit = _limit(known.usage.slots, charge.slack)
    if charge.pace is None:
        values: tuple[Any, ...] = (
            account,
            charge.slots,
            charge.submits,
            charge.claims,
            now,
            limit,
            known.paced,
            known.usage.next_submit_at,
        )
        return Statement(_ADD_TO_ACCOUNT, values)
    pace: Usage = charge.pace
    why = None if pace.paused_why is None else cleaned(pace.paused_why)
    values = (
        account,
        charge.slots,
        charge.submits,
        pace.next_submit_at,
        pace.spacing,
        pace.recent,
        pace.recent_at,
        pace.paused_until,
        why,
        known.paced,
        limit,
        known.usage.next_submit_at,
        list(pace.waiting),
    )
    return Statement(_SET_PACE, values)
