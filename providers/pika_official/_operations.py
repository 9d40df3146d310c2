"""The operations of Pika's own API as its emulator offers them: their fields, what is wrong, prices. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

SECOND: Final = {"720p": 40_000, "1080p": 90_000}
"""Micro-USD of a second."""

_Rule = Callable[[Any], bool]


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _one_of(*values: object) -> _Rule:
    return lambda value: value in values and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_SHARED: Final[Mapping[str, _Rule]] = {
    "resolution": _one_of("720p", "1080p"),
    "negative_prompt": is_text,
    "seed": lambda value: value is None or is_whole(value),
}
_EDIT: Final[Mapping[str, _Rule]] = {**_SHARED, "prompt": is_text, "duration_s": _one_of(5, 10)}
OPERATIONS: Final[Mapping[str, tuple[str, Mapping[str, _Rule]]]] = {
    "pika-2.5/text-to-video": ("prompt", {**_SHARED, "prompt": is_text, "duration_s": _one_of(5)}),
    "pika-2.5/image-to-video": ("image", _EDIT),
    "pikaframes/image-to-video": (
        "images",
        {**_SHARED, "prompt": is_text, "transition_duration_s": _one_of(*range(1, 11))},
    ),
    "pikadditions/video-to-video": ("video prompt", _EDIT),
    "pikaswaps/video-to-video": ("video prompt", {**_EDIT, "modify_region_roi": is_text}),
    "pikaffects/image-to-video": ("pikaffect image", {"pikaffect": is_text, "prompt_override": is_text}),
    "pikaffects/video-to-video": ("pikaffect video", {"pikaffect": is_text}),
}
"""The required fields of each operation, and the rules of those that hold no media."""
_MEDIA: Final[Mapping[str, tuple[str, ...]]] = {
    "pika-2.5/image-to-video": ("image",),
    "pikaframes/image-to-video": ("images",),
    "pikadditions/video-to-video": ("video", "image"),
    "pikaswaps/video-to-video": ("video", "image", "modify_region_mask"),
    "pikaffects/image-to-video": ("image",),
    "pikaffects/video-to-video": ("video",),
}


def price(operation: str, body: Mapping[str, Any]) -> int:
    if operation.startswith("pikaffects/"):
        return 50_000
    gaps = max(1, len(body.get("images", ())) - 1)
    seconds = body.get("transition_duration_s", 5) * gaps if "images" in body else body.get("duration_s", 5)
    return int(seconds * SECOND[body.get("resolution", "1080p")])


def invalid(operation: str, body: Any, own: str) -> str | None:
    """Say what is wrong with the body of a submit, by the fields of its operation; others are refused."""
    if not isinstance(body, Mapping):
        return "the body must be a JSON object"
    required, rules = OPERATIONS[operation]
    media = _MEDIA.get(operation, ())
    for name, value in body.items():
        if name in media:
            links = value if name == "images" and isinstance(value, list) else [value]
            if not all(isinstance(link, str) and link.startswith((own, "https://")) for link in links):
                return f"{name} must be an absolute https URL"
        elif name == "seed" and not _SHARED["seed"](value):
            return "seed must be an integer"
        elif name != "seed" and (name not in rules or not rules[name](value)):
            return f"{name} is not one of the allowed values" if name in rules else f"unknown field {name}"
    if missing := [name for name in required.split() if not body.get(name)]:
        return f"{missing[0]} is required"
    return _contradiction(body)


def _contradiction(body: Mapping[str, Any]) -> str | None:
    images = body.get("images", ["", ""])
    if not isinstance(images, list) or not 2 <= len(images) <= 5:
        return "images must hold 2 to 5 links"
    if len(images) > 2 and body.get("transition_duration_s", 5) > 5:
        return "transition_duration_s over 5 needs exactly two images"
    both = {"modify_region_roi", "modify_region_mask"} <= body.keys()
    return "give modify_region_roi or modify_region_mask" if both else None
