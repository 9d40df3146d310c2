"""Whether a video can be kept at a path: asked before money is spent, and again before a download."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path


class UnusablePathError(Exception):
    """No video can be kept there; the text says why and what to do."""


def beside(final: Path) -> tuple[Path, Path]:
    """Return the two files that lie beside *final* until it is whole: its bytes so far, and notes on them.

    >>> [path.name for path in beside(Path("cat.mp4"))]
    ['cat.mp4.part', 'cat.mp4.part.json']
    """
    return final.with_name(f"{final.name}.part"), final.with_name(f"{final.name}.part.json")


def check_path(path: str | os.PathLike[str]) -> Path:
    """Return *path* if a video, and what lies beside it meanwhile, may have such names.

    The system itself is asked, because each file system has limits of its own. Nothing is made or changed.
    Raises `UnusablePathError`, and TypeError for what is no path.
    """
    try:
        final = Path(path)
    except TypeError:
        raise TypeError(f"path must be text or a path, not {type(path).__name__}") from None
    try:
        if not final.name or final.is_dir():
            raise UnusablePathError(f"{final} is a folder: name a file in it.")
        _ask_the_system(beside(final)[1].absolute())
    except ValueError:
        raise UnusablePathError(
            f"{str(final)[:200]!r} has a character that no file name may have: take it out."
        ) from None
    except OSError as refused:
        if refused.errno == errno.ENAMETOOLONG:
            raise UnusablePathError(
                f"{final.name[:40]}… cannot be the name: while the video is fetched, .part.json is added to "
                "it, and that is too long for the file system; choose a shorter name."
            ) from None
        raise UnusablePathError(
            f"{final} cannot be written ({refused.strerror or refused}): choose another place."
        ) from None
    return final


def _ask_the_system(whole: Path) -> None:
    os.fsencode(whole)
    with suppress(FileNotFoundError):
        os.lstat(whole)
        return
    # Names below a folder that is missing yet are judged in the one that is there.
    folder = next(parent for parent in whole.parents if parent.is_dir())
    for name in whole.relative_to(folder).parts:
        with suppress(FileNotFoundError):
            os.lstat(folder / name)
