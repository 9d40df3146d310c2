"""What an adapter reads: out of any answer comes a value or a `PikaError`, and no false refusal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from pika_async.provider import (
    REFUSALS,
    Balance,
    Failed,
    HttpResponse,
    Page,
    Pending,
    PikaError,
    Provider,
    Snapshot,
    Succeeded,
    Task,
    VideoRequest,
)
from pika_async.testing._answers import UNREADABLE
from pika_async.testing._builds import KEY, NOW, TASKS, hold
from pika_async.testing._drive import told_by

_NONE: Mapping[str, str] = {}


@frozen(kw_only=True)
class Reads:
    """Gives answers to the readers of *provider* and checks what comes out."""

    provider: Provider
    powers: frozenset[str]
    request: VideoRequest
    refused_by_status: Collection[int]

    def check(self, answers: Iterable[HttpResponse], tasks: Sequence[Task] = TASKS[:2]) -> None:
        """Return every reader every answer: a value or a `PikaError` comes out, and no false refusal."""
        own: Any = self.provider
        for answer in answers:
            self.submit(answer)
            self.poll(answer, tasks[:1])
            if self.provider.capabilities.poll_batch > 1:
                self.poll(answer, tasks)
            if "finds" in self.powers:
                _read(own.read_find, answer, kinds=Page)
            if "reports_balance" in self.powers:
                _read(own.read_balance, answer, kinds=Balance)
            if "reads_callbacks" in self.powers:
                self.callback(answer.body)

    def check_words(self, answers: Iterable[HttpResponse], task: Task) -> None:
        """Give the readers answers that echo the key somewhere: nothing that people read may show it."""
        for answer in answers:
            for reader, given in (
                (self.provider.read_submit, self.request),
                (self.provider.read_poll, [task]),
            ):
                told = told_by(reader, answer, given)
                for one in told.values() if isinstance(told, Mapping) else [told]:
                    words = f"{one.message} {one.code}" if isinstance(one, PikaError | Failed) else ""
                    hold(
                        KEY not in words,
                        f"{reader.__name__} shows the key in the words that it makes of {_shown(answer)}: "
                        f"hand foreign text through `shown`.",
                    )

    def submit(self, answer: HttpResponse) -> Any:
        """Read the answer to a submit."""
        told = _read(self.provider.read_submit, answer, self.request, kinds=Pending | Succeeded | Failed)
        if isinstance(told, REFUSALS):
            vague = answer.status // 100 in {3, 5} or answer.status in {408, 409} or answer.body in UNREADABLE
            listed = answer.status in self.refused_by_status
            hold(listed or not vague, f"{_shown(answer)} is taken for a refusal; it proves nothing.")
        return told

    def poll(self, answer: HttpResponse, tasks: Sequence[Task]) -> object:
        """Read the answer to a look-up of *tasks*."""
        told = _read(self.provider.read_poll, answer, tasks, kinds=Mapping)
        if not isinstance(told, PikaError):
            found: Mapping[str, Snapshot] = told
            asked = {task.id for task in tasks}
            strange = [id_ for id_, snapshot in found.items() if id_ not in asked or snapshot.task.id != id_]
            hold(not strange, f"{_shown(answer)} tells of tasks that were not asked for.")
            of_the_call = answer.status in {401, 403, 429} or answer.status >= 500
            hold(bool(found) or not of_the_call, f"{_shown(answer)} says nothing of tasks: raise, not {{}}.")
        return told

    def callback(
        self, body: bytes, headers: Mapping[str, str] = _NONE, at: float = NOW, keys: bytes | None = None
    ) -> Any:
        """Read a push."""
        own: Any = self.provider
        return _read(own.read_callback, body, headers, at, keys, kinds=Pending | Succeeded | Failed | None)


def _read(reader: Callable[..., Any], *given: Any, kinds: Any) -> Any:
    """Return what *reader* makes of it, an error of ours included."""
    try:
        told = reader(*given)
    except PikaError as error:
        told = error
    except Exception as error:
        raise AssertionError(f"{reader.__name__} fails on {_shown(given[0])}: {error!r}") from error
    sound = isinstance(told, PikaError | kinds) if kinds is not None else True
    hold(sound, f"{reader.__name__} returns {told!r} for {_shown(given[0])}.")
    for one in told.values() if isinstance(told, Mapping) else [told]:
        progress = one.progress if isinstance(one, Pending) else None
        hold(
            progress is None or 0 <= progress <= 1,
            f"{reader.__name__} tells a progress of {progress!r} for {_shown(given[0])}; it is 0 to 1.",
        )
    body = given[0] if isinstance(given[0], bytes) else given[0].body
    hold(
        KEY.encode() not in body or KEY not in f"{told} {told!r}",
        f"{reader.__name__} shows the key in what it makes of {_shown(given[0])}.",
    )
    return told


def _shown(answer: HttpResponse | bytes) -> str:
    body = answer if isinstance(answer, bytes) else answer.body
    status = "" if isinstance(answer, bytes) else f"HTTP {answer.status} with "
    return f"{status}{body[:200]!r}"
