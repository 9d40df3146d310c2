"""The fields of a submit by AceData Cloud's field table, and what is wrong with a body. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def invalid(body: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the body of a submit, by the field table of the documents."""
    model, images = body.get("model"), body.get("image_url")
    many = isinstance(images, list)
    callback_url, ratio = body.get("callback_url", "https://"), body.get("aspect_ratio", "1:1")
    rules = (
        (body.get("action") == "generate", "action must be generate"),
        (_text(body.get("prompt")), "prompt must be text"),
        (_text(model), "model must be text, such as 2.0"),
        (_text(body.get("negative_prompt", "-")), "negative_prompt must be text"),
        (_text(body.get("effect", "-")), "effect must be text"),
        (isinstance(ratio, str | int | float) and not isinstance(ratio, bool), "aspect_ratio must be text"),
        (
            images is None or _text(images) or (many and all(map(_text, images))),
            "image_url must be a list of links or Base64",
        ),
        (_text(body.get("video_url", "-")), "video_url must be a link"),
        ("video_url" not in body or model == "2.0", "video_url needs model 2.0"),
        (isinstance(body.get("ingredients", False), bool), "ingredients must be true or false"),
        (not body.get("ingredients") or model == "2.0", "ingredients need model 2.0"),
        (not body.get("ingredients") or (many and images), "ingredients need a list of image_url"),
        (body.get("ingredients_mode", "creative") in ("creative", "precise"), "unknown ingredients_mode"),
        (
            isinstance(callback_url, str) and callback_url.startswith(("http://", "https://")),
            "callback_url must be a link",
        ),
        (isinstance(body.get("async", False), bool), "async must be true or false"),
    )
    return next((why for fine, why in rules if not fine), None)


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
