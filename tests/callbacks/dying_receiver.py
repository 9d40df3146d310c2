"""A receiver in a process of its own: `dying_receiver.py LEDGER PORT never|before|after`.

It kills itself around the commit of its first callback: before it, or after it and before the answer.
"""

import asyncio
import os
import signal
import sys

from pika_async._ledger.sqlite import SqliteLedger, commit
from pika_async.callbacks.standalone import receiving


async def main(path, port, die):
    """Receive until the end."""

    def deadly(connection):
        received = connection.execute("SELECT count(*) FROM inbox").fetchone()[0]
        if received and die == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(connection)
        if received and die == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    async with receiving(SqliteLedger(path, commit=deadly), [], "127.0.0.1", int(port)) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
