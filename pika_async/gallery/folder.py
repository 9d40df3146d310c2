"""The gallery of a folder: its manifest read, its page written."""

from __future__ import annotations

import os
from pathlib import Path

from pika_async.batch.files import replace_whole
from pika_async.batch.manifest import MANIFEST, Manifest
from pika_async.gallery.page import render_page
from pika_async.gallery.row import Row

PAGE = "index.html"


def read_rows(folder: str | os.PathLike[str]) -> list[Row]:
    """Read the rows of *folder*'s manifest; none where there is none."""
    return [Row.of(entry) for entry in Manifest(Path(folder) / MANIFEST).entries().values()]


def title_of(folder: str | os.PathLike[str]) -> str:
    """Name the gallery after its folder."""
    return Path(folder).resolve().name or "Gallery"


def within(folder: Path, name: str) -> Path | None:
    """Return the file *name* of the resolved *folder*, with links followed.

    None if it lies outside the folder or cannot be read.
    """
    try:
        path = (folder / name).resolve()
        return path if path.is_relative_to(folder) and path.is_file() else None
    except (OSError, RuntimeError, ValueError):
        # A name that is too long, or links in a circle.
        return None


def write_gallery(folder: str | os.PathLike[str]) -> Path:
    """Write *folder*'s `index.html` from its manifest, whole or not at all, and return its path.

    Costs about 0.1 ms a row, whatever changed: while a batch runs, call it now and then. Raises OSError.
    """
    page = Path(folder) / PAGE
    html = render_page(read_rows(folder), title_of(folder))
    replace_whole(page, html.encode("utf-8", "replace"))
    return page
