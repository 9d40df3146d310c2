"""The client without `await`, for scripts, notebooks and frameworks that know no event loop.

    from pika_async.sync import Pika

    with Pika("acedata") as pika:
        video = pika.generate("A cat surfing at sunset")

Its classes are made of the asynchronous ones, so the two never differ; `__init__.pyi` says their types, and
is written by `python -m tests.sync.stub`.
"""

from __future__ import annotations

import atexit
import threading
from typing import Any, NoReturn, Self

from pika_async import _bulk, _client, _events, _job
from pika_async.errors import ConfigError
from pika_async.sync._background import Background
from pika_async.sync._derived import Derived, Item

__all__ = ["Item", "Job", "JobEvents", "Map", "Pika"]


class Job(Derived, of=_job.Job):  # noqa: D101 - its docstring is derived, as those below are
    __slots__ = ()


class JobEvents(Derived, of=_events.JobEvents):  # noqa: D101
    __slots__ = ()


class Map(Derived, of=_bulk.Map):  # noqa: D101
    __slots__ = ()


class Pika(Derived, of=_client.Pika):
    """The client without `await`: the methods and options of `pika_async.Pika`, for any number of threads.

    It is opened by `with`, or by its first call. Its work is done in one thread of its own, so it may be used
    where an event loop runs, as in a notebook. Functions and iterables that you hand over (*on_event*,
    *on_progress*, the requests of `map`) are called in your own thread, while it waits in that call.

    Ctrl-C ends the call that waits, not the client; the tokens of jobs that may be paid are noted on the
    `KeyboardInterrupt`. Open it after a fork, not before. It takes no *callbacks*: those belong to an
    application with an event loop.
    """

    __slots__ = ("_closed", "_lock")

    def __init__(self, *providers: Any, **options: Any) -> None:
        if options.get("callbacks") is not None:
            raise ConfigError(
                "A client without await receives no callbacks; open a pika_async.Pika for them."
            )
        self._inner = _client.Pika(*providers, **options)
        self._lock = threading.RLock()
        self._closed = False

    @property
    def callbacks(self) -> NoReturn:
        """Raise `ConfigError`: a receiver belongs to an application with an event loop."""
        raise ConfigError("A client without await has no receiver; open a pika_async.Pika for callbacks.")

    def __enter__(self) -> Self:
        self._reach()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the client; waits up to 30 s for POSTs that are under way. Jobs go on without it.

        A program that ends without it closes its clients then.
        """
        with self._lock:
            self._closed = True
            background = getattr(self, "_background", None)
        if background is not None and background.reachable:
            try:
                background.call(self._inner.aclose)
            finally:
                background.stop()
                atexit.unregister(self.close)

    def _reach(self) -> Background:
        with self._lock:
            if not hasattr(self, "_background"):
                if self._closed:
                    raise ConfigError("This client was closed; make a new one.")
                background = Background()
                try:
                    background.call(self._inner.__aenter__)
                except BaseException:
                    self._closed = True
                    background.stop()
                    raise
                self._background = background
                atexit.register(self.close)
            return self._background
