"""How each request of ours looks on each shipped provider's wire, or why it cannot be sent.

One entry for each row of the wire tables in docs/providers.md, in that order. Expected values come from
the providers' documents, not from the adapters.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from attrs import frozen

import pika_async.sandbox
from pika_async import Edit, Generate, Ingredients, Style
from pika_async.requests import VideoRequest

PROMPT = "A cat surfing"
KEY = "sandbox-table"
PICTURE, CLIP = "https://media.example.test/cat.png", "https://media.example.test/cat.mp4"
POSTER = Path(pika_async.sandbox.__file__).parent / "media" / "poster.jpg"
PNG, MP4 = b"\x89PNG\r\n\x1a\n...", b"\x00\x00\x00\x18ftypmp42..."


def inlined(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@frozen
class Sends:
    """*request* reaches the wire as *body*, by dotted names, beside what every submit bears (`COMMON`)."""

    request: VideoRequest
    body: Mapping[str, Any]


@frozen
class Refuses:
    """*request* is refused unsent by a sentence with these *words*; the providers *able* could do it."""

    request: VideoRequest
    words: str
    able: str | None


Case: TypeAlias = Sends | Refuses


def text(**fields: Any) -> Generate:
    return Generate(PROMPT, **fields)


def inflate(**fields: Any) -> Style:
    return Style(PROMPT, style="Inflate", **fields)


def together(**fields: Any) -> Ingredients:
    return Ingredients(PROMPT, [PICTURE, PNG], **fields)


def _words_only(**fields: Any) -> dict[str, Any]:
    """Return Duomi's wire for words alone: it demands a ratio and a frame rate, so ours are added."""
    return {"ratio": "16:9", "options.frameRate": 24, **{k.replace("__", "."): v for k, v in fields.items()}}


COMMON: Mapping[str, Mapping[str, Any]] = {
    "acedata": {"action": "generate", "prompt": PROMPT, "async": True},
    "duomi": {"prompt": PROMPT, "key": KEY},
}
"""What every submit bears beside `callback_url`."""

_TOGETHER = {"ingredients": True, "image_url": [PICTURE, inlined("image/png", PNG)], "model": "2.0"}
_STYLES = (
    *("Inflate", "Melt", "Explode", "Squish", "Crush", "Cake-ify", "Ta-da"),
    *("Deflate", "Crumble", "Dissolve", "Levitate", "Decapitate", "Eye-pop"),
)
_CAMERA = {"pan": "left", "tilt": "up", "rotate": "cw", "zoom": "in"}
_FOREIGN: Mapping[str, Any] = {
    "seed": 7,
    "frame_rate": 12,
    "guidance_scale": 12.5,
    "motion": 3,
    "camera": _CAMERA,
    "sound_effects": True,
}
"""Fields that AceData's wire does not have."""
_ABLE = {"seed": "comfy duomi fal pika"}

_NEWER: Mapping[str, tuple[Case, ...]] = {
    "duration": (Refuses(text(duration=5), "duration cannot be expressed", "comfy fal pika"),),
    "resolution": (Refuses(text(resolution="1080p"), "resolution cannot be expressed", "comfy fal pika"),),
    "last_image": (
        Refuses(text(image=PICTURE, last_image=PICTURE), "last_image cannot be expressed", "fal pika"),
    ),
    "frames": (Refuses(text(frames=[PICTURE, PICTURE]), "frames cannot be expressed", "fal pika"),),
    "Edit(prompt, video, region=, mask=)": (
        Refuses(Edit(PROMPT, CLIP, region="the hat"), "Edit is not offered", "fal pika"),
        Refuses(Edit(PROMPT, CLIP, mask=PICTURE), "Edit is not offered", "pika"),
    ),
    "Generate(image=) without prompt": (
        Refuses(Generate(image=PICTURE), "prompt is required", "comfy pika"),
    ),
}
"""What neither AceData's nor Duomi's wire has."""

WIRE: Mapping[str, Mapping[str, tuple[Case, ...]]] = {
    "acedata": {
        "Generate(prompt)": (Sends(text(), {"model": "2.0"}),),
        "Generate(image=)": (
            Sends(text(image=PICTURE), {"image_url": [PICTURE], "model": "2.0"}),
            Sends(text(image=PNG), {"image_url": [inlined("image/png", PNG)], "model": "2.0"}),
            Sends(
                text(image=POSTER),
                {"image_url": [inlined("image/jpeg", POSTER.read_bytes())], "model": "2.0"},
            ),
        ),
        "Generate(video=)": (
            Sends(text(video=CLIP), {"video_url": CLIP, "model": "2.0"}),
            Sends(text(video=MP4), {"video_url": inlined("video/mp4", MP4), "model": "2.0"}),
        ),
        "image= with video=": (
            Sends(
                text(image=PICTURE, video=CLIP), {"image_url": [PICTURE], "video_url": CLIP, "model": "2.0"}
            ),
        ),
        "Style(prompt, style=)": (
            Sends(inflate(), {"effect": "Inflate", "model": "1.5"}),
            Sends(inflate(model=2.0), {"effect": "Inflate", "model": "2.0"}),
            Sends(Style(PROMPT, style="Of tomorrow"), {"effect": "Of tomorrow", "model": "1.5"}),
        ),
        "Style(prompt, style=, image=)": (
            Sends(inflate(image=PICTURE), {"effect": "Inflate", "image_url": [PICTURE], "model": "1.5"}),
        ),
        "Style(prompt, style=, video=)": (
            Sends(inflate(video=CLIP), {"effect": "Inflate", "video_url": CLIP, "model": "2.0"}),
        ),
        "Ingredients(prompt, images, mode=)": (
            Sends(together(), _TOGETHER),
            Sends(together(mode="creative"), {**_TOGETHER, "ingredients_mode": "creative"}),
            Sends(together(mode="precise"), {**_TOGETHER, "ingredients_mode": "precise"}),
        ),
        "model": (
            Sends(text(model=1.5), {"model": "1.5"}),
            Sends(text(model="pika-2.2"), {"model": "pika-2.2"}),
        ),
        "model other than 2.0, with a video or ingredients": (
            Refuses(text(video=CLIP, model="1.5"), "model must be 2.0", None),
            Refuses(inflate(video=CLIP, model="1.5"), "model must be 2.0", "duomi"),
            Refuses(together(model="1.5"), "model must be 2.0", None),
        ),
        "aspect_ratio": (Sends(text(aspect_ratio="9:16"), {"aspect_ratio": "9:16", "model": "2.0"}),),
        "aspect_ratio with media": (
            Refuses(text(image=PICTURE, aspect_ratio="9:16"), "aspect_ratio goes with words alone", None),
            Refuses(inflate(video=CLIP, aspect_ratio="9:16"), "aspect_ratio goes with words alone", None),
            Refuses(together(aspect_ratio="9:16"), "aspect_ratio goes with words alone", "fal"),
        ),
        "negative_prompt": (
            Sends(text(negative_prompt="blur"), {"negative_prompt": "blur", "model": "2.0"}),
        ),
        **{
            name: (Refuses(text(**{name: value}), f"{name} cannot be expressed", _ABLE.get(name, "duomi")),)
            for name, value in _FOREIGN.items()
        },
        **_NEWER,
        "extra_body": (Sends(text(extra_body={"mirror": True}), {"model": "2.0", "mirror": True}),),
    },
    "duomi": {
        "Generate(prompt)": (Sends(text(), _words_only()),),
        "Generate(image=)": (
            Sends(text(image=PICTURE), {"image": PICTURE}),
            Sends(text(image=PICTURE, frame_rate=12), {"image": PICTURE, "options.frameRate": 12}),
        ),
        "image= or video= that is no link": (
            Refuses(text(image=PNG), "image must be a link", "acedata fal pika"),
            Refuses(text(image=POSTER), "image must be a link", "acedata fal pika"),
            Refuses(inflate(video=MP4), "video must be a link", "acedata"),
        ),
        "image= with video=": (
            Refuses(inflate(image=PICTURE, video=CLIP), "image and video cannot go together", "acedata"),
        ),
        "Generate(video=)": (
            Refuses(text(video=CLIP), "use Style(prompt, style=..., video=...)", "acedata"),
        ),
        "Style(prompt, style=)": tuple(
            Sends(Style(PROMPT, style=word.swapcase()), _words_only(style=word)) for word in _STYLES
        ),
        "Style(prompt, style=) of another style": (
            Refuses(Style(PROMPT, style="Hearts Bouquet"), "style 'Hearts Bouquet' is not among", "acedata"),
        ),
        "Style(prompt, style=, image=)": (
            Sends(inflate(image=PICTURE), {"style": "Inflate", "image": PICTURE}),
        ),
        "Style(prompt, style=, video=)": (
            Sends(
                inflate(video=CLIP),
                {"style": "Inflate", "video": CLIP, "sfx": False, "options.frameRate": 24},
            ),
        ),
        "Ingredients(prompt, images, mode=)": (
            Refuses(together(), "Ingredients is not offered", "acedata fal"),
            Refuses(together(mode="precise"), "Ingredients is not offered", "acedata fal"),
        ),
        "model": (
            Sends(text(model=1.5), _words_only(model=1.5)),
            Sends(text(model="2.0"), _words_only(model=2.0)),
        ),
        "model that is no number": (Refuses(text(model="pika-2.2"), "model must be a number", "acedata"),),
        "aspect_ratio": (Sends(text(aspect_ratio="9:16"), _words_only(ratio="9:16")),),
        "aspect_ratio with media": (
            Refuses(text(image=PICTURE, aspect_ratio="9:16"), "aspect_ratio goes with words alone", None),
            Refuses(inflate(video=CLIP, aspect_ratio="9:16"), "aspect_ratio goes with words alone", None),
        ),
        "negative_prompt": (
            Sends(text(negative_prompt="blur"), _words_only(options__parameters__negativePrompt="blur")),
        ),
        "seed": (Sends(text(seed=0), _words_only(options__parameters__seed=0)),),
        "guidance_scale": tuple(
            Sends(text(guidance_scale=scale), _words_only(options__parameters__guidanceScale=scale))
            for scale in (5, 12.5, 25)
        ),
        "guidance_scale outside 5-25": tuple(
            Refuses(text(guidance_scale=scale), "guidance_scale must be 5 to 25", None) for scale in (4, 26)
        ),
        "motion": tuple(
            Sends(text(motion=motion), _words_only(options__parameters__motion=motion)) for motion in (0, 4)
        ),
        "motion outside 0-4": (Refuses(text(motion=5), "motion must be 0 to 4", None),),
        "camera": (
            Sends(
                text(camera=_CAMERA),
                _words_only(**{f"options__camera__{axis}": way for axis, way in _CAMERA.items()}),
            ),
        ),
        "frame_rate": tuple(
            Sends(text(frame_rate=rate), _words_only(options__frameRate=rate)) for rate in (8, 24)
        ),
        "frame_rate outside 8-24": tuple(
            Refuses(text(frame_rate=rate), "frame_rate must be 8 to 24", None) for rate in (7, 25)
        ),
        "sound_effects": tuple(
            Sends(text(sound_effects=wanted), _words_only(sfx=wanted)) for wanted in (True, False)
        ),
        **_NEWER,
        "extra_body": (Sends(text(extra_body={"mirror": True}), _words_only(mirror=True)),),
    },
}
