"""Ctrl-C around an event loop: the first one asks, the second one insists."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* in a loop of its own; raises KeyboardInterrupt once it has been cut short.

    The first Ctrl-C cancels *main*, which may still bring things to an end; the next cancels everything.
    """

    async def interruptible() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def interrupt() -> None:
            # Raised here, between two steps, it strikes no task in the middle of something.
            if task is None or task.cancelling():
                raise KeyboardInterrupt
            task.cancel()

        # Where the loop cannot do this, asyncio.run's own handler does nearly the same.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGINT, interrupt)
        return await main

    try:
        return asyncio.run(interruptible())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM sets, for servers; they then close as if their work were done."""
    told = asyncio.Event()
    with suppress(NotImplementedError, RuntimeError, ValueError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    return told
