"""What processes share of an account, as rows: its figures, the leases, and what pollers learned."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import attrs

from pika_async._ledger.records import Member, Usage
from pika_async._ledger.spending import added, total
from pika_async._ledger.sqlite.reading import attempt_of
from pika_async._ledger.sqlite.rows import ACCOUNT_COLUMNS, ATTEMPT_COLUMNS, MEMBER_COLUMNS, marks
from pika_async._ledger.sqlite.schema import read_int

log = logging.getLogger("pika_async")


def read_accounts(connection: sqlite3.Connection) -> dict[str, Usage]:
    """Read the figures of all accounts; *submits* are each account's own."""
    rows = connection.execute(f"SELECT {ACCOUNT_COLUMNS} FROM accounts")
    return {row[0]: _usage(connection, *row) for row in rows.fetchall()}


def _usage(connection: sqlite3.Connection, account: str, *figures: Any) -> Usage:
    slots, submits, *times, why, members, max_slots, waiting = figures
    if not all(isinstance(value, int | float) for value in (slots, submits, *times)):
        log.warning("account %s: its figures are damaged; its slots and submits are counted anew", account)
        where = "FROM job_attempts WHERE account = ? AND"
        slots = read_int(connection, f"SELECT count(*) {where} slot = 1", account)
        submits = read_int(connection, f"SELECT count(*) {where} claimed_at IS NOT NULL", account)
        times = [0.0] * len(times)
    next_submit_at, spacing, recent, recent_at, paused_until = times
    return Usage(
        slots=slots,
        submits=submits,
        next_submit_at=next_submit_at,
        spacing=spacing,
        recent=recent,
        recent_at=recent_at,
        paused_until=paused_until,
        paused_why=why if isinstance(why, str) else None,
        members=members if isinstance(members, int) else 0,
        max_slots=max_slots if isinstance(max_slots, int) else None,
        waiting=tuple(waiting.split()) if isinstance(waiting, str) else (),
    )


def read_spending(connection: sqlite3.Connection) -> Mapping[str, int]:
    """Read the sums of all prices that may be billed, in millionths by unit."""
    rows = connection.execute("SELECT unit, micros FROM spending").fetchall()
    if all(isinstance(unit, str) and isinstance(micros, int) for unit, micros in rows):
        return {unit: micros for unit, micros in rows if micros}
    log.warning("the sums of prices are damaged; they are counted anew")
    spent: Mapping[str, int] = {}
    for row in connection.execute(f"SELECT {ATTEMPT_COLUMNS} FROM job_attempts WHERE price IS NOT NULL"):
        # What is damaged is told of when its job is read.
        with suppress(Exception):
            spent = total(spent, added(None, attempt_of("", row)))
    return spent


def put_member(connection: sqlite3.Connection, account: str, member: Member, now: float) -> None:
    """Keep what a process says of itself, and forget those that stopped responding."""
    row = attrs.astuple(member)
    connection.execute(
        f"INSERT OR REPLACE INTO members (account, {MEMBER_COLUMNS}) VALUES (?, {marks(row)})",
        (account, *row),
    )
    connection.execute("DELETE FROM members WHERE until <= ?", (now,))


def read_members(connection: sqlite3.Connection, account: str, now: float) -> list[Member]:
    """Read the living processes that send for *account*."""
    query = f"SELECT {MEMBER_COLUMNS} FROM members WHERE account = ? AND until > ?"
    names = MEMBER_COLUMNS.split(", ")
    return [
        Member(**dict(zip(names, row, strict=True)))
        for row in connection.execute(query, (account, now)).fetchall()
    ]


def lease(connection: sqlite3.Connection, name: str, owner: str, seconds: float, now: float) -> bool:
    """Take or keep the lease *name* for *owner*; False while another owner holds it."""
    cursor = connection.execute(
        "INSERT INTO leases (name, owner, until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
        "SET owner = excluded.owner, until = excluded.until WHERE owner = excluded.owner OR until <= ?",
        (name, owner, now + seconds, now),
    )
    return cursor.rowcount == 1


def learn(connection: sqlite3.Connection, account: str, state: str) -> None:
    """Keep what pollers learned of *account*."""
    connection.execute(
        "INSERT INTO learned (account, state) VALUES (?, ?) ON CONFLICT DO UPDATE SET state = excluded.state",
        (account, state),
    )


def learned(connection: sqlite3.Connection, account: str) -> str | None:
    """Read what pollers learned of *account*."""
    row = connection.execute("SELECT state FROM learned WHERE account = ?", (account,)).fetchone()
    return None if row is None else str(row[0])
