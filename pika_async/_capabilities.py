"""What an adapter declares that it can do, and the check of a request against it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, Literal

import attrs
from attrs import field, frozen

from pika_async._crossing import Value
from pika_async._powers import Replay, Takes
from pika_async.errors import UnsupportedRequest
from pika_async.requests import MEDIA_FIELDS, Blob, Ingredients, Media, VideoRequest, media_of, with_media

_LINK = "https://upload.invalid/medium"
_BLOB = Blob(b"\0", "image/png", "medium")

SPEC_VERSION = 1
"""Raised when a change here would break an adapter; adapters state theirs in `Capabilities.spec`."""


def _kinds(kinds: Iterable[type[VideoRequest]]) -> frozenset[type[VideoRequest]]:
    return frozenset(kinds)


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


def _names_by(given: Mapping[Any, Iterable[str]]) -> Mapping[Any, frozenset[str]]:
    return {key: frozenset(names) for key, names in given.items()}


@cache
def _names_and_values(kind: Any) -> tuple[Sequence[str], Callable[[VideoRequest], Any]]:
    """Return the fields of a kind and what reads them all: a check is made for every job."""
    names = tuple(attribute.name for attribute in attrs.fields(kind))
    return names, attrgetter(*names)


@cache
def _implied(kind: Any) -> frozenset[str]:
    """Return the fields without which there is no request of a kind; nobody need declare them."""
    required = {attribute.name for attribute in attrs.fields(kind) if attribute.default is attrs.NOTHING}
    return frozenset(required | {"prompt", "extra_body"})


@frozen(kw_only=True)
class Capabilities(Value):
    """What an adapter can do; declared once, it serves validation, docs and the command line.

    It belongs to the instance: two gateways of one adapter may differ in all of it, also in their *name*,
    which is how the user, the ledger and tokens know the instance.

    *fields* are names of request fields (`prompt`, `extra_body` and what a kind cannot be without are
    implied); *lacks* are those that single kinds do not have all the same, an implied one included.
    *prompt_optional* are the kinds that need no prompt beside media. *models* and *styles* are suggestions
    unless *closed_styles*. *ranges* are the least and the greatest value of a field, *choices* the only
    values of one. *words_only* are fields that cannot go beside media. *reserved* are names that `extra_body`
    may not hold. All of them are checked before a job exists, so that another provider can still be chosen;
    `Checks` is for the rest.

    *media* says in which forms media are taken: a `Takes` by field, where `image` stands for every field of
    images that is not named itself. Without it *inline_media* says whether files and bytes can be sent beside
    links. *max_images* bounds `Ingredients`.

    *refuses_by_body* says that a refusal of `read_submit` is proof at any HTTP status, because a body proves
    it; otherwise 3xx, 408, 409 and 5xx prove nothing, whatever the adapter says.

    *replay* says that a submit may be sent again, None that it never may. *poll_rate* are the look-ups per
    second that the provider is known to bear; a client without a `poll_rate` of its own uses it.
    *free_results* says that the second request of a two-step look-up (see `Pending.poll_after`) does not
    count against it.

    *callbacks*: `optional` and `required` take an address with each job, `account` means one address for all
    jobs, which the user enters at the provider's console; such callbacks are matched by the task's id.
    *secret_variable* names the environment variable with the secret that both sides sign callbacks with; what
    it holds is the *keys* of `read_callback`. *echoes_token* says that look-ups echo the callback address.

    *hosts* are the hosts besides that of `base_url` that requests may go to, each with the names of the
    adapter's secrets that it may see, as in `{"rest.fal.ai": {"api_key"}, "*.fal.media": ()}`. `*` stands for
    any public host, which sees none; a secret that an answer told (a ticket for an upload, say) is not the
    adapter's.

    *cost_unit* is the unit of what snapshots call `cost`, `USD` or `credits` say; None where it is unknown.

    *private* are fields of answers that are secret or personal; they are never kept. *render_time* and
    *longest_render* are seconds. *key_variables* and *url_variable* name environment variables, the first
    one set wins.
    """

    kinds: frozenset[type[VideoRequest]] = field(converter=_kinds)
    fields: frozenset[str] = field(converter=_names)
    lacks: Mapping[type[VideoRequest], frozenset[str]] = field(factory=dict, converter=_names_by, hash=False)
    prompt_optional: frozenset[type[VideoRequest]] = field(default=frozenset(), converter=_kinds)
    models: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    closed_styles: bool = False
    inline_media: bool = False
    media: Mapping[str, Takes] = field(factory=dict, hash=False)
    max_images: int | None = None
    ranges: Mapping[str, tuple[float, float]] = field(factory=dict, hash=False)
    choices: Mapping[str, tuple[str | float, ...]] = field(factory=dict, hash=False)
    words_only: frozenset[str] = field(default=frozenset(), converter=_names)
    reserved: frozenset[str] = field(default=frozenset(), converter=_names)
    private: frozenset[str] = field(default=frozenset(), converter=_names)
    refuses_by_body: bool = False
    replay: Replay | None = None
    poll_batch: int = 1
    poll_rate: float | None = None
    free_results: bool = False
    callbacks: Literal["no", "optional", "required", "account"] = "no"
    secret_variable: str | None = None
    echoes_token: bool = False
    hosts: Mapping[str, frozenset[str]] = field(factory=dict, converter=_names_by, hash=False)
    cost_unit: str | None = None
    render_time: float = 90.0
    longest_render: float = 1800.0
    key_variables: tuple[str, ...] = ()
    url_variable: str | None = None
    name: str | None = None
    spec: int = SPEC_VERSION

    @property
    def takes_address(self) -> bool:
        """Return whether a submit carries a callback address."""
        return self.callbacks in {"optional", "required"}

    def takes(self, name: str) -> Takes:
        """Return in which forms the medium of the field *name* can be sent.

        >>> images = Takes(inline=True, inline_limit=1000)
        >>> able = Capabilities(kinds=(), fields=(), media={"image": images})
        >>> able.takes("last_image") == images, able.takes("video").inline
        (True, False)
        """
        found = self.media.get(name) or (self.media.get("image") if name != "video" else None)
        return found or Takes(inline=self.inline_media)

    def prepares(self, request: VideoRequest) -> bool:
        """Return whether media of *request* are read from a link or uploaded before it can be submitted."""
        return any(self._form(name, medium) is not None for name, medium in media_of(request))

    def stand_in(self, request: VideoRequest) -> VideoRequest:
        """Return *request* as `build_submit` would get it, with a stand-in for what is read or uploaded."""
        forms = [(self._form(name, medium), medium) for name, medium in media_of(request)]
        return with_media(request, [medium if form is None else form for form, medium in forms])

    def _form(self, name: str, medium: Media) -> Media | None:
        """Return a stand-in for a medium that reaches the adapter in another form, None for any other."""
        takes = self.takes(name)
        match medium:
            case str():
                return None if takes.links else _LINK if takes.uploaded(0) else _BLOB
            case bytes(data) | Blob(data=data):
                return _LINK if takes.uploaded(len(data)) else None
            case _:
                return _LINK if takes.uploads else None  # its size is not known before it is read

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
        implied, lacks = _implied(kind), self.lacks.get(kind, frozenset())
        for name in given:
            if name in lacks or (name not in implied and name not in self.fields):
                return f"{name} cannot be expressed"
        if "prompt" not in given and kind not in self.prompt_optional:
            return "prompt is required; add it"
        style = given.get("style")
        if self.closed_styles and style and style.casefold() not in {s.casefold() for s in self.styles}:
            return f"style {style!r} is not among {', '.join(self.styles)}"
        for name, (least, most) in self.ranges.items():
            if name in given and not least <= given[name] <= most:
                return f"{name} must be {least:g} to {most:g}"
        for name, choices in self.choices.items():
            if name in given and given[name] not in choices:
                return f"{name} must be {' or '.join(map(str, choices))}"
        for name in self.reserved & given.get("extra_body", {}).keys():
            return f"{name} cannot be in extra_body; give it to the client"
        return None if given.keys().isdisjoint(MEDIA_FIELDS) else self._media_problem(request, given)

    def _media_problem(self, request: VideoRequest, given: Mapping[str, Any]) -> str | None:
        for name in self.words_only & given.keys():
            return f"{name} goes with words alone, media have one; leave it out"
        images = given["images"] if isinstance(request, Ingredients) else ()
        if self.max_images is not None and len(images) > self.max_images:
            return f"images holds more than {self.max_images}"
        for name, medium in media_of(request):
            takes = self.takes(name)
            match medium:
                case str():
                    problem = takes.link_problem(medium)
                case bytes(data) | Blob(data=data):
                    problem = takes.size_problem(len(data))
                case _:
                    problem = takes.size_problem(0)
            if problem is not None:
                return f"{name} must be {problem}"
        return None
