"""Ways from a request to what the adapter tells of it, by way of an emulator and without a network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from attrs import Factory, evolve, fields_dict, frozen

from pika_async.provider import (
    Emulator,
    Failed,
    HttpRequest,
    HttpResponse,
    Outcome,
    Pending,
    PikaError,
    Provider,
    ProviderFactory,
    Succeeded,
    Task,
    UnsupportedRequest,
    VideoRequest,
    decoded,
)
from pika_async.testing._builds import Builds
from pika_async.testing._world import FakeWorld

_STEPS: Final = 4
_SAYING: Final = frozenset({"error", "message", "msg", "detail", "reason"})


@frozen(kw_only=True)
class Drive:
    """Drives *emulator* with what *factory* makes; *secret* is what the emulator signs callbacks with."""

    factory: ProviderFactory
    emulator: Emulator
    builds: Builds
    secret: bytes | None = None
    refused_by_status: Collection[int] = ()
    ended: dict[str, Succeeded | Failed] = Factory(dict)
    """What the answer to a submit told of the end, by task; such a route may know nothing of it later."""

    @property
    def provider(self) -> Provider:
        return self.builds.provider

    def ask(self, world: FakeWorld, request: HttpRequest) -> HttpResponse | None:
        return world.ask(self.emulator, request)

    def sent(self, world: FakeWorld, request: VideoRequest) -> tuple[HttpResponse | None, object]:
        """Submit *request*, and return the answer and what the adapter makes of it."""
        answer = self.ask(world, self.builds.submit(request))
        if answer is None:
            return None, None
        told = told_by(self.provider.read_submit, answer, request)
        match told:
            case Succeeded() | Failed():
                self.ended[told.task.id] = told
            case Pending():
                self.ended.pop(told.task.id, None)  # another world's task of this id
        return answer, told

    def looked(self, world: FakeWorld, task: Task) -> object:
        """Look *task* up in as many steps as it takes; return what is known of it, None for nothing."""
        for _ in range(_STEPS):
            answer = self.ask(world, self.builds.sound(self.provider.build_poll([task])))
            if answer is None:
                return None
            told = told_by(self.provider.read_poll, answer, [task])
            if not isinstance(told, Mapping):
                return told
            seen = told.get(task.id, self.ended.get(task.id))
            if not isinstance(seen, Pending) or seen.poll_after != 0:
                return seen
            task = task.merged(seen.task)
        raise AssertionError(f"A look-up asks for more than {_STEPS} steps; poll_after=0 is for one more.")

    def words(self, world: FakeWorld, task: Task) -> str:
        """Return the first words with which the answer to a look-up says what went wrong."""
        answer = self.ask(world, self.builds.sound(self.provider.build_poll([task])))
        return next(_words(decoded(answer.body)), "") if answer is not None else ""

    def accepted(self, world: FakeWorld, request: VideoRequest) -> Task:
        answer, told = self.sent(world, request)
        if isinstance(told, Pending | Succeeded):
            return told.task
        raise AssertionError(
            f"{kind_of(request)} is accepted by the emulator ({shown(answer)}), and read as {told!r}."
        )

    def requests(self, outcome: Outcome | None = None) -> Iterator[VideoRequest]:
        word = "" if outcome is None else f" {outcome.value}"
        for plain in self.wordy():
            yield evolve(plain, prompt=f"A cat{word}")

    def wordy(self) -> Iterator[VideoRequest]:
        """Return the kinds of request that take words here."""
        lacks = self.provider.capabilities.lacks
        return (plain for plain in self.builds.kinds if "prompt" not in lacks.get(type(plain), ()))

    def with_field(self, plain: VideoRequest, name: str, value: Any) -> Iterator[VideoRequest]:
        """Return *plain* with *value* in the field *name*, if there is such a request and it can be sent."""
        if name not in fields_dict(type(plain)):
            return
        try:
            request = evolve(plain, **{name: value})
        except UnsupportedRequest:
            return
        yield from self.able(request)

    def able(self, plain: VideoRequest, **changes: Any) -> Iterator[VideoRequest]:
        request = evolve(plain, **changes)
        try:
            self.builds.submit(request)
        except PikaError:
            return
        yield request


def _words(told: Any, name: str = "") -> Iterator[str]:
    match told:
        case dict():
            for key, inner in told.items():
                yield from _words(inner, key)
        case list():
            for inner in told:
                yield from _words(inner, name)
        case str() if told and name in _SAYING:
            yield told
        case _:
            pass


def told_by(reader: Callable[..., Any], *given: Any) -> object:
    """Return what *reader* makes of it, an error of ours included."""
    try:
        return reader(*given)
    except PikaError as error:
        return error
    except Exception as error:
        raise AssertionError(f"{reader.__name__} fails on {shown(given[0])}: {error!r}") from error


def kind_of(request: VideoRequest) -> str:
    return type(request).__name__


def shown(answer: object) -> str:
    if not isinstance(answer, HttpResponse):
        return f"{answer!r}"[:200]
    return f"HTTP {answer.status} with {answer.body[:200]!r}"
