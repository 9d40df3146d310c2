"""A process of one release: `benchmarks.rollover` starts it with the code of that release in PYTHONPATH.

    python _release.py today cli work acedata --ledger DSN
    python _release.py tomorrow shop DSN order 30

*tomorrow* is the release in PYTHONPATH with one more migration, which adds a column. *abrupt* is the same,
and releases before it may begin nothing more. A shop enqueues orders, waits for their videos, and prints how
each ended. It knows the public API alone.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

STEP = "ALTER TABLE pika.attempts ADD COLUMN tomorrow text NOT NULL DEFAULT ''"
PAUSE = 0.2


def become(release: str) -> None:
    """Change the schema that this process speaks, unless it is that of *today*."""
    if release == "today":
        return
    from pika_async._ledger.postgres import schema, session

    schema.MIGRATIONS = session.MIGRATIONS = (*schema.MIGRATIONS, STEP)  # type: ignore[misc]
    if release == "abrupt":
        schema._MIN_READER = len(schema.MIGRATIONS)  # type: ignore[misc]  # noqa: SLF001


async def shop(dsn: str, prefix: str, count: int) -> Counter[str]:
    """Enqueue *count* orders, one after the other, and return how they ended."""
    from pika_async import Pika

    async def ended(job) -> str:  # type: ignore[no-untyped-def]
        try:
            await job.wait(600)
        except Exception as error:  # noqa: BLE001 - it is counted
            return f"{type(error).__name__}: {error}"[:120]
        return str(job.state)

    async with Pika("acedata", ledger=dsn, work=False) as pika:
        waits, refused = [], Counter[str]()
        for number in range(count):
            prompt = f"{prefix} {number}"
            try:
                job = await pika.enqueue(prompt, idempotency_key=prompt)
            except Exception as error:  # noqa: BLE001 - it is counted
                refused[f"not enqueued: {type(error).__name__}: {error}"[:120]] += 1
            else:
                waits.append(asyncio.create_task(ended(job)))
            await asyncio.sleep(PAUSE)
        return refused + Counter(await asyncio.gather(*waits))


def main() -> None:
    """Be the process that the arguments name."""
    release, what, *words = sys.argv[1:]
    become(release)
    if what == "cli":
        from pika_async.cli import main as command

        sys.argv = ["pika-async", *words]
        command()
    else:
        dsn, prefix, count = words
        print(json.dumps(asyncio.run(shop(dsn, prefix, int(count)))))


if __name__ == "__main__":
    main()
