"""The contract: everything a provider adapter or an emulator may import, and nothing else of ours.

An adapter translates and never talks: four pure functions between our values and HTTP. Whatever it
needs (time, keys, media) is handed to it. See docs/providers.md for a whole one in an afternoon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, Literal, Protocol, TypeAlias

import attrs
from attrs import field, frozen

from pika_async._crossing import Value
from pika_async._http import (
    Form,
    HttpRequest,
    HttpResponse,
    Json,
    Multipart,
    clip,
)
from pika_async._reading import (
    base_url,
    decoded,
    first_text,
    given,
    inlined,
    is_link,
    key,
    shown,
    state,
    text,
)
from pika_async._refusals import ErrorInfo, Refusals, proves_nothing
from pika_async._secret import Secret
from pika_async._tolerant import read_json, structure
from pika_async.emulator import Emulator, Held, Outcome, World
from pika_async.errors import (
    AuthError,
    BadReply,
    ConfigError,
    ContentBlocked,
    InsufficientBalance,
    PikaError,
    ProviderUnavailable,
    RateLimited,
    SubmitRefused,
    SubmitUnknown,
    UnsupportedRequest,
)
from pika_async.requests import (
    MEDIA_FIELDS,
    Blob,
    Camera,
    Generate,
    Ingredients,
    Media,
    Style,
    VideoRequest,
    fields_set,
    media_of,
)
from pika_async.results import (
    JSON,
    Charged,
    Failed,
    Pending,
    Raw,
    Snapshot,
    State,
    Succeeded,
    Task,
    VideoResult,
)

__all__ = [
    "JSON",
    "SPEC_VERSION",
    "AuthError",
    "BadReply",
    "Balance",
    "Blob",
    "Call",
    "Camera",
    "Capabilities",
    "Charged",
    "Checks",
    "ConfigError",
    "ContentBlocked",
    "Emulator",
    "ErrorInfo",
    "Failed",
    "Finds",
    "Form",
    "Found",
    "Generate",
    "Held",
    "HttpRequest",
    "HttpResponse",
    "Ingredients",
    "InsufficientBalance",
    "Json",
    "Media",
    "Multipart",
    "Outcome",
    "Page",
    "Pending",
    "PikaError",
    "Provider",
    "ProviderFactory",
    "ProviderUnavailable",
    "RateLimited",
    "Raw",
    "ReadsCallbacks",
    "Refusals",
    "ReportsBalance",
    "Secret",
    "Signs",
    "Snapshot",
    "Snapshots",
    "State",
    "Style",
    "SubmitRefused",
    "SubmitUnknown",
    "Succeeded",
    "Task",
    "UnsupportedRequest",
    "VideoRequest",
    "VideoResult",
    "World",
    "base_url",
    "clip",
    "decoded",
    "fields_set",
    "first_text",
    "given",
    "inlined",
    "is_link",
    "key",
    "media_of",
    "proves_nothing",
    "read_json",
    "shown",
    "state",
    "structure",
    "text",
]

SPEC_VERSION = 1
"""Raised when a change here would break an adapter; adapters state theirs in `Capabilities.spec`."""

REFUSALS = (
    AuthError,
    RateLimited,
    InsufficientBalance,
    ContentBlocked,
    ProviderUnavailable,
    SubmitRefused,
)
"""Raised by `read_submit`, these are proof that nothing was bought; anything else is unknown."""


def _kinds(kinds: Iterable[type[VideoRequest]]) -> frozenset[type[VideoRequest]]:
    return frozenset(kinds)


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


@cache
def _names_and_values(kind: Any) -> tuple[Sequence[str], Callable[[VideoRequest], Any]]:
    """Return the fields of a kind and what reads them all: a check is made for every job."""
    names = tuple(attribute.name for attribute in attrs.fields(kind))
    return names, attrgetter(*names)


_IMPLIED = frozenset({"prompt", "images", "style", "extra_body"})


@frozen(kw_only=True)
class Capabilities(Value):
    """What an adapter can do; declared once, it serves validation, docs and the command line.

    *fields* are names of request fields (`prompt`, `images` and `style` are implied by the kind). *models*
    and *styles* are suggestions unless *closed_styles*. *inline_media* says whether files and bytes can be
    sent; *max_images* bounds `Ingredients`. *ranges* are the least and the greatest value of a field.
    *words_only* are fields that cannot go beside media. *reserved* are names that `extra_body` may not
    hold. All of them are checked before a job exists, so that another provider can still be chosen;
    `Checks` is for the rest.

    *private* are fields of answers that are secret or personal; they are never kept. *render_time* and
    *longest_render* are seconds. *key_variables* and *url_variable* name environment variables, the first
    one set wins.
    """

    kinds: frozenset[type[VideoRequest]] = field(converter=_kinds)
    fields: frozenset[str] = field(converter=_names)
    models: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    closed_styles: bool = False
    inline_media: bool = False
    max_images: int | None = None
    ranges: Mapping[str, tuple[float, float]] = field(factory=dict, hash=False)
    words_only: frozenset[str] = field(default=frozenset(), converter=_names)
    reserved: frozenset[str] = field(default=frozenset(), converter=_names)
    private: frozenset[str] = field(default=frozenset(), converter=_names)
    poll_batch: int = 1
    callbacks: Literal["no", "optional", "required"] = "no"
    echoes_token: bool = False
    render_time: float = 90.0
    longest_render: float = 1800.0
    key_variables: tuple[str, ...] = ()
    url_variable: str | None = None
    name: str | None = None
    spec: int = SPEC_VERSION

    def check(self, request: VideoRequest) -> None:
        """Raise `UnsupportedRequest`, naming the field, for what cannot be expressed here; reads no file."""
        problem = self._problem(request)
        if problem is not None:
            raise UnsupportedRequest(problem)

    def _problem(self, request: VideoRequest) -> str | None:
        kind: Any = type(request)
        if kind not in self.kinds:
            return f"{kind.__name__} is not offered"
        names, values = _names_and_values(kind)
        given = {name: value for name, value in zip(names, values(request), strict=True) if value is not None}
        for name in given:
            if name not in self.fields and name not in _IMPLIED:
                return f"{name} cannot be expressed"
        style = given.get("style")
        if self.closed_styles and style and style.casefold() not in {s.casefold() for s in self.styles}:
            return f"style {style!r} is not among {', '.join(self.styles)}"
        for name, (least, most) in self.ranges.items():
            if name in given and not least <= given[name] <= most:
                return f"{name} must be {least:g} to {most:g}"
        for name in self.reserved & given.get("extra_body", {}).keys():
            return f"{name} cannot be in extra_body; give it to the client"
        return None if given.keys().isdisjoint(MEDIA_FIELDS) else self._media_problem(request, given)

    def _media_problem(self, request: VideoRequest, given: Mapping[str, Any]) -> str | None:
        for name in self.words_only & given.keys():
            return f"{name} goes with words alone, media have one; leave it out"
        images = given.get("images", ())
        if self.max_images is not None and len(images) > self.max_images:
            return f"images holds more than {self.max_images}"
        if not self.inline_media:
            for name, medium in media_of(request):
                if not isinstance(medium, str):
                    return f"{name} must be a link; files and bytes cannot be sent"
        return None


@frozen(kw_only=True)
class Call(Value):
    """What the engine adds to a request: where to call back, which attempt this is, wall-clock time.

    *callback_url* is None when the user switched callbacks off; it bears the attempt's token.
    """

    callback_url: Secret | None
    attempt_id: str
    now: float


Snapshots: TypeAlias = Mapping[str, Snapshot]
"""What a look-up told, by task id; a task that is not in it is not known now."""


class Provider(Protocol):
    """An adapter. `read_submit` raises one of the refusals as proof that nothing was bought."""

    @property
    def capabilities(self) -> Capabilities: ...
    def build_submit(self, request: VideoRequest, call: Call, /) -> HttpRequest: ...
    def read_submit(self, response: HttpResponse, request: VideoRequest, /) -> Snapshot: ...
    def build_poll(self, tasks: Sequence[Task], /) -> HttpRequest: ...
    def read_poll(self, response: HttpResponse, tasks: Sequence[Task], /) -> Snapshots: ...


class ProviderFactory(Protocol):
    """What an entry point of the group `pika_async.providers` names."""

    def __call__(self, *, api_key: str, base_url: str | None = None) -> Provider: ...


class Checks(Protocol):
    """A provider with rules that capabilities cannot declare, such as two fields that exclude each other.

    It raises `UnsupportedRequest` that names the field. It is called after the capabilities were checked,
    with files that are not read yet.
    """

    def check_request(self, request: VideoRequest, /) -> None: ...


class ReadsCallbacks(Protocol):
    """A provider that pushes. *keys* are what `Signs` fetched; None means "not for us, ignore"."""

    def read_callback(
        self, body: bytes, headers: Mapping[str, str], received_at: float, keys: bytes | None, /
    ) -> Snapshot | None: ...


class Signs(Protocol):
    """A provider whose callbacks are signed: the request for its public keys, cached by the engine."""

    def build_keys(self) -> HttpRequest: ...


@frozen(kw_only=True)
class Found(Value):
    """A recent task in the provider's history, with the callback address it echoes."""

    snapshot: Snapshot
    callback_url: Secret | None


@frozen(kw_only=True)
class Page(Value):
    """One page of history; *next_cursor* None means there is no older one."""

    found: tuple[Found, ...]
    next_cursor: str | None


class Finds(Protocol):
    """A provider with a history of recent tasks, by which lost answers are reconciled."""

    def build_find(self, since: float, until: float, cursor: str | None, /) -> HttpRequest: ...
    def read_find(self, response: HttpResponse, /) -> Page: ...


@frozen
class Balance(Value):
    """What is left on the account, in the provider's own *unit*."""

    amount: float
    unit: str


class ReportsBalance(Protocol):
    """A provider that tells the balance of the account."""

    def build_balance(self) -> HttpRequest: ...
    def read_balance(self, response: HttpResponse, /) -> Balance: ...
