"""The contract: everything a provider adapter or an emulator may import, and nothing else of ours.

An adapter translates and never talks: four pure functions between our values and HTTP. Whatever it
needs (time, keys, media) is handed to it. See docs/providers.md for a whole one in an afternoon.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

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
    "ConfigError",
    "ContentBlocked",
    "Emulator",
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
    "ReportsBalance",
    "Secret",
    "Signs",
    "Snapshot",
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
    "clip",
    "fields_set",
    "media_of",
    "read_json",
    "structure",
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


@frozen(kw_only=True)
class Capabilities(Value):
    """What an adapter can do; declared once, it serves validation, docs and the command line.

    *fields* are names of request fields (`prompt`, `images` and `style` are implied by the kind). *models*
    and *styles* are suggestions unless *closed_styles*. *inline_media* says whether files and bytes can be
    sent; *max_images* bounds `Ingredients`. *render_time* and *longest_render* are seconds. *key_variables*
    and *url_variable* name environment variables, the first one set wins.
    """

    kinds: frozenset[type[VideoRequest]] = field(converter=_kinds)
    fields: frozenset[str] = field(converter=_names)
    models: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    closed_styles: bool = False
    inline_media: bool = False
    max_images: int | None = None
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
        """Raise `UnsupportedRequest`, naming the field, for what cannot be expressed here at all."""
        kind = type(request)
        if kind not in self.kinds:
            raise UnsupportedRequest(f"{kind.__name__} is not offered")
        given = fields_set(request)
        for name in given:
            if name not in self.fields | {"prompt", "images", "style", "extra_body"}:
                raise UnsupportedRequest(f"{name} cannot be expressed")
        style = given.get("style")
        if self.closed_styles and style and style.casefold() not in {s.casefold() for s in self.styles}:
            raise UnsupportedRequest(f"style {style!r} is not among {', '.join(self.styles)}")
        images = given.get("images", ())
        if self.max_images is not None and len(images) > self.max_images:
            raise UnsupportedRequest(f"images holds more than {self.max_images}")
        if not self.inline_media:
            for name, medium in media_of(request):
                if not isinstance(medium, str):
                    raise UnsupportedRequest(f"{name} must be a link; files and bytes cannot be sent")


@frozen(kw_only=True)
class Call(Value):
    """What the engine adds to a request: where to call back, which attempt this is, wall-clock time.

    *callback_url* is None when the user switched callbacks off; it bears the attempt's token.
    """

    callback_url: Secret | None
    attempt_id: str
    now: float


class Provider(Protocol):
    """An adapter. `read_submit` raises one of the refusals as proof that nothing was bought."""

    @property
    def capabilities(self) -> Capabilities: ...
    def build_submit(self, request: VideoRequest, call: Call, /) -> HttpRequest: ...
    def read_submit(self, response: HttpResponse, request: VideoRequest, /) -> Snapshot: ...
    def build_poll(self, tasks: Sequence[Task], /) -> HttpRequest: ...
    def read_poll(self, response: HttpResponse, tasks: Sequence[Task], /) -> Mapping[str, Snapshot]: ...


class ProviderFactory(Protocol):
    """What an entry point of the group `pika_async.providers` names."""

    def __call__(self, *, api_key: str, base_url: str | None = None) -> Provider: ...


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
