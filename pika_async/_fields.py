"""The fields of a request: media as values, and how each field is cleaned and checked. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from copy import deepcopy
from io import IOBase
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from attrs import Attribute, field, frozen

from pika_async import _links
from pika_async._crossing import Value
from pika_async._media_type import UNKNOWN, Kind, fault, media_type
from pika_async.errors import UnsupportedRequest
from pika_async.results import JSON

Check: TypeAlias = Callable[[object, "Attribute[Any]", Any], None]


_LARGEST = sys.float_info.max


def refuse(attribute: Attribute[Any], rule: str) -> UnsupportedRequest:
    return UnsupportedRequest(f"{attribute.name} must be {rule}; change it and call again.")


def _data(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, bytes):
        raise refuse(attribute, "bytes")


def _header_text(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[ -~]+", value):
        raise refuse(attribute, "a media type such as image/png")


def _name(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        raise refuse(attribute, "text")


@frozen
class Blob(Value):
    """Media read into memory, as an adapter sees a file or bytes of the user's."""

    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>", validator=_data)
    content_type: str = field(default=UNKNOWN, validator=_header_text)
    """The media type that is sent with the bytes, such as `image/png`."""
    name: str = field(default="media", validator=_name)
    """The file name that is sent with the bytes, without a folder."""


Media: TypeAlias = str | Path | bytes | Blob
"""A link, a `data:` address, a file or bytes. Files are read when the job's turn comes, not before."""


_UNSAID: Final = re.compile("[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
"""NUL comes from UTF-16 read as UTF-8; half a surrogate pair no UTF-8 can carry."""


def cleaned(value: str) -> str:
    r"""Return a text without what editors and lists leave in it, which would make two orders of one.

    >>> cleaned(" A cat\r\nand a dog\n")
    'A cat\nand a dog'
    """
    if not isinstance(value, str):
        return value  # type: ignore[unreachable]  # the validator refuses it
    return _links.cleaned(value.replace("\r\n", "\n").replace("\r", "\n"))


def unsaid(text: str) -> bool:
    """Return whether *text* holds characters that no prompt has."""
    return not text.isprintable() and _UNSAID.search(text) is not None


def text(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise refuse(attribute, "non-empty text")
    if unsaid(value):
        raise refuse(attribute, "non-empty text without control characters or half surrogate pairs")


def medium(value: Media | None) -> Media | None:
    """Clean a link, and read a `data:` address as the bytes that it holds."""
    if not isinstance(value, str):
        return value
    link = _links.cleaned(value)
    return _embedded(link) if link[:5].lower() == "data:" else link


def _embedded(link: str) -> Media:
    start, comma, text = link[5:].partition(",")
    label, *parameters = start.lower().split(";")
    try:
        raw = unquote_to_bytes(text)
        data = base64.b64decode(raw, validate=True) if "base64" in parameters else raw
    except (binascii.Error, ValueError):
        data = b""
    if not comma or not data:
        return link
    known = media_type(data)
    return Blob(data, label if known == UNKNOWN and re.fullmatch(r"[!-~]+/[!-~]+", label) else known)


def _check_medium(attribute: Attribute[Any], kind: Kind, value: object) -> None:
    rule = "an http(s) link, a pathlib.Path or non-empty bytes"
    match value:
        case str():
            match _links.fault(value):
                case None | _links.CREDENTIALS:
                    return
                case _links.NO_ADDRESS:
                    raise refuse(attribute, rule)
                case wrong:
                    raise refuse(attribute, f"{rule}, and a link must not hold {wrong}")
        case Path():
            return
        case bytes(data) | Blob(data=data) if data:
            if found := fault(kind, data):
                article = "an" if kind == "image" else "a"
                raise refuse(attribute, f"{article} {kind}, and these bytes are {found}")
            return
    raise refuse(attribute, rule)


def image(_: object, attribute: Attribute[Any], value: object) -> None:
    _check_medium(attribute, "image", value)


def video(_: object, attribute: Attribute[Any], value: object) -> None:
    _check_medium(attribute, "video", value)


def ratio(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{0,4}:[1-9][0-9]{0,4}", value):
        raise refuse(attribute, "a ratio W:H such as 16:9")


def integer(least: int) -> Check:
    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _LARGEST:
            raise refuse(attribute, f"a whole number of at least {least}")

    return check


def number(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise refuse(attribute, "a number of at least 0")


def length(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= _LARGEST:
        raise refuse(attribute, "a number of seconds above 0")


def resolution(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{2,3}p|[1-9][0-9]?k", value):
        raise refuse(attribute, "a resolution such as 720p, 1080p or 4k")


def flag(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise refuse(attribute, "True or False")


def one_of(*words: str) -> Check:
    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, str) or value not in words:
            raise refuse(attribute, " or ".join(words))

    return check


def json_object(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise refuse(attribute, "a mapping with text keys")
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise refuse(attribute, "plain JSON: text, numbers, lists and mappings") from error


# 2, 2.0 and "2.0" are the same model: AceData wants text on its wire, Duomi a number.
def model(value: float | str | None) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST
    return str(float(value) + 0.0) if is_number else cleaned(value)  # type: ignore[arg-type]  # the validator refuses the rest


# Minus zero is zero, whoever computed it.
def unsigned(value: float | None) -> float | None:
    return value + 0.0 if isinstance(value, float) else value


# Five seconds are five seconds, whether a program computed 5 or 5.0.
def whole(value: float | None) -> float | None:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def lowered(value: str | None) -> str | None:
    return cleaned(value).lower() if isinstance(value, str) else value


# A request stays what it was, whatever its maker does to the mapping afterwards.
def copied(value: Mapping[str, JSON] | None) -> Mapping[str, JSON] | None:
    if not isinstance(value, dict):
        return value
    try:
        return deepcopy(value)
    except Exception:  # noqa: BLE001 - what cannot be copied is no JSON, and refused as such
        return value


# A single link or bytes is an iterable too, and so are an open file and a set without an order.
_NO_LISTS = (str, bytes, bytearray, Mapping, AbstractSet, IOBase)


def listed(value: Any) -> Iterable[Any]:
    """Return the items of a list; nothing for what is no list."""
    return () if isinstance(value, _NO_LISTS) or not isinstance(value, Iterable) else value


def images(value: Iterable[Media]) -> tuple[Media, ...]:
    """Return the images of a list; nothing for what is no list of them."""
    return tuple(medium(one) for one in listed(value))  # type: ignore[misc]  # the validator refuses None


def some_images(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, tuple) or not value:
        raise refuse(attribute, "a list with at least one image")
    for item in value:
        image(instance, attribute, item)
