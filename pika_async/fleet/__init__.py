"""Many machines: workers that send what any process enqueued, on one ledger in Postgres.

See docs/many-machines.md. It needs the extra `[distributed]`.
"""

from pika_async.fleet.delivery import Delivery
from pika_async.fleet.options import Work
from pika_async.fleet.status import AccountStatus, FleetStatus, WorkerStatus, status
from pika_async.fleet.worker import work

__all__ = ["AccountStatus", "Delivery", "FleetStatus", "Work", "WorkerStatus", "status", "work"]
