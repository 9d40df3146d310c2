"""What goes in: the three kinds of request, cleaned and checked on construction."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final, Literal, TypeAlias, TypedDict, TypeVar, Unpack

from attrs import Attribute, asdict, converters, evolve, field, fields, frozen
from attrs.validators import optional

from pika_async import _fields as check
from pika_async._crossing import Value
from pika_async._fields import Blob, Media
from pika_async.errors import UnsupportedRequest
from pika_async.results import JSON

__all__ = [
    "MEDIA_FIELDS",
    "Blob",
    "Camera",
    "CommonFields",
    "Generate",
    "Ingredients",
    "Media",
    "MediaFields",
    "Style",
    "VideoRequest",
    "as_json",
    "fields_set",
    "media_of",
    "unchecked",
    "with_media",
]


@frozen(kw_only=True)
class Camera(Value):
    """How the camera moves; leave out what stands still."""

    pan: Literal["left", "right"] | None = field(
        default=None, validator=optional(check.one_of("left", "right"))
    )
    """A turn to the left or right."""
    tilt: Literal["up", "down"] | None = field(default=None, validator=optional(check.one_of("up", "down")))
    """A turn up or down."""
    rotate: Literal["cw", "ccw"] | None = field(default=None, validator=optional(check.one_of("cw", "ccw")))
    """A roll, clockwise (`cw`) or counter-clockwise (`ccw`)."""
    zoom: Literal["in", "out"] | None = field(default=None, validator=optional(check.one_of("in", "out")))
    """Nearer or farther away."""


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
        raise check.refuse(attribute, "a Camera or a mapping with pan, tilt, rotate, zoom")


class CommonFields(TypedDict, total=False):
    """The keyword arguments that every kind of request shares."""

    negative_prompt: str | None
    """What must not appear, in words."""
    model: str | float | None
    """The version of the model, such as `"2.0"`; text or a number. Left out: the adapter's choice."""
    aspect_ratio: str | None
    """Width to height as `"W:H"`, such as `"16:9"`, of a video from words; media keep their own."""
    seed: int | None
    """A whole number of at least 0; the same seed and request make similar videos."""
    frame_rate: int | None
    """Frames per second, a whole number of at least 1; Duomi takes 8 to 24."""
    guidance_scale: float | None
    """How closely to keep to the prompt, at least 0; Duomi takes 5 to 25."""
    motion: int | None
    """How much moves, a whole number of at least 0; Duomi takes 0 to 4."""
    camera: Camera | Mapping[str, Any] | None
    """How the camera moves, as a `Camera` or a mapping such as `{"pan": "left"}`."""
    sound_effects: bool | None
    """Whether sound is added; left out: the provider's choice."""
    extra_body: Mapping[str, JSON] | None
    """Merged last into the provider's body, and checked by nobody: the way to a wire field we do not know."""


class MediaFields(CommonFields, total=False):
    """The keyword arguments of `Generate` and `Style`."""

    image: Media | None
    """The image to start from: an http(s) link, a `data:` address, a `pathlib.Path`, bytes or a `Blob`.
    PNG, JPEG, GIF, WebP, HEIC and AVIF are known; what clearly is no image is refused."""
    video: Media | None
    """The video to start from, given like *image*; MP4, MOV and WebM are known, among others."""


@frozen(kw_only=True)
class _Common(Value):
    """The fields every kind of request knows; which of them a provider can express, it declares."""

    negative_prompt: str | None = field(
        default=None, converter=converters.optional(check.cleaned), validator=optional(check.text)
    )
    """What must not appear, in words."""
    model: str | None = field(default=None, converter=check.model, validator=optional(check.text))
    """The version of the model, such as `"2.0"`; text or a number. Left out: the adapter's choice."""
    aspect_ratio: str | None = field(default=None, validator=optional(check.ratio))
    """Width to height as `"W:H"`, such as `"16:9"`, of a video from words; media keep their own."""
    seed: int | None = field(default=None, validator=optional(check.integer(0)))
    """A whole number of at least 0; the same seed and request make similar videos."""
    frame_rate: int | None = field(default=None, validator=optional(check.integer(1)))
    """Frames per second, a whole number of at least 1; Duomi takes 8 to 24."""
    guidance_scale: float | None = field(
        default=None, converter=check.unsigned, validator=optional(check.number)
    )
    """How closely to keep to the prompt, at least 0; Duomi takes 5 to 25."""
    motion: int | None = field(default=None, validator=optional(check.integer(0)))
    """How much moves, a whole number of at least 0; Duomi takes 0 to 4."""
    camera: Camera | None = field(default=None, converter=_camera, validator=optional(_is_camera))
    """How the camera moves, as a `Camera` or a mapping such as `{"pan": "left"}`."""
    sound_effects: bool | None = field(default=None, validator=optional(check.flag))
    """Whether sound is added; left out: the provider's choice."""
    extra_body: Mapping[str, JSON] | None = field(
        default=None, converter=check.copied, validator=optional(check.json_object)
    )
    """Merged last into the provider's body, and checked by nobody: the way to a wire field we do not know."""


@frozen
class Generate(_Common):
    """A video from words, optionally starting from an *image* or a *video*.

    Raises `UnsupportedRequest`, naming the field, for a value that is wrong for every provider.
    """

    prompt: str = field(converter=check.cleaned, validator=check.text)
    """What is to be seen, in words."""
    image: Media | None = field(
        default=None, kw_only=True, converter=check.medium, validator=optional(check.image)
    )
    """The image to start from: an http(s) link, a `data:` address, a `pathlib.Path`, bytes or a `Blob`.
    PNG, JPEG, GIF, WebP, HEIC and AVIF are known; what clearly is no image is refused."""
    video: Media | None = field(
        default=None, kw_only=True, converter=check.medium, validator=optional(check.video)
    )
    """The video to start from, given like *image*; MP4, MOV and WebM are known, among others."""


@frozen(init=False)
class Style(_Common):
    """An effect such as `Inflate` on what *prompt*, *image* or *video* shows.

    Two positional texts are read as `Style(style, prompt)`, their order in 0.1, until 0.3.

    >>> Style("A rubber duck", style="Inflate").style
    'Inflate'
    """

    prompt: str = field(converter=check.cleaned, validator=check.text)
    """What the effect is applied to, in words."""
    style: str = field(kw_only=True, converter=check.cleaned, validator=check.text)
    """The name of the effect; each provider has its own list."""
    image: Media | None = field(
        default=None, kw_only=True, converter=check.medium, validator=optional(check.image)
    )
    """The image to start from: an http(s) link, a `data:` address, a `pathlib.Path`, bytes or a `Blob`.
    PNG, JPEG, GIF, WebP, HEIC and AVIF are known; what clearly is no image is refused."""
    video: Media | None = field(
        default=None, kw_only=True, converter=check.medium, validator=optional(check.video)
    )
    """The video to start from, given like *image*; MP4, MOV and WebM are known, among others."""

    def __init__(self, prompt: str, *old: str, style: str = "", **fields: Unpack[MediaFields]) -> None:
        if len(old) == 1 and style == "":
            warnings.warn(
                "Style(style, prompt) is Style(prompt, style=...) now; the old order ends with 0.3.",
                DeprecationWarning,
                stacklevel=2,
            )
            style, prompt = prompt, old[0]
        elif old:
            raise TypeError("Style takes one positional argument, the prompt, and style= by its name.")
        self.__attrs_init__(prompt=prompt, style=style, **fields)


@frozen
class Ingredients(_Common):
    """A video in which the things on several *images* appear together."""

    prompt: str = field(converter=check.cleaned, validator=check.text)
    """What happens between the things on the images, in words."""
    images: tuple[Media, ...] = field(converter=check.images, validator=check.some_images)
    """At least one image, each given like the *image* of `Generate`; kept as a tuple, in their order."""
    mode: Literal["creative", "precise"] | None = field(
        default=None, kw_only=True, validator=optional(check.one_of("creative", "precise"))
    )
    """How closely to keep to the images; left out: the provider's choice."""


VideoRequest: TypeAlias = Generate | Ingredients | Style

R = TypeVar("R", Generate, Ingredients, Style)

MEDIA_FIELDS: Final = ("image", "video", "images")
"""The fields that hold media; nothing else lists them."""


def fields_set(request: VideoRequest) -> dict[str, Any]:
    """Return what the caller set, by field name and in the order of the class.

    >>> fields_set(Generate("A cat", seed=7))
    {'seed': 7, 'prompt': 'A cat'}
    """
    values = ((a.name, getattr(request, a.name)) for a in fields(type(request)))
    return {name: value for name, value in values if value is not None}


def media_of(request: VideoRequest) -> list[tuple[str, Media]]:
    """Return every medium of *request* with the name of its field, in the order of `MEDIA_FIELDS`.

    >>> media_of(Ingredients("They dance", ["https://media.test/a.png", "https://media.test/b.png"]))
    [('images', 'https://media.test/a.png'), ('images', 'https://media.test/b.png')]
    """
    found: list[tuple[str, Media]] = []
    kind: Any = type(request)
    for name in _media_fields(kind):
        value = getattr(request, name)
        if value is not None:
            found += [(name, medium) for medium in (value if isinstance(value, tuple) else (value,))]
    return found


# Every job asks twice.
@cache
def _media_fields(kind: Any) -> tuple[str, ...]:
    known = {attribute.name for attribute in fields(kind)}
    return tuple(name for name in MEDIA_FIELDS if name in known)


def with_media(request: VideoRequest, media: Iterable[Media]) -> VideoRequest:
    """Return *request* with *media* in the places of `media_of(request)`; itself if they are the same."""
    old = media_of(request)
    new = list(media)
    if all(one is medium for one, (_, medium) in zip(new, old, strict=True)):
        return request
    changes: dict[str, Any] = {}
    for medium, (name, _) in zip(new, old, strict=True):
        changes[name] = (*changes.get(name, ()), medium) if name == "images" else medium
    return evolve(request, **changes)


def as_json(request: VideoRequest, shown: Callable[[Media], JSON]) -> dict[str, JSON]:
    """Return what the caller set as JSON, with each medium as *shown* says it.

    >>> as_json(Generate("A cat", image=b"1234", camera={"pan": "left"}), lambda medium: "an image")
    {'camera': {'pan': 'left'}, 'prompt': 'A cat', 'image': 'an image'}
    """
    given = fields_set(request)
    for name in MEDIA_FIELDS:
        match given.get(name):
            case None:
                continue
            case tuple() as media:
                given[name] = [shown(medium) for medium in media]
            case medium:
                given[name] = shown(medium)
    if "camera" in given:
        given["camera"] = {part: way for part, way in asdict(given["camera"]).items() if way is not None}
    return given


def unchecked(kind: type[VideoRequest], given: Mapping[str, Any]) -> VideoRequest:
    """Make a request as an earlier release recorded it, with values that are refused today.

    It tells what was bought. Who sends it must make it anew with `attrs.evolve`, which checks it.
    """
    request = object.__new__(kind)
    for attribute in fields(kind):
        object.__setattr__(request, attribute.name, given.get(attribute.name, attribute.default))
    return request
