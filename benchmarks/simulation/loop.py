"""An event loop in virtual time. Each simulated process has one; the world runs their callbacks in turn."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any


class _Task(asyncio.Task):
    """A task whose hash is a number, so that sets of tasks have the same order in every run."""

    def __init__(self, *arguments: Any, number: int, **options: Any) -> None:
        self.number = number
        super().__init__(*arguments, **options)

    def __hash__(self) -> int:
        return self.number


class _Future(asyncio.Future):
    """A future whose hash is a number."""

    def __init__(self, number: int, *, loop: asyncio.AbstractEventLoop) -> None:
        self.number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs nothing by itself: `step` runs what is due, and *now* says when that is.

    Work for other threads is done in the loop, after *pause()* seconds. *broken* is told what no code caught.
    """

    def __init__(
        self, now: Callable[[], float], pause: Callable[[], float], broken: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._now = now
        self._pause = pause
        self._broken = broken
        self._numbers = count(1)
        self.set_task_factory(self._task)
        self.set_exception_handler(self._failed)

    def time(self) -> float:
        return self._now()

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(next(self._numbers), loop=self)

    def _task(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return _Task(coro, loop=loop, number=next(self._numbers), **options)

    def _failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._broken(f"{context['message']}: {error!r}")

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        future = self.create_future()

        def work() -> None:
            if future.done():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - as a thread hands it over
                future.set_exception(error)

        self.call_later(self._pause(), work)
        return future

    def _write_to_self(self) -> None:
        pass

    def _process_events(self, event_list: object) -> None:
        pass

    def next_at(self) -> float:
        """Return when the next callback is due; infinity where nothing is."""
        if self._ready:
            return self._now()
        scheduled = self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        return scheduled[0]._when if scheduled else float("inf")

    def step(self, goes_on: Callable[[], bool]) -> None:
        """Run what is due now, one callback after the other, while the process *goes_on*."""
        now, scheduled, ready = self._now(), self._scheduled, self._ready
        while scheduled and scheduled[0]._when <= now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                ready.append(handle)
        asyncio._set_running_loop(self)
        try:
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()
                    if not goes_on():
                        return
        finally:
            asyncio._set_running_loop(None)

    def drop(self) -> None:
        """Let go of everything that still waits, without running it, and without a word."""
        self._broken = lambda _: None
        asyncio._set_running_loop(self)
        try:
            closed: set[asyncio.Task[Any]] = set()
            # What is closed may begin more.
            while some := asyncio.all_tasks(self) - closed:
                closed |= some
                for task in sorted(some, key=hash):
                    task._log_destroy_pending = False
                    with suppress(BaseException):  # a dead process says nothing
                        task.get_coro().close()
        finally:
            asyncio._set_running_loop(None)
        self._ready.clear()
        self._scheduled.clear()
