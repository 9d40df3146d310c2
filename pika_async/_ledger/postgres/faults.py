"""How the Postgres ledger says that it cannot; nothing here quotes the database's address."""

from __future__ import annotations

from psycopg import Error, OperationalError

from pika_async._ledger.faults import INCOMPLETE, OUTDATED, not_recorded
from pika_async.errors import LedgerError

_ADVICE = {
    "28": "the database refuses this user. Check the user and the password in the address",
    "3D000": "there is no such database. Create it, or correct its name in the address",
    "42501": (
        "this role may not do that. Run `pika-async ledger migrate` once as a role that may create tables, "
        "and grant this one the use of the schema pika"
    ),
    "42P01": INCOMPLETE,
    "42703": INCOMPLETE,
    "53100": "the disk of the database is full. Free some space, then try again",
    "53300": "the database has no connection left. Raise max_connections, or put pgbouncer before it",
    "55P03": "another transaction holds the rows. Try again; `pika-async doctor` shows the oldest",
    "57014": "the database took too long. Try again; `pika-async doctor` shows what holds it",
    "25006": "this is a standby or read-only. Name the primary in the address",
    "53": "the database has too little memory, disk or connections. Mend that, then try again",
}


class ConflictError(Exception):
    """A row is not as it was read: what was decided on it is void."""


class DuplicateError(Exception):
    """A key, a task or an id is there already: look before you write."""


class HeldError(Exception):
    """Another transaction holds the rows of one order, for longer than others can wait."""


class UnfitError(Exception):
    """The database refuses a value: one order's trouble, and no other's."""


def unusable(why: str) -> LedgerError:
    """Make the error for a database that cannot serve; *why* says what to do."""
    return not_recorded(f"The ledger on Postgres cannot be used: {why}.")


def unreachable(detail: str = "") -> LedgerError:
    """Make the error for a database that does not answer."""
    return unusable(
        f"the database does not answer{detail}. Check that it runs; what waits can be tried again"
    )


def outdated() -> LedgerError:
    """Make the error for tables that only newer releases may write to."""
    error = unusable("a newer pika_async changed it. Upgrade pika_async")
    error.code = OUTDATED
    return error


def not_open() -> LedgerError:
    """Make the error for a ledger used before it is opened or after it is closed."""
    return not_recorded("The ledger on Postgres is not open; open a client for each piece of work.")


def from_postgres(error: Error) -> LedgerError:
    """Say in our words what Postgres says in its own; the cause is kept by whoever raises it."""
    state = error.sqlstate or ""
    advice = _ADVICE.get(state) or _ADVICE.get(state[:2])
    if advice is None:
        if is_lost(error):
            return unreachable()
        said = (error.diag.message_primary or type(error).__name__).rstrip(".")
        advice = f"Postgres says {said}. Report it if it stays so"
    return unusable(advice)


def is_lost(error: BaseException) -> bool:
    """Return whether the connection is gone, or must be taken for gone: what was under way is in doubt."""
    if not isinstance(error, Error):
        return False
    state = error.sqlstate
    if state is None:
        return isinstance(error, OperationalError)
    return state[:2] == "08" or state in {"57P01", "57P02", "57P03", "57P05", "25P03"}
