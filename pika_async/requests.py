"""What goes in: the three kinds of request, refused on construction when wrong for every provider."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict
from urllib.parse import urlsplit

from attrs import Attribute, field, fields, frozen
from attrs.validators import optional

from pika_async._crossing import Value
from pika_async.errors import UnsupportedRequest
from pika_async.results import JSON


@frozen
class Blob(Value):
    """Media read into memory, as an adapter sees a file or bytes of the user's."""

    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")
    content_type: str = "application/octet-stream"
    name: str = "media"


Media: TypeAlias = str | Path | bytes | Blob
"""A link, a file or bytes. Files are read when the job's turn comes, not before."""

Check: TypeAlias = Callable[[object, "Attribute[Any]", Any], None]


_LARGEST = sys.float_info.max


def _refuse(attribute: Attribute[Any], rule: str) -> UnsupportedRequest:
    return UnsupportedRequest(f"{attribute.name} must be {rule}; change it and call again.")


def _text(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value.strip() or not _encodable(value):
        raise _refuse(attribute, "non-empty text")


def _encodable(text: str) -> bool:
    # Half a surrogate pair is text to Python and to no provider: UTF-8 cannot carry it.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_link(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and _encodable(text)


def _media(_: object, attribute: Attribute[Any], value: object) -> None:
    match value:
        case str() if _is_link(value):
            return
        case Path() | Blob():
            return
        case bytes() if value:
            return
    raise _refuse(attribute, "an http(s) link, a pathlib.Path or non-empty bytes")


def _ratio(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{0,4}:[1-9][0-9]{0,4}", value):
        raise _refuse(attribute, "a ratio W:H such as 16:9")


def _integer(least: int) -> Check:
    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise _refuse(attribute, f"a whole number of at least {least}")

    return check


def _number(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise _refuse(attribute, "a number of at least 0")


def _flag(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise _refuse(attribute, "True or False")


def _one_of(*words: str) -> Check:
    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if value not in words:
            raise _refuse(attribute, " or ".join(words))

    return check


def _json_object(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _refuse(attribute, "a mapping with text keys")
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _refuse(attribute, "plain JSON: text, numbers, lists and mappings") from error


# 1.5 and "1.5" are the same model: AceData wants text on its wire, Duomi a number.
def _model(value: float | str | None) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST
    return str(value) if is_number else value  # type: ignore[return-value]  # the validator refuses the rest


# A request stays what it was, whatever its maker does to the mapping afterwards.
def _copy(value: Mapping[str, JSON] | None) -> Mapping[str, JSON] | None:
    return deepcopy(value) if isinstance(value, dict) else value


@frozen(kw_only=True)
class Camera(Value):
    """How the camera moves; leave out what stands still."""

    pan: Literal["left", "right"] | None = field(default=None, validator=optional(_one_of("left", "right")))
    tilt: Literal["up", "down"] | None = field(default=None, validator=optional(_one_of("up", "down")))
    rotate: Literal["cw", "ccw"] | None = field(default=None, validator=optional(_one_of("cw", "ccw")))
    zoom: Literal["in", "out"] | None = field(default=None, validator=optional(_one_of("in", "out")))


def _camera(value: Camera | Mapping[str, Any] | None) -> Camera | None:
    if not isinstance(value, Mapping):
        return value
    try:
        return Camera(**value)
    except TypeError as error:
        raise UnsupportedRequest(
            "camera takes pan, tilt, rotate and zoom only; remove the rest and call again."
        ) from error


def _is_camera(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Camera):
        raise _refuse(attribute, "a Camera or a mapping with pan, tilt, rotate, zoom")


@frozen(kw_only=True)
class _Common(Value):
    """The fields every kind of request knows; which of them a provider can express, it declares."""

    negative_prompt: str | None = field(default=None, validator=optional(_text))
    model: str | None = field(
        default=None,
        kw_only=True,
        converter=_model,
        validator=optional(_text),
    )
    aspect_ratio: str | None = field(default=None, validator=optional(_ratio))
    seed: int | None = field(default=None, validator=optional(_integer(0)))
    frame_rate: int | None = field(default=None, validator=optional(_integer(1)))
    guidance_scale: float | None = field(default=None, validator=optional(_number))
    motion: int | None = field(default=None, validator=optional(_integer(0)))
    camera: Camera | None = field(default=None, converter=_camera, validator=optional(_is_camera))
    sound_effects: bool | None = field(default=None, validator=optional(_flag))
    extra_body: Mapping[str, JSON] | None = field(
        default=None, converter=_copy, validator=optional(_json_object)
    )
    """Merged last into the provider's body: the way to a wire field we do not know."""


@frozen
class Generate(_Common):
    """A video from words, optionally starting from an *image* or a *video*."""

    prompt: str = field(validator=_text)
    image: Media | None = field(default=None, kw_only=True, validator=optional(_media))
    video: Media | None = field(default=None, kw_only=True, validator=optional(_media))


@frozen
class Style(_Common):
    """An effect such as `Inflate` on what *prompt*, *image* or *video* shows."""

    style: str = field(validator=_text)
    prompt: str = field(validator=_text)
    image: Media | None = field(default=None, kw_only=True, validator=optional(_media))
    video: Media | None = field(default=None, kw_only=True, validator=optional(_media))


def _images(value: Iterable[Media]) -> tuple[Media, ...]:
    # A single link or bytes is an iterable too: not a list of images, and refused as such.
    return () if isinstance(value, str | bytes) or not isinstance(value, Iterable) else tuple(value)


def _some_media(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, tuple) or not value:
        raise _refuse(attribute, "a list with at least one image")
    for item in value:
        _media(instance, attribute, item)


@frozen
class Ingredients(_Common):
    """A video in which the things on several *images* appear together."""

    prompt: str = field(validator=_text)
    images: tuple[Media, ...] = field(converter=_images, validator=_some_media)
    mode: Literal["creative", "precise"] | None = field(
        default=None, kw_only=True, validator=optional(_one_of("creative", "precise"))
    )


class CommonFields(TypedDict, total=False):
    """The keyword arguments that every kind of request shares; see the classes for their meaning."""

    negative_prompt: str | None
    model: str | float | None
    aspect_ratio: str | None
    seed: int | None
    frame_rate: int | None
    guidance_scale: float | None
    motion: int | None
    camera: Camera | Mapping[str, Any] | None
    sound_effects: bool | None
    extra_body: Mapping[str, JSON] | None


class MediaFields(CommonFields, total=False):
    """The keyword arguments of `Generate` and `Style`."""

    image: Media | None
    video: Media | None


VideoRequest: TypeAlias = Generate | Ingredients | Style


def fields_set(request: VideoRequest) -> dict[str, Any]:
    """Return what the caller set, by field name and in the order of the class.

    >>> fields_set(Generate("A cat", seed=7))
    {'seed': 7, 'prompt': 'A cat'}
    """
    values = ((a.name, getattr(request, a.name)) for a in fields(type(request)))
    return {name: value for name, value in values if value is not None}
