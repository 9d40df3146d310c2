"""The fields of a request as options, each declared once for every command that has it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import attrs
import click

from pika_async import Camera, Frame, PikaError
from pika_async.cli._command import Decorator, gathered
from pika_async.cli._terminal import clipped
from pika_async.requests import Media, VideoRequest


def media(text: str) -> Media:
    """Read a link, which may hold the media itself, or the name of a file that must be there by now."""
    if text.lower().startswith(("http://", "https://", "data:")):
        return text
    path = Path(text).expanduser()
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.BadParameter(
            f"{clipped(text)!r} is no http(s) link, and no file that can be read ({reason})."
        ) from None
    if empty:
        raise click.BadParameter(f"the file {clipped(text)!r} is empty.")
    return path


def _frame(text: str) -> Frame:
    timed = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)s\s+(.+)", text, re.DOTALL)
    try:
        return Frame(media(timed[2]), seconds=float(timed[1])) if timed else Frame(media(text))
    except PikaError as error:
        raise click.BadParameter(error.message) from None


def _camera(text: str) -> Camera:
    moves = (part.partition("=") for part in text.split(","))
    try:
        return Camera(**{move.strip(): direction.strip() for move, _, direction in moves})  # type: ignore[arg-type]
    except TypeError:
        raise click.BadParameter(
            f"{clipped(text)!r} is not like pan=left,tilt=up,rotate=cw,zoom=in."
        ) from None
    except PikaError as error:
        raise click.BadParameter(error.message) from None


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{clipped(text)!r} is not JSON ({error}).") from None
    if not isinstance(found, dict):
        raise click.BadParameter(f'{clipped(text)!r} is no JSON object such as {{"name": 1}}.')
    return found


OPTIONS: Mapping[str, Decorator] = {
    "image": click.option("--image", type=media, metavar="URL|FILE", help="Start from this image."),
    "video": click.option("--video", type=media, metavar="URL|FILE", help="Start from this video."),
    "last_image": click.option(
        "--last-image", type=media, metavar="URL|FILE", help="End with this image; goes with --image."
    ),
    "frames": click.option(
        "--frame",
        "frames",
        type=_frame,
        multiple=True,
        callback=lambda _, __, frames: frames or None,
        metavar="[Ns ]URL|FILE",
        help="A key frame to go through, at least twice; `5s a.png` takes 5 seconds to the next one.",
    ),
    "region": click.option("--region", metavar="TEXT", help="What to replace, in words."),
    "mask": click.option("--mask", type=media, metavar="URL|FILE", help="An image, white where to replace."),
    "duration": click.option(
        "--duration", type=float, metavar="SECONDS", help="How long the video is to be."
    ),
    "resolution": click.option("--resolution", metavar="NAME", help="Such as 720p, 1080p or 4k."),
    "mode": click.option(
        "--mode",
        type=click.Choice(["creative", "precise"]),
        help="How closely to keep to the images.",
    ),
    "negative_prompt": click.option("--negative-prompt", metavar="TEXT", help="What must not appear."),
    "model": click.option("--model", metavar="NAME", help="The model, such as 2.0."),
    "aspect_ratio": click.option("--aspect-ratio", metavar="W:H", help="Such as 16:9."),
    "seed": click.option("--seed", type=int, metavar="N", help="The same seed, a similar video."),
    "frame_rate": click.option("--frame-rate", type=int, metavar="N", help="Frames per second."),
    "guidance_scale": click.option(
        "--guidance-scale", type=float, metavar="X", help="How closely to keep to the prompt."
    ),
    "motion": click.option("--motion", type=int, metavar="N", help="How much moves."),
    "camera": click.option("--camera", type=_camera, metavar="MOVES", help="Such as pan=left,zoom=in."),
    "sound_effects": click.option(
        "--sound-effects/--no-sound-effects", default=None, help="Add sound effects or none."
    ),
    "extra_body": click.option(
        "--extra-body", type=_json_object, metavar="JSON", help="Merged last into the provider's own request."
    ),
}


def _only_set(**given: object) -> dict[str, object]:
    return {name: value for name, value in given.items() if value is not None}


def request_options(kind: type[VideoRequest], *, without: Collection[str] = ()) -> Decorator:
    """Return the decorated function *fields*: what was set of the fields of *kind*.

    *without* are fields that the command takes as arguments.
    """
    known = {attribute.name for attribute in attrs.fields(kind)} - set(without)
    return gathered("fields", _only_set, {name: OPTIONS[name] for name in OPTIONS if name in known})
