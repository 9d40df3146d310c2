"""Files of a batch's folder, opened so that a link in their place leads nobody out of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Final, Literal

_FLAGS: Final = {
    "rb": os.O_RDONLY,
    "xb": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "a+b": os.O_RDWR | os.O_CREAT | os.O_APPEND,
}
# Windows has neither; there, making a link needs rights that few have.
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)


def open_own(path: Path, how: Literal["rb", "xb", "a+b"], *, mode: int = 0o666) -> IO[bytes]:
    """Open *path*, making it with *mode*; raises OSError where it is a symbolic link."""
    return os.fdopen(os.open(path, _FLAGS[how] | _NO_LINK | _BINARY, mode), how)


def replace_whole(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Make *content* the whole file *path*: readers see the old file or the new one. Raises OSError."""
    part = path.with_name(f"{path.name}.part")
    # What an earlier process left may be a link, or readable by others.
    part.unlink(missing_ok=True)
    with open_own(part, "xb", mode=mode) as file:
        file.write(content)
    part.replace(path)
