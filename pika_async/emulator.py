"""The contract of emulators: a provider's server side as a pure function, and the world it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from enum import StrEnum
from typing import Any, Literal, Protocol, Self, TypeAlias

from attrs import field, frozen

from pika_async._crossing import Value, process_bound
from pika_async._http import HttpRequest, HttpResponse
from pika_async.errors import PikaError
from pika_async.results import JSON


class Outcome(StrEnum):
    """What a word in the prompt makes the sandbox do, like the test cards of payment sandboxes.

    >>> Outcome.NO_LINK.meaning
    'accepted and billed; the render succeeds without a link'
    """

    RENDER_FAILS = "sandbox-render-fails", "accepted and billed; then the render fails"
    MODERATED = "sandbox-moderated", "refused by moderation; nothing is billed"
    MODERATED_LATE = "sandbox-late-moderated", "accepted and billed; then moderation fails the render"
    NO_LINK = "sandbox-no-link", "accepted and billed; the render succeeds without a link"
    NEVER_FINISHES = "sandbox-never-finishes", "accepted and billed; the render stays running for ever"
    RATE_LIMITED = "sandbox-rate-limited", "refused with HTTP 429 and no Retry-After; nothing is billed"
    RETRY_AFTER = "sandbox-retry-after", "refused with HTTP 429 and Retry-After: 2; nothing is billed"
    NO_BALANCE = "sandbox-no-balance", "refused because the balance is gone; nothing is billed"
    SERVER_ERROR = (
        "sandbox-server-error",
        "answered with HTTP 500 in the provider's own words; no task exists",
    )
    HTML = "sandbox-html", "answered with HTTP 502 and an HTML page; no task exists"
    DROPPED = "sandbox-dropped", "accepted, billed and rendered; the line is cut without an answer"

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        """Make a member whose value is *word*."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member

    @classmethod
    def chosen_by(cls, prompt: str) -> Outcome | None:
        """Return the outcome whose word *prompt* holds, or None for a video.

        >>> Outcome.chosen_by("A cat sandbox-no-link")
        <Outcome.NO_LINK: 'sandbox-no-link'>
        """
        words = prompt.casefold().split()
        return next((outcome for outcome in cls if outcome in words), None)


@process_bound("make Held(...) where the emulator runs, in the process of the sandbox")
@frozen(kw_only=True)
class Held:
    """An answer that waits until *until* (world time); without *answer* the line is cut then.

    *answer* is called when the time has come, so that it can tell what happened meanwhile.
    """

    until: float
    answer: Callable[[], HttpResponse] | None = None


class World(Protocol):
    """What an emulator is given: time, randomness, memory, media addresses, a way to call back.

    *now* is wall-clock seconds. *render_time* is the seconds a render takes; it may differ each time it is
    read. *tasks*, by task id, belongs to this emulator alone and lives as long as the server. `bill` counts
    a submit at the moment it is accepted, and so proves that nothing was bought twice. `call_back` POSTs
    *body* with *headers* at the time *at*, but only to this machine and to hosts that the sandbox allows; a
    mapping goes as JSON, bytes go as they are, because a signature is made over bytes.

    *account_url* is where the callbacks of the whole account go, for a provider that takes no address with
    each job; None if nobody set one. *base_url* is the sandbox's own address, for links that the emulator
    itself serves (a result's page, an upload). `media` answers *request* with a file, or with the range of it
    that is asked for, for an emulator that serves its videos itself.
    """

    @property
    def now(self) -> float: ...
    @property
    def render_time(self) -> float: ...
    @property
    def tasks(self) -> MutableMapping[str, Any]: ...
    def new_id(self) -> str: ...
    def media_url(self, name: Literal["video.mp4", "poster.jpg"], task_id: str, /) -> str: ...
    def media(self, name: Literal["video.mp4", "poster.jpg"], request: HttpRequest, /) -> HttpResponse: ...
    def bill(self, prompt: str, /) -> None: ...
    @property
    def base_url(self) -> str: ...
    @property
    def account_url(self) -> str | None: ...
    def call_back(
        self, url: str, body: Mapping[str, JSON] | bytes, /, *, at: float, headers: Mapping[str, str] = ...
    ) -> None: ...


class Emulator(Protocol):
    """What an entry point of the group `pika_async.emulators` makes; *paths* are prefixes it answers.

    A body that is neither JSON nor a form reaches `answer` as None, unless it is media or sent by PUT:
    uploaded bytes are a `Blob`.
    """

    @property
    def paths(self) -> tuple[str, ...]: ...
    def answer(self, request: HttpRequest, world: World, /) -> HttpResponse | Held: ...


@frozen
class Example(Value):
    """What a function of an adapter returns or raises for its arguments, as the documents have it.

    *function* is its name, such as `read_poll`. *expected* is what it returns, or the error that it raises:
    a class of errors, or an error whose `code`, `trace_id`, `charged` and `retryable` are compared too, and
    whose message is part of the adapter's. Of a
    request the method, address, query and body are compared as a server sees them, and the headers that
    *expected* names. Of a snapshot everything is compared but a `raw` that *expected* lacks. *options* are
    what the adapter is made with besides its key and address.

    >>> Example("read_poll", ("an answer", "tasks"), {}).function
    'read_poll'
    """

    function: str
    arguments: tuple[Any, ...]
    expected: Any
    options: Mapping[str, Any] = field(factory=dict, kw_only=True)


class Documented(Protocol):
    """An emulator that also knows its documents, so that the kit can compare an adapter with them.

    Each of the four may be left out. *names* are all names that the documents give to fields of a body or a
    query, at any depth. `refusals` returns documented answers to a submit, each with the error that an
    adapter must raise for it. `examples` returns what *provider*, which has the kit's key and address, must
    send and read; `limits` what the documents say of its `Capabilities`, by the names of their fields.
    """

    @property
    def names(self) -> frozenset[str]: ...
    def refusals(self) -> Iterable[tuple[HttpResponse, type[PikaError]]]: ...
    def examples(self, provider: Any, /) -> Iterable[Example]: ...
    def limits(self, provider: Any, /) -> Mapping[str, object]: ...


EmulatorFactory: TypeAlias = Callable[[], Emulator]
