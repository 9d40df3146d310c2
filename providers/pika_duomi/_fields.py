"""The fields of a submit as Duomi's emulator takes them, and what is wrong with a body. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_STYLES: Final = (
    *("Inflate", "Melt", "Explode", "Squish", "Crush", "Cake-ify", "Ta-da"),
    *("Deflate", "Crumble", "Dissolve", "Levitate", "Decapitate", "Eye-pop"),
)
_CAMERA: Final[Mapping[str, tuple[str, ...]]] = {
    "pan": ("left", "right"),
    "tilt": ("up", "down"),
    "rotate": ("cw", "ccw"),
    "zoom": ("in", "out"),
}


def invalid(body: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the body of a submit; `image` or `video` decides its kind."""
    of_text, of_video = not body.keys() & {"image", "video"}, "video" in body
    options = body.get("options") or {}
    if not isinstance(options, dict):
        return "options格式错误"
    camera, parameters = options.get("camera") or {}, options.get("parameters") or {}
    if not isinstance(camera, dict) or not isinstance(parameters, dict):
        return "options格式错误"
    required = {
        "callback_url": body,
        "prompt": body,
        **({"ratio": body, "options": body, "frameRate": options} if of_text else {}),
        **({"style": body, "sfx": body} if of_video else {}),
    }
    for name, holder in required.items():
        if holder.get(name) in (None, "", {}):
            return f"{name}不能为空"
    given = {**body, **options, **camera, **parameters}
    rules = {
        **dict.fromkeys(("callback_url", "image", "video"), _link),
        **dict.fromkeys(("prompt", "negativePrompt"), _text),
        "style": lambda value: value in _STYLES,
        "ratio": lambda value: _text(value) and re.fullmatch(r"\d+:\d+", value) is not None,
        "sfx": lambda value: isinstance(value, bool),
        "model": _number,
        "frameRate": lambda value: isinstance(value, int) and 8 <= value <= 24,
        "guidanceScale": lambda value: _number(value) and 5 <= value <= 25,
        "motion": lambda value: _number(value) and 0 <= value <= 4,
        "seed": lambda value: isinstance(value, int),
        **{axis: words.__contains__ for axis, words in _CAMERA.items()},
    }
    return next((f"{name}参数错误" for name in rules if name in given and not rules[name](given[name])), None)


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _link(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
