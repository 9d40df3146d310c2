"""What a connection remembers of its file, so that a job in flight is not read again for each event."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

from pika_async._ledger.evolve import evolve
from pika_async._ledger.faults import unreadable_job
from pika_async._ledger.records import JobRecord, Usage
from pika_async._ledger.spending import total
from pika_async._ledger.sqlite.accounts import read_accounts, read_spending
from pika_async._ledger.sqlite.reading import Reading
from pika_async._ledger.sqlite.rows import Row, account_row
from pika_async._ledger.sqlite.schema import read_int
from pika_async._money import Money

_REMEMBERED = 10_000
_MEDIA_REMEMBERED = 64 << 20


class Known:
    """Valid until another connection commits; `forget` starts again after anything went wrong."""

    def __init__(self) -> None:
        self.data_version = -1
        self._reading = Reading()
        self.forget()

    def forget(self) -> None:
        """Know nothing."""
        self.jobs: dict[str, tuple[int, JobRecord]] = {}
        self._unreadable: set[str] = set()
        self._accounts: dict[str, Usage] = {}
        self._counted = False
        self._own_submits: dict[str, int] = {}
        self._submits = 0
        self._spent: Mapping[str, int] = {}
        self._last_seq: int | None = None
        self.media = 0
        self._reading.weight = 0
        self._reading.met_damage = False

    @property
    def met_damage(self) -> bool:
        """Whether a damaged page was met since `forget`."""
        return self._reading.met_damage

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Forget everything if another connection has committed since, or if it is too much."""
        version = read_int(connection, "PRAGMA data_version")
        too_much = len(self.jobs) > _REMEMBERED or self.media + self._reading.weight > _MEDIA_REMEMBERED
        if version != self.data_version or too_much:
            self.data_version = version
            self.forget()

    def load(self, connection: sqlite3.Connection, job_ids: Collection[str]) -> None:
        """Read those of these jobs that are not known yet."""
        missing = [job_id for job_id in job_ids if job_id not in self.jobs]
        if not missing:
            return
        for seq, job_id, job in self._reading.jobs(connection, missing):
            if job is None:
                self._unreadable.add(job_id)
            else:
                self.jobs[job_id] = seq, job

    def get(self, job_id: str) -> JobRecord | None:
        """Return a job that was loaded; raises `LedgerError` for one that cannot be read."""
        known = self.jobs.get(job_id)
        if known is not None:
            return known[1]
        if job_id in self._unreadable:
            raise unreadable_job(job_id)
        return None

    def next_seq(self, connection: sqlite3.Connection) -> int:
        """Return the place of the next job in the order of arrival."""
        if self._last_seq is None:
            self._last_seq = read_int(connection, "SELECT coalesce(max(seq), 0) FROM jobs")
        self._last_seq += 1
        return self._last_seq

    def usage(self, connection: sqlite3.Connection, account: str) -> Usage:
        """Return what an account uses, with the submits and prices of all accounts."""
        usage = self._of(connection).get(account) or Usage()
        if usage.submits == self._submits and usage.spent == self._spent:
            return usage
        return evolve(usage, submits=self._submits, spent=self._spent)

    def count(self, connection: sqlite3.Connection, account: str, slots: int, submits: int) -> None:
        """Add to what an account uses."""
        usage = self._of(connection).get(account) or Usage()
        self._submits += submits
        self._own_submits[account] = self._own_submits.get(account, 0) + submits
        self._accounts[account] = evolve(usage, slots=usage.slots + slots, submits=self._submits)

    def spend(self, connection: sqlite3.Connection, money: Money) -> None:
        """Add to the sum of prices; a negative amount gives money back."""
        self._of(connection)
        self._spent = total(self._spent, money)

    def spending(self, unit: str) -> Row:
        """Return the sum in *unit* as the row to write."""
        return unit, self._spent.get(unit, 0)

    def set_usage(self, account: str, usage: Usage) -> None:
        """Replace an account's figures; its own submits are counted apart."""
        self._accounts[account] = usage

    def account(self, account: str) -> Row:
        """Return an account as the row to write."""
        return account_row(account, self._accounts[account], self._own_submits.get(account, 0))

    def _of(self, connection: sqlite3.Connection) -> dict[str, Usage]:
        if not self._counted:
            self._counted = True
            self._accounts = read_accounts(connection)
            self._own_submits = {account: usage.submits for account, usage in self._accounts.items()}
            self._submits = sum(self._own_submits.values())
            self._spent = read_spending(connection)
        return self._accounts
