"""What becomes of a finished video: a file or a link, as text or as JSON. Refuses bad names early."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
from attrs import asdict, frozen

from pika_async import Job, VideoResult
from pika_async.cli._command import Decorator, gathered, json_option
from pika_async.cli._terminal import hand_over, printable


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
        _refuse_unwritable(delivery.file, delivery.overwrite)
    return delivery


def _refuse_unwritable(file: Path, overwrite: bool) -> None:
    from pika_async._download.paths import UnusablePathError, beside, check_path

    try:
        check_path(file)
    except UnusablePathError as reason:
        raise _refused(str(reason)) from None
    if os.path.lexists(file) and not overwrite:
        raise _refused(f"{str(file)!r} exists; choose another name, or add --overwrite to replace it.")
    for path in (file, *beside(file)):
        if os.path.lexists(path) and not (path.is_file() and os.access(path, os.R_OK | os.W_OK)):
            raise _refused(f"{str(path)!r} is in the way; remove it, or choose another name.")
    folder = next(parent for parent in file.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise _refused(f"nothing can be written to {str(folder)!r}; choose another place.")


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
