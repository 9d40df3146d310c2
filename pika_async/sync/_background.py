"""An event loop in a thread of its own, and calls into it for which the calling thread waits."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Final, TypeVar

from pika_async.errors import ConfigError

T = TypeVar("T")

# On Windows a thread that waits for a lock does not notice Ctrl-C before its wait is over.
_PATIENCE: Final = 0.2 if sys.platform == "win32" else None


def new_loop() -> asyncio.AbstractEventLoop:
    """Make the loop: on Windows one that psycopg can use, which does not work with the usual one there."""
    return asyncio.SelectorEventLoop() if sys.platform == "win32" else asyncio.new_event_loop()


class Errands:
    """Functions of the caller's that the loop wants called, in the thread that waits for the loop.

    What is due when no thread waits is done by the next call that has the same errands.
    """

    def __init__(self) -> None:
        self._due: deque[Callable[[], None]] = deque()
        self._pulls: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()

    def ask(self, function: Callable[..., T], *args: object, pull: bool = False) -> asyncio.Future[T]:
        """Have *function* called, from the loop; the future has what it returns or raises.

        A *pull* is not done for a call that has ended: what it takes from an iterable would be lost.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(value: T | None, error: Exception | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(value)  # type: ignore[arg-type]
            else:
                answer.set_exception(error)

        def run() -> None:
            try:
                value = function(*args)
            except StopIteration as error:  # which no future can hold
                loop.call_soon_threadsafe(settle, None, RuntimeError(f"a function raised {error!r}"))
            except Exception as error:  # noqa: BLE001 - whatever it is, the loop hands it to who asked
                loop.call_soon_threadsafe(settle, None, error)
            else:
                loop.call_soon_threadsafe(settle, value, None)

        with self._changed:
            (self._pulls if pull else self._due).append(run)
            self._changed.notify_all()
        return answer

    def wake(self) -> None:
        """Let the waiting threads see what has changed."""
        with self._changed:
            self._changed.notify_all()

    def serve(self, done: Callable[[], bool]) -> None:
        """Run errands in this thread until *done*."""
        while True:
            with self._changed:
                while not (self._due or done() or self._pulls):
                    self._changed.wait(_PATIENCE)
                if not self._due and done():
                    return
                errand = (self._due or self._pulls).popleft()
            errand()


class Background:
    """One thread with one event loop. `call` may be used by any number of threads at once."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._process = os.getpid()
        self._waiting: list[Errands] = []
        self._ended = False
        # A daemon: a program that forgets to close its client still ends.
        self._thread = threading.Thread(target=self._run, name="pika-async", daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(self._until_stopped())
        self._ended = True
        for errands in tuple(self._waiting):
            errands.wake()

    async def _until_stopped(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._stop.wait()

    @property
    def reachable(self) -> bool:
        """Whether this thread may wait for the loop: it runs, and in another thread of this process."""
        return (
            self._thread.is_alive()
            and self._process == os.getpid()
            and self._thread is not threading.current_thread()
        )

    def call(self, work: Callable[[], Coroutine[Any, Any, T]], errands: Errands | None = None) -> T:
        """Run *work* in the loop and wait for it; *errands* are done meanwhile.

        What interrupts the wait, as Ctrl-C does, cancels the work; the interruption is raised once that has
        ended, with the notes of the work on it.
        """
        loop = self._checked()
        errands = errands or Errands()
        begun: list[asyncio.Task[T]] = []
        context = copy_context()

        def begin() -> None:
            task = loop.create_task(work(), context=context)
            task.add_done_callback(lambda _: errands.wake())
            begun.append(task)

        def cancel() -> None:
            for task in begun:
                task.cancel()

        def done() -> bool:
            return self._ended or (bool(begun) and begun[0].done())

        self._waiting.append(errands)
        try:
            loop.call_soon_threadsafe(begin)
            errands.serve(done)
        except RuntimeError:  # the loop was closed in this very moment
            raise _closed() from None
        except BaseException as interruption:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(cancel)
            errands.serve(done)
            for note in _last_words(begun):
                interruption.add_note(note)
            raise
        finally:
            self._waiting.remove(errands)
        return _result(begun)

    def stop(self) -> None:
        """End the loop and its thread; calls that still wait are told that the client is closed."""
        if self._loop is not None and self._stop is not None and self.reachable:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _checked(self) -> asyncio.AbstractEventLoop:
        if self._process != os.getpid():
            raise ConfigError(
                "The client was opened before this process was forked; open another client here, and "
                "continue its jobs with pika.job(token)."
            )
        if self._thread is threading.current_thread():
            raise ConfigError("The client's own thread must not wait for itself; call from another thread.")
        if self._loop is None or not self._thread.is_alive():
            raise _closed()
        return self._loop


def _closed() -> ConfigError:
    return ConfigError("The client is closed; open another, and continue its jobs with pika.job(token).")


def _result(begun: list[asyncio.Task[T]]) -> T:
    if not begun or not begun[0].done():
        raise _closed()
    try:
        return begun[0].result()
    except asyncio.CancelledError as cancelled:
        error = _closed()
        for note in getattr(cancelled, "__notes__", ()):
            error.add_note(note)
        raise error from None


def _last_words(begun: list[asyncio.Task[Any]]) -> list[str]:
    """Return what an interrupted caller must know: how to go on, or what had just arrived."""
    try:
        result = _result(begun)
    except ConfigError as error:
        return list(getattr(error, "__notes__", ()))
    except Exception as error:  # noqa: BLE001 - the interruption goes on, with this on it
        return [f"The call had failed: {error}"]
    return [] if result is None else [f"The call had returned {getattr(result, 'token', None) or result!r}"]
