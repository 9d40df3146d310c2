"""How the camera of a video moves, as a value that is checked on construction. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import Attribute, field, frozen
from attrs.validators import optional

from pika_async import _fields as check
from pika_async._crossing import Value
from pika_async.errors import UnsupportedRequest


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


def camera(value: Camera | Mapping[str, Any] | None) -> Camera | None:
    if not isinstance(value, Mapping):
        return value
    try:
        return Camera(**value)
    except TypeError as error:
        raise UnsupportedRequest(
            "camera takes pan, tilt, rotate and zoom only; remove the rest and call again."
        ) from error


def is_camera(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Camera):
        raise check.refuse(attribute, "a Camera or a mapping with pan, tilt, rotate, zoom")
