"""What is in a request: key frames, the media of all its fields, and the request as JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final, TypeVar

from attrs import Attribute, AttrsInstance, asdict, converters, evolve, field, fields, frozen
from attrs.validators import optional

from pika_async import _fields as check
from pika_async._crossing import Value
from pika_async._fields import Media
from pika_async.errors import UnsupportedRequest
from pika_async.results import JSON

R = TypeVar("R", bound=AttrsInstance)
MEDIA_FIELDS: Final = ("image", "video", "images", "last_image", "frames", "mask")
"""The fields that hold media; nothing else lists them."""
_LISTS: Final = ("images", "frames")


@frozen
class Frame(Value):
    """A key frame of a video that goes from image to image.

    >>> Frame("https://media.test/a.png", seconds=5).seconds
    5
    """

    image: Media = field(converter=check.medium, validator=check.image)
    """The image at this moment, given like the *image* of `Generate`."""
    seconds: float | None = field(
        default=None, kw_only=True, converter=check.whole, validator=optional(check.length)
    )
    """Seconds from this frame to the next; after the last one there is nothing to time."""
    prompt: str | None = field(
        default=None,
        kw_only=True,
        converter=converters.optional(check.cleaned),
        validator=optional(check.text),
    )
    """What happens on the way to the next frame, in words."""


def frames(value: Iterable[Frame | Media | Mapping[str, Any]] | None) -> tuple[Frame, ...] | None:
    """Return the frames of a list; an item may be an image, or a mapping with the fields of a `Frame`."""
    return None if value is None else tuple(_frame(one) for one in check.listed(value))


def _frame(value: Frame | Media | Mapping[str, Any]) -> Frame:
    if isinstance(value, Frame):
        return value
    try:
        return Frame(**value) if isinstance(value, Mapping) else Frame(value)
    except UnsupportedRequest as error:
        raise UnsupportedRequest(f"A frame of frames is refused: {error.message}") from None
    except TypeError as error:
        raise UnsupportedRequest(
            "A frame takes image, seconds and prompt only, and needs an image; correct it and call again."
        ) from error


def are_frames(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, tuple) or len(value) < 2:
        raise check.refuse(attribute, "a list with at least two frames")


def fields_set(request: AttrsInstance) -> dict[str, Any]:
    """Return what the caller set, by field name and in the order of the class.

    >>> from pika_async.requests import Generate
    >>> fields_set(Generate("A cat", seed=7))
    {'seed': 7, 'prompt': 'A cat'}
    """
    values = ((a.name, getattr(request, a.name)) for a in fields(type(request)))
    return {name: value for name, value in values if value is not None}


def media_of(request: AttrsInstance) -> list[tuple[str, Media]]:
    """Return every medium of *request* with the name of its field, in the order of `MEDIA_FIELDS`.

    >>> from pika_async.requests import Ingredients
    >>> media_of(Ingredients("They dance", ["https://media.test/a.png", "https://media.test/b.png"]))
    [('images', 'https://media.test/a.png'), ('images', 'https://media.test/b.png')]
    """
    found: list[tuple[str, Media]] = []
    kind: Any = type(request)
    for name in _media_fields(kind):
        match getattr(request, name):
            case None:
                continue
            case tuple() as several:
                found += [(name, one.image if isinstance(one, Frame) else one) for one in several]
            case medium:
                found.append((name, medium))
    return found


# Every job asks twice.
@cache
def _media_fields(kind: Any) -> tuple[str, ...]:
    known = {attribute.name for attribute in fields(kind)}
    return tuple(name for name in MEDIA_FIELDS if name in known)


def with_media(request: R, media: Iterable[Media]) -> R:
    """Return *request* with *media* in the places of `media_of(request)`; itself if they are the same."""
    old = media_of(request)
    new = list(media)
    if all(one is medium for one, (_, medium) in zip(new, old, strict=True)):
        return request
    changes: dict[str, Any] = {}
    for medium, (name, _) in zip(new, old, strict=True):
        changes[name] = (*changes.get(name, ()), medium) if name in _LISTS else medium
    if "frames" in changes:
        of = zip(getattr(request, "frames"), changes["frames"], strict=True)  # noqa: B009 - not of every kind
        changes["frames"] = tuple(evolve(frame, image=image) for frame, image in of)
    return evolve(request, **changes)  # type: ignore[misc]  # attrs' plugin knows no bound


def as_json(request: AttrsInstance, shown: Callable[[Media], JSON]) -> dict[str, JSON]:
    """Return what the caller set as JSON, with each medium as *shown* says it.

    >>> from pika_async.requests import Generate
    >>> as_json(Generate("A cat", image=b"1234", camera={"pan": "left"}), lambda medium: "an image")
    {'camera': {'pan': 'left'}, 'prompt': 'A cat', 'image': 'an image'}
    """
    given = fields_set(request)
    for name in MEDIA_FIELDS:
        match given.get(name):
            case None:
                continue
            case tuple() as media:
                given[name] = [_item(one, shown) for one in media]
            case medium:
                given[name] = shown(medium)
    if "camera" in given:
        given["camera"] = {part: way for part, way in asdict(given["camera"]).items() if way is not None}
    return given


def _item(one: Frame | Media, shown: Callable[[Media], JSON]) -> JSON:
    if not isinstance(one, Frame):
        return shown(one)
    given = {"image": shown(one.image), "seconds": one.seconds, "prompt": one.prompt}
    return {name: value for name, value in given.items() if value is not None}


def unchecked(kind: type[R], given: Mapping[str, Any]) -> R:
    """Make a request as an earlier release recorded it, with values that are refused today.

    It tells what was bought. Who sends it must make it again with `attrs.evolve`, which checks it.
    """
    request = object.__new__(kind)
    for attribute in fields(kind):
        object.__setattr__(request, attribute.name, given.get(attribute.name, attribute.default))
    return request
