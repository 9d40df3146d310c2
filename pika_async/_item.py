"""What goes into a `map` and what comes out: a row for each request, an item with what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeAlias

from attrs import field, fields, frozen

from pika_async._crossing import Value
from pika_async._job import Job
from pika_async.errors import JobTimeout, PikaError
from pika_async.requests import VideoRequest
from pika_async.results import VideoResult

Order: TypeAlias = VideoRequest | str
"""A request, or the prompt of a `Generate`."""
Row: TypeAlias = Order | tuple[str, Order]
"""An order, or an idempotency key and an order."""


@frozen(kw_only=True)
class Item(Value):
    """One request of a `map` with its *job* and its *result* or *error*.

    *index* is its place in the input, from 0; *key* is its idempotency key, if it had one. An item without
    result and error is still running: it comes from `Map.aclose`, and its job continues. In another process
    an item holds the *token* in place of the *job*, as errors do.
    """

    index: int = 0
    request: VideoRequest
    key: str | None = None
    job: Job | None
    result: VideoResult | None = None
    error: PikaError | None = None
    _token: str | None = field(default=None, init=False, eq=False, repr=False)

    @property
    def token(self) -> str | None:
        """The job's token, with which any process can go on; None where there was no job."""
        return self._token if self.job is None else self.job.token

    @property
    def video(self) -> VideoResult:
        """The video; raises the item's error, or `JobTimeout` when the job still runs."""
        if self.result is not None:
            return self.result
        raise self.error or JobTimeout("The job goes on; wait for item.job.", job=self.job)

    @property
    def running(self) -> bool:
        """Return whether the job is still running; keep `token` to find it again."""
        return self.result is None and self.error is None

    def __getstate__(self) -> dict[str, Any]:
        return {a.name: getattr(self, a.name) for a in fields(Item)} | {"job": None, "_token": self.token}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def __copy__(self) -> Self:
        return self  # nothing in it changes, and its job stays with it
