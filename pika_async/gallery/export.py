"""Galleries of one or several folders, copied into a folder that any web server can show."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import evolve

from pika_async.errors import ConfigError
from pika_async.gallery.folder import PAGE, read_rows, title_of, within
from pika_async.gallery.page import render_page
from pika_async.gallery.row import Row

_MEDIA: Final = "media"


def export_gallery(
    folders: Sequence[str | os.PathLike[str]], site: str | os.PathLike[str], *, title: str | None = None
) -> Path:
    """Copy the videos and posters of *folders* into the new folder *site*, with one page; return the page.

    The page compares providers where two of them rendered the same prompt. All its links are relative. No
    manifest, ledger, sidecar, token or address of a store is copied. The default *title* names the folders.

    Raises `ConfigError` when *site* holds anything already, and OSError; then there is no new folder.
    """
    site = Path(site)
    if site.exists() and not (site.is_dir() and not any(site.iterdir())):
        raise ConfigError(f"{site} is not empty; choose a new folder for the export.")
    site.parent.mkdir(parents=True, exist_ok=True)
    part = site.with_name(f"{site.name}.part")
    part.mkdir()
    try:
        rows = [_copied(row, folder, part) for row, folder in _numbered(folders)]
        page = render_page(rows, title or " and ".join(map(title_of, folders)))
        (part / PAGE).write_bytes(page.encode("utf-8", "replace"))
        if site.exists():
            site.rmdir()
        part.rename(site)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return site / PAGE


def _numbered(folders: Sequence[str | os.PathLike[str]]) -> Iterator[tuple[Row, Path]]:
    """Yield the rows of all folders, and where each comes from; rows of the same number follow each other."""
    found = [(row, Path(folder)) for folder in folders for row in read_rows(folder)]
    if len(folders) == 1:
        yield from found
        return
    found.sort(key=lambda each: each[0].number)
    for number, (row, folder) in enumerate(found, 1):
        origin = ("row", f"{row.number} of {title_of(folder)}")
        yield evolve(row, number=number, settings=(*row.settings, origin)), folder


def _copied(row: Row, folder: Path, site: Path) -> Row:
    """Copy the media of *row*, and return the row as the exported page shows it."""
    # Named by number: what a file was called may be of no interest to strangers, and folders share names.
    file = _copy(row.file, folder, site, f"{row.number:04}")
    poster = _copy(row.poster, folder, site, f"{row.number:04}-poster")
    return evolve(row, file=file, poster=poster, address=None)


def _copy(name: str | None, folder: Path, site: Path, stem: str) -> str | None:
    source = within(folder.resolve(), name) if name else None
    if source is None:
        return None
    copied = f"{_MEDIA}/{stem}{Path(str(name)).suffix.lower()}"
    (site / _MEDIA).mkdir(exist_ok=True)
    # The content alone: a batch's files may be readable by their owner only.
    shutil.copyfile(source, site / copied)
    return copied
