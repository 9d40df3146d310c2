"""Pika's models as the emulator of Comfy Router offers them: their fields and their checks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pika_async.provider import JSON

_RATIOS: Final = "auto 21:9 16:9 3:2 4:3 5:4 1:1 4:5 3:4 2:3 9:16 9:21".split()  # noqa: SIM905
_Rule = Callable[[Any], bool]


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _link(value: object) -> bool:
    return isinstance(value, str) and value.startswith("https://")


def _references(value: object) -> bool:
    kinds = {"image": 9, "video": 3, "audio": 3}
    if not isinstance(value, list) or not all(
        isinstance(one, dict) and _link(one.get("url")) for one in value
    ):
        return False
    counts = {kind: sum(one.get("type") == kind for one in value) for kind in kinds}
    seen = counts["image"] + counts["video"] > 0
    return seen and sum(counts.values()) == len(value) <= 12 and all(counts[k] <= kinds[k] for k in kinds)


_SHARED: Final[Mapping[str, _Rule]] = {
    "prompt": _text,
    "seed": lambda value: value is None or (_whole(value) and value >= 0),
}
_FLEX: Final[Mapping[str, _Rule]] = {
    **_SHARED,
    "duration": lambda value: _whole(value) and 5 <= value <= 15,
    "resolution": ("480p", "768p", "1080p", "2k", "4k").__contains__,
    "aspect_ratio": _RATIOS.__contains__,
    "rewrite": lambda value: isinstance(value, bool),
    "audio_stems": lambda value: isinstance(value, bool),
}
_OLDER: Final[Mapping[str, _Rule]] = {
    **_SHARED,
    "negative_prompt": _text,
    "resolution": ("720p", "1080p").__contains__,
}
MODELS: Final[Mapping[str, tuple[str, Mapping[str, _Rule]]]] = {
    "pika-2.5-text-to-video": ("prompt", {**_OLDER, "duration_s": lambda value: value == 5}),
    "pika-2.5-image-to-video": ("image", {**_OLDER, "image": _link, "duration_s": (5, 10).__contains__}),
    "pika-h3-flex-text-to-video": ("prompt", _FLEX),
    "pika-h3-flex-image-to-video": ("prompt image", {**_FLEX, "image": _link}),
    "pika-h3-flex-reference-to-video": ("prompt references", {**_FLEX, "references": _references}),
}
"""The required fields of each model, and the rules of all."""


def invalid(model: str, body: Mapping[str, Any]) -> JSON | None:
    """Say what is wrong with the body of a submit, as a model's own check words it; others are refused."""
    required, rules = MODELS[model]
    for name in required.split():
        if name not in body:
            return {"loc": ["body", name], "msg": "Field required", "type": "missing"}
    for name, value in body.items():
        if name not in rules:
            return {"loc": ["body", name], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}
        if not rules[name](value):
            return {"loc": ["body", name], "msg": "Input should be another", "type": "literal_error"}
    return None
