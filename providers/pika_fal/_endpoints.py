"""The endpoints of fal as its emulator offers them: their fields, and what is wrong with a body. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pika_async.provider import JSON

_RATIOS: Final = ("16:9", "9:16", "1:1", "4:5", "5:4", "3:2", "2:3")

_Rule = Callable[[Any], bool]


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _link(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://", "data:"))


def _links(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_link, value))


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _transitions(value: object) -> bool:
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        return False
    lengths = [part.get("duration", 5) for part in value]
    return all(map(_whole, lengths)) and sum(lengths) <= 25


_RULES: Final[Mapping[str, _Rule]] = {
    **dict.fromkeys(("prompt", "negative_prompt", "pikaffect", "modify_region"), _text),
    **dict.fromkeys(("image_url", "video_url"), _link),
    "image_urls": _links,
    "transitions": _transitions,
    "seed": _whole,
    "aspect_ratio": _RATIOS.__contains__,
    "resolution": ("720p", "1080p").__contains__,
    "duration": lambda value: _whole(value) and value in (5, 10),
    "ingredients_mode": ("precise", "creative").__contains__,
}
_COMMON: Final = "negative_prompt seed"
_TEXT: Final = ("prompt", f"{_COMMON} aspect_ratio resolution duration")
_IMAGE: Final = ("image_url prompt", f"{_COMMON} resolution duration")
ENDPOINTS: Final[Mapping[str, tuple[str, str]]] = {
    **{f"{version}/text-to-video": _TEXT for version in ("v2.2", "v2.1", "v2/turbo")},
    **{f"{version}/image-to-video": _IMAGE for version in ("v2.2", "v2.1", "v2/turbo")},
    "v2.2/pikascenes": (
        "image_urls prompt",
        f"{_COMMON} aspect_ratio resolution duration ingredients_mode",
    ),
    "v2.2/pikaframes": ("image_urls", f"{_COMMON} prompt transitions resolution"),
    "v1.5/pikaffects": ("pikaffect image_url", f"{_COMMON} prompt"),
    "v2/pikadditions": ("video_url image_url", f"{_COMMON} prompt"),
    "v2/pikaswaps": ("video_url prompt", f"{_COMMON} image_url modify_region"),
}
"""The required and the optional fields of each endpoint."""


def invalid(endpoint: str, body: Mapping[str, Any]) -> JSON | None:
    """Say what is wrong with the body of a submit, as the model's own check words it."""
    required, optional = ENDPOINTS[endpoint]
    for name in required.split():
        if name not in body:
            return {"loc": ["body", name], "msg": "field required", "type": "value_error.missing"}
    for name, value in body.items():
        if name in f"{required} {optional}".split() and not _RULES[name](value):
            return {"loc": ["body", name], "msg": "unexpected value", "type": "value_error.const"}
    images = body.get("image_urls", ())
    if endpoint.endswith("pikaframes") and not 2 <= len(images) <= 5:
        return {"loc": ["body", "image_urls"], "msg": "2 to 5 images", "type": "value_error.list"}
    if len(body.get("transitions", images[1:])) != len(images[1:]):
        return {"loc": ["body", "transitions"], "msg": "one less than images", "type": "value_error.list"}
    return None
