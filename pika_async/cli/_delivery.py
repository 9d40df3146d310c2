"""What becomes of a finished video: a file or a link, as text or as JSON. Refuses bad names early."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import click
from attrs import asdict, frozen

from pika_async import Job, VideoResult
from pika_async.cli._command import Decorator, gathered, json_option
from pika_async.cli._terminal import clipped, hand_over, printable

_BESIDE: Final = ".part.json"
"""The longest ending of what a download writes beside its file."""


@frozen(kw_only=True)
class Delivery:
    """How to hand over the video; *timeout* is the longest wait for it, in seconds."""

    file: Path | None
    overwrite: bool
    as_json: bool
    timeout: float

    def hand_over(self, video: VideoResult, job: Job) -> None:
        """Print the result to stdout, and nothing else there."""
        if self.as_json:
            file = str(self.file) if self.file else None
            whole = {**asdict(video), "token": job.token, "provider": job.provider, "file": file}
            hand_over(json.dumps(whole))
        else:
            hand_over(str(self.file) if self.file else printable(video.video_url or ""))


def _checked(**given: Any) -> Delivery:
    delivery = Delivery(**given)
    if delivery.file is not None:
        try:
            _refuse_unwritable(delivery.file, delivery.overwrite)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            name = clipped(str(delivery.file))
            raise _refused(f"{name!r} cannot be written ({reason}); choose another name.") from None
    return delivery


def _refuse_unwritable(file: Path, overwrite: bool) -> None:
    """Raise for a file that cannot be written; OSError and ValueError are for names that cannot exist."""
    folder = next(parent for parent in file.absolute().parents if os.path.lexists(parent))
    for name in file.absolute().relative_to(folder).parts:
        _ask_for(folder / name)
    _ask_for(folder / f"{file.name}{_BESIDE}")
    if file.is_dir():
        raise _refused(f"{str(file)!r} is a folder; name a file in it.")
    if os.path.lexists(file) and not overwrite:
        raise _refused(f"{str(file)!r} exists; choose another name, or add --overwrite to replace it.")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise _refused(f"nothing can be written to {str(folder)!r}; choose another place.")


def _ask_for(path: Path) -> None:
    """Raise OSError when the file system cannot have such a name."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return


def _refused(sentence: str) -> click.BadParameter:
    return click.BadParameter(sentence, param_hint="'-o'")


delivery_options: Decorator = gathered(
    "delivery",
    _checked,
    {
        "file": click.option(
            "-o",
            "--output",
            "file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Save the video here; without it, its link is printed.",
        ),
        "overwrite": click.option("--overwrite", is_flag=True, help="Replace FILE if it exists."),
        "as_json": json_option("Print the result as a JSON object."),
        "timeout": click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=900,
            metavar="SECONDS",
            show_default=True,
            help="Stop waiting after this long; the job goes on.",
        ),
    },
)
"""Return the decorated function a `delivery`; a place that cannot be written to is refused at once."""
