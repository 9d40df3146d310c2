"""The keyword arguments of requests, for type checkers: what `generate` and the other calls pass on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from pika_async._camera import Camera
from pika_async._fields import Media
from pika_async._request_media import Frame
from pika_async.results import JSON


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
    duration: float | None
    """How long the video is to be, in seconds; left out: the provider's choice. With *frames* it is the time
    from each frame to the next."""
    resolution: str | None
    """How fine the picture is, such as `"720p"`, `"1080p"` or `"4k"`; left out: the provider's choice."""
    extra_body: Mapping[str, JSON] | None
    """Merged last into the provider's body, at every depth, and checked by nobody: the way to a wire field
    we do not know."""


class MediaFields(CommonFields, total=False):
    """The keyword arguments of `Generate` and `Style`."""

    image: Media | None
    """The image to start from: an http(s) link, a `data:` address, a `pathlib.Path`, bytes or a `Blob`.
    PNG, JPEG, GIF, WebP, HEIC and AVIF are known; what clearly is no image is refused."""
    video: Media | None
    """The video to start from, given like *image*; MP4, MOV and WebM are known, among others."""


class GenerateFields(MediaFields, total=False):
    """The keyword arguments of `Generate`."""

    last_image: Media | None
    """The image to end with, beside the *image* to start from."""
    frames: Iterable[Frame | Media | Mapping[str, Any]] | None
    """At least two key frames to go through, in the place of *image* and *video*; each a `Frame`, an image or
    a mapping such as `{"image": "a.png", "seconds": 5}`."""
