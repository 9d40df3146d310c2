"""What an adapter declares that it can do, and the check of a request against it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, Literal

import attrs
from attrs import field, frozen

from pika_async._crossing import Value
from pika_async.errors import UnsupportedRequest
from pika_async.requests import MEDIA_FIELDS, VideoRequest, media_of

SPEC_VERSION = 1
"""Raised when a change here would break an adapter; adapters state theirs in `Capabilities.spec`."""


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
