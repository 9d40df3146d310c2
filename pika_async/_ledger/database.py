"""What a person may ask of the database that a ledger is in; needs no driver."""

from __future__ import annotations

from attrs import frozen

from pika_async._crossing import Value


@frozen(kw_only=True)
class Database(Value):
    """A database with a ledger: server *version*, our *schema*, and what is true of it now.

    *ahead* is by how many seconds its clock is ahead of this machine's. *synchronous* says that commits wait
    for a standby, *standbys* how many are connected. *oldest_transaction* is its age in seconds. *pooled*
    says that a pool such as pgbouncer is in between. *processes* have written within the last minute.
    """

    version: str
    schema: int
    ahead: float
    synchronous: bool
    standbys: int
    oldest_transaction: float
    pooled: bool
    processes: int
