"""What goes in: the four kinds of request, cleaned and checked on construction."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Literal, TypeAlias, Unpack

from attrs import converters, field, frozen
from attrs.validators import optional

from pika_async import _fields as check
from pika_async._camera import Camera, camera, is_camera
from pika_async._crossing import Value
from pika_async._fields import Blob, Media
from pika_async._keyword_arguments import CommonFields, GenerateFields, MediaFields
from pika_async._request_media import (
    MEDIA_FIELDS,
    Frame,
    are_frames,
    as_json,
    fields_set,
    frames,
    media_of,
    unchecked,
    with_media,
)
from pika_async.errors import UnsupportedRequest
from pika_async.results import JSON

__all__ = [
    "MEDIA_FIELDS",
    "Blob",
    "Camera",
    "CommonFields",
    "Edit",
    "Frame",
    "Generate",
    "GenerateFields",
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
    camera: Camera | None = field(default=None, converter=camera, validator=optional(is_camera))
    """How the camera moves, as a `Camera` or a mapping such as `{"pan": "left"}`."""
    sound_effects: bool | None = field(default=None, validator=optional(check.flag))
    """Whether sound is added; left out: the provider's choice."""
    duration: float | None = field(default=None, converter=check.whole, validator=optional(check.length))
    """How long the video is to be, in seconds; left out: the provider's choice. With *frames* it is the time
    from each frame to the next."""
    resolution: str | None = field(
        default=None, converter=check.lowered, validator=optional(check.resolution)
    )
    """How fine the picture is, such as `"720p"`, `"1080p"` or `"4k"`; left out: the provider's choice."""
    extra_body: Mapping[str, JSON] | None = field(
        default=None, converter=check.copied, validator=optional(check.json_object)
    )
    """Merged last into the provider's body, at every depth, and checked by nobody: the way to a wire field
    we do not know."""


@frozen
class Generate(_Common):
    """A video from words, an *image*, a *video*, a first and a *last_image*, or several *frames*.

    Raises `UnsupportedRequest`, naming the field, for a value that is wrong for every provider.

    >>> Generate("It blooms", frames=["https://media.test/a.png", "https://media.test/b.png"]).frames[1].image
    'https://media.test/b.png'
    """

    prompt: str | None = field(
        default=None, converter=converters.optional(check.cleaned), validator=optional(check.text)
    )
    """What is to be seen, in words; beside media some providers need none."""
    image: Media | None = field(
        default=None, kw_only=True, converter=check.medium, validator=optional(check.image)
    )
    """The image to start from: an http(s) link, a `data:` address, a `pathlib.Path`, bytes or a `Blob`.
    PNG, JPEG, GIF, WebP, HEIC and AVIF are known; what clearly is no image is refused."""
    video: Media | None = field(
        default=None, kw_only=True, converter=check.medium, validator=optional(check.video)
    )
    """The video to start from, given like *image*; MP4, MOV and WebM are known, among others."""
    last_image: Media | None = field(
        default=None, kw_only=True, converter=check.medium, validator=optional(check.image)
    )
    """The image to end with, beside the *image* to start from."""
    frames: tuple[Frame, ...] | None = field(
        default=None, kw_only=True, converter=frames, validator=optional(are_frames)
    )
    """At least two key frames to go through, in the place of *image* and *video*."""

    def __attrs_post_init__(self) -> None:
        _words_or_media(self)
        if self.last_image is not None and (self.image is None or self.video is not None):
            raise UnsupportedRequest("last_image goes with image alone; give the image to start from.")
        if self.frames is not None and not (self.image is self.video is self.last_image is None):
            raise UnsupportedRequest(
                "frames stand in the place of image, last_image and video; leave those out."
            )


@frozen(init=False)
class Style(_Common):
    """An effect such as `Inflate` on what *prompt*, *image* or *video* shows.

    Two positional texts are read as `Style(style, prompt)`, their order in 0.1, until 0.3.

    >>> Style("A rubber duck", style="Inflate").style
    'Inflate'
    """

    prompt: str | None = field(
        default=None, converter=converters.optional(check.cleaned), validator=optional(check.text)
    )
    """What the effect is applied to, in words; beside media some providers need none."""
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

    def __init__(
        self, prompt: str | None = None, *old: str, style: str = "", **fields: Unpack[MediaFields]
    ) -> None:
        if prompt is not None and len(old) == 1 and style == "":
            warnings.warn(
                "Style(style, prompt) is Style(prompt, style=...) now; the old order ends with 0.3.",
                DeprecationWarning,
                stacklevel=2,
            )
            style, prompt = prompt, old[0]
        elif old:
            raise TypeError("Style takes one positional argument, the prompt, and style= by its name.")
        self.__attrs_init__(prompt=prompt, style=style, **fields)

    def __attrs_post_init__(self) -> None:
        _words_or_media(self)


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


@frozen
class Edit(_Common):
    """A *video* with something added or replaced: in a *region*, under a *mask*, or where it fits.

    >>> Edit("A hat of straw", "https://media.test/cat.mp4", region="the hat").region
    'the hat'
    """

    prompt: str = field(converter=check.cleaned, validator=check.text)
    """What is to be seen in its place, in words."""
    video: Media = field(converter=check.medium, validator=check.video)
    """The video to change, given like the *video* of `Generate`."""
    image: Media | None = field(
        default=None, kw_only=True, converter=check.medium, validator=optional(check.image)
    )
    """What is to be put in, given like the *image* of `Generate`."""
    region: str | None = field(
        default=None,
        kw_only=True,
        converter=converters.optional(check.cleaned),
        validator=optional(check.text),
    )
    """What is to be replaced, in words, such as `"the hat"`."""
    mask: Media | None = field(
        default=None, kw_only=True, converter=check.medium, validator=optional(check.image)
    )
    """Where to replace: an image that is white there, given like the *image* of `Generate`."""

    def __attrs_post_init__(self) -> None:
        if self.region is not None and self.mask is not None:
            raise UnsupportedRequest("region and mask both say where; leave one of them out.")


def _words_or_media(request: Generate | Style) -> None:
    if request.prompt is None and not media_of(request):
        raise UnsupportedRequest("prompt must be non-empty text where no media are given; add it.")


VideoRequest: TypeAlias = Generate | Ingredients | Style | Edit
