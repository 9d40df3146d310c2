"""What the workers tell the shop of: `pika-async work ... --hook hook:delivered`."""

from __future__ import annotations

from pika_async.fleet import Delivery


async def delivered(delivery: Delivery) -> None:
    """Note a video. The same one may come again: whatever is written here is keyed by the job."""
    print(f"order {delivery.job_id}: {delivery.place}, {delivery.size} bytes")
