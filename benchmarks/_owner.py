"""A process that owns orders and is killed while they are under way; `benchmarks.replay` starts it.

It prints how many videos, refusals and doubts it saw. Its times are short, so that a campaign need not wait
for the lease of each dead owner.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections import Counter

from pika_async import JobUnresolved, Pika, SubmitUnknown
from pika_async._engine import replaying, rounds
from pika_async._ledger.times import Times
from pika_async.errors import PikaError

LEASE = 2.0


async def owned(url: str, media_host: str, ledger: str, first: int, count: int) -> Counter[str]:
    """Order *count* videos by keys, or join those that an earlier process ordered, and wait for all."""
    seen: Counter[str] = Counter(videos=0, doubts=0, refused=0)
    async with Pika(
        "pika",
        api_key="sandbox",
        base_url=url,
        ledger=ledger,
        max_concurrency=count,
        media_hosts=[media_host],
        poll_rate=None,
        poll_interval=0.1,
    ) as pika:

        async def order(number: int) -> None:
            try:
                prompt = f"A cat, number {number}"
                await pika.generate(prompt, idempotency_key=str(number), timeout=None)
            except (SubmitUnknown, JobUnresolved):
                seen["doubts"] += 1
            except PikaError:
                seen["refused"] += 1
            else:
                seen["videos"] += 1

        await asyncio.gather(*(order(number) for number in range(first, first + count)))
    return seen


def shorten() -> None:
    """Have leases end, and sweeps and replays come, soon."""
    Times.lease = property(lambda _: LEASE)  # type: ignore[assignment, method-assign]
    for module, name, seconds in (
        (rounds, "_FIRST", 0.1),
        (rounds, "_PERIOD", 0.5),
        (replaying, "_FIRST_PAUSE", 0.05),
        (replaying, "_LONGEST_PAUSE", 0.5),
    ):
        setattr(module, name, seconds)


if __name__ == "__main__":
    logging.getLogger("pika_async").setLevel(logging.ERROR)
    shorten()
    url, media_host, ledger, first, count = sys.argv[1:]
    print(json.dumps(asyncio.run(owned(url, media_host, ledger, int(first), int(count)))))
