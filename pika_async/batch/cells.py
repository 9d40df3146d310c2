"""The cells of a row of CSV as values of a request's fields. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pika_async.batch.content import Cells, WrongRowError
from pika_async.batch.describe import shortened
from pika_async.errors import PikaError
from pika_async.requests import Camera

_TRUE: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE: Final = frozenset({"0", "false", "f", "no", "n", "off"})
_IMAGE: Final = re.compile(r"\s*data:[^,]{0,200},[^;]*|[^;]+", re.IGNORECASE)


def read_cells(cells: Cells) -> dict[str, Any]:
    """Return the value of each field; raises `WrongRowError` with every cell that is wrong."""
    values: dict[str, Any] = {}
    reasons: list[str] = []
    for name, cell in cells.by_name.items():
        try:
            values[name] = _READERS[name](cell) if name in _READERS else cell
        except ValueError as error:
            reasons.append(f"{name}: {error}")
        except PikaError as error:
            reasons.append(f"{name}: {error.message}")
    if reasons:
        raise WrongRowError(*reasons)
    return values


def _whole(cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        raise ValueError(f"{shortened(cell)!r} is not a valid integer.") from None


def _number(cell: str) -> float:
    """Read a number; Excel writes a comma in half of the world.

    >>> _number("1.5"), _number("1,5")
    (1.5, 1.5)
    """
    try:
        return float(re.sub(r"\A([0-9]+),([0-9]{1,2})\Z", r"\1.\2", cell))
    except ValueError:
        raise ValueError(f"{shortened(cell)!r} is not a valid float.") from None


def _yes_or_no(cell: str) -> bool:
    word = cell.casefold()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"{shortened(cell)!r} is neither yes nor no.")
    return word in _TRUE


def _camera(cell: str) -> Camera:
    moves = (part.partition("=") for part in cell.split(","))
    try:
        return Camera(**{move.strip(): direction.strip() for move, _, direction in moves})  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{shortened(cell)!r} is not like pan=left,tilt=up,rotate=cw,zoom=in.") from None


def _json_object(cell: str) -> dict[str, Any]:
    # The cell is not shown: people put keys there.
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the cell is not JSON ({error}).") from None
    if not isinstance(found, dict):
        raise ValueError('the cell is no JSON object such as {"name": 1}.')  # noqa: TRY004 - of the cell
    return found


def _images(cell: str) -> list[str]:
    """Split at semicolons, but not at the one inside a `data:` URI.

    >>> _images("a.png; data:image/png;base64,AAAA;b.png")
    ['a.png', 'data:image/png;base64,AAAA', 'b.png']
    """
    return [image.strip() for image in _IMAGE.findall(cell) if image.strip()]


def _frames(cell: str) -> list[dict[str, Any]]:
    """Split at semicolons as images are; `5s` before an image is the time from it to the next.

    >>> _frames("5s a.png; b.png")
    [{'image': 'a.png', 'seconds': 5.0}, {'image': 'b.png'}]
    """
    return [_frame(image) for image in _images(cell)]


def _frame(text: str) -> dict[str, Any]:
    timed = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)s\s+(.+)", text, re.DOTALL)
    return {"image": timed[2], "seconds": float(timed[1])} if timed else {"image": text}


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "seed": _whole,
    "frame_rate": _whole,
    "motion": _whole,
    "guidance_scale": _number,
    "duration": _number,
    "sound_effects": _yes_or_no,
    "camera": _camera,
    "extra_body": _json_object,
    "images": _images,
    "frames": _frames,
}
