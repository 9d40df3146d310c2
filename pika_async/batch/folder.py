"""The folder of a batch: one run at a time, names for files, and whether a file is the one recorded."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import stat
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from attrs import field, frozen

from pika_async.batch.entry import IMAGE_TYPES, VIDEO_TYPES, Entry, RowState, media_path
from pika_async.batch.files import open_own
from pika_async.batch.manifest import MANIFEST
from pika_async.batch.store import BatchStore
from pika_async.errors import ConfigError

if TYPE_CHECKING:
    from io import BufferedReader

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("pika_async")

_LONGEST_SLUG: Final = 40
_LONGEST_SLUG_BYTES: Final = 120
_LONGEST_NAME: Final = 255
_BESIDE: Final = ".part.json"
"""The longest ending that a download, which is not whole yet, adds to the name of its file."""


@frozen
class BatchFolder:
    """Where videos, posters, manifest and, as a rule, the ledger lie; a *store* takes the videos alone."""

    path: Path = field(converter=Path)
    store: BatchStore | None = None

    @property
    def ledger(self) -> Path:
        """Return the file that knows what was paid for, unless another one was named."""
        return self.path / "jobs.db"

    @property
    def manifest(self) -> Path:
        """Return the file that knows what became of each row."""
        return self.path / MANIFEST

    @contextmanager
    def held(self) -> Iterator[str | None]:
        """Make the folder, and keep other batches out of it; raises `ConfigError`.

        Gives a sentence for people where the file system has no locks, so that nothing is kept out.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = open_own(self.path / ".batch.lock", "a+b", mode=0o600)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"Nothing can be written to {self.path} ({_said(error)}); choose another folder."
            ) from None
        with file:
            warning = None
            if sys.platform != "win32":
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise ConfigError(
                        f"Another batch is running in {self.path}; wait for it, or choose another folder."
                    ) from None
                except OSError as error:
                    warning = (
                        f"The file system of {self.path} has no locks ({error.strerror}): run one batch at a "
                        "time there. The ledger still buys nothing twice."
                    )
                    log.warning(warning)
            yield warning

    def place(self, name: str) -> Path | str:
        """Return where the video *name* is to be kept: a file, or the address of an object."""
        return self.path / name if self.store is None else self.store.place(name)

    def video(self, name: str | None) -> Path | None:
        """Return where the video *name* of a manifest is, or None for a name that is not one of ours."""
        return self._own(name, VIDEO_TYPES)

    def poster(self, name: str | None) -> Path | None:
        """Return where the poster *name* of a manifest is, or None for a name that is not one of ours."""
        return self._own(name, IMAGE_TYPES)

    def _own(self, name: str | None, types: Mapping[str, str]) -> Path | None:
        # A batch makes no folders: below one there may be a link that leads elsewhere.
        inside = media_path(name, types)
        return None if inside is None or "/" in inside or inside != name else self.path / inside

    def is_whole(self, entry: Entry) -> bool:
        """Return whether the video of *entry* is here, byte for byte as it was fetched. Reads the file.

        A store is asked for the size alone.
        """
        if self.store is not None:
            return self.store.is_whole(entry)
        path = self.video(entry.file)
        if entry.state is not RowState.DONE or path is None or entry.sha256 is None:
            return False
        with suppress(OSError), open_own(path, "rb") as file:
            status = os.fstat(file.fileno())
            return (
                stat.S_ISREG(status.st_mode)
                and status.st_size == entry.size
                and hashlib.file_digest(cast("BufferedReader", file), "sha256").hexdigest() == entry.sha256
            )
        return False

    def has(self, path: Path | None) -> bool:
        """Return whether *path* is a file of this folder."""
        return path is not None and path.is_file()

    def try_names(self, names: Iterable[str]) -> None:
        """Make sure, before money is spent, that files of these *names* can be written; raises `ConfigError`.

        Every name is looked up with the longest ending that a download adds; the longest, and the longest in
        another script than ours, are also made, for some file systems take only certain letters.
        """
        ours = sorted({f"{name}{_BESIDE}" for name in names}, key=_bytes)
        made = {*ours[-1:], *[name for name in ours if not name.isascii()][-1:]}
        for name in ours:
            try:
                if name in made:
                    self._make(self.path / name)
                else:
                    os.lstat(self.path / name)
            except (FileNotFoundError, FileExistsError):
                continue
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"The file {name} cannot be made in {self.path} ({_said(error)}); choose a folder with a "
                    "shorter path, on a disk that takes such names. Nothing was bought."
                ) from None

    def _make(self, path: Path) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        path.unlink()


def _said(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return f"{Path(os.fsdecode(error.filename)).name} is a link that leads elsewhere"
    return getattr(error, "strerror", None) or str(error)


class Names:
    """Gives each row a name of its own: none that is *reserved*, or that something in *folder* has."""

    def __init__(self, folder: Path, rows: int, reserved: Iterable[str] = ()) -> None:
        self._digits = max(3, len(str(rows)))
        # Case and the way an accent is written are no difference on some file systems.
        self._taken = {_folded(path.stem) for path in folder.iterdir()} if folder.is_dir() else set()
        self._taken |= {_folded(name.removesuffix(".mp4")) for name in reserved}

    def name(self, number: int, prompt: str) -> str:
        """Return the name of a row's files, without a suffix."""
        wanted = f"{number:0{self._digits}}-{slug(prompt)}"
        name, count = wanted, 1
        while _folded(name) in self._taken:
            count += 1
            name = f"{wanted}-{count}"
        self._taken.add(_folded(name))
        return name


def fits(name: str) -> bool:
    """Return whether *name* leaves room for the endings that a download adds.

    >>> fits("001-a-cat.mp4"), fits("夕" * 81 + ".mp4")
    (True, False)
    """
    return _bytes(name + _BESIDE) <= _LONGEST_NAME


def _bytes(name: str) -> int:
    return len(name.encode("utf-8", "surrogatepass"))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def slug(prompt: str) -> str:
    """Make a part of a file name of *prompt*, in its own script.

    >>> slug("A cat, surfing @ sunset!"), slug("../../etc/passwd"), slug("夕日の猫"), slug("!?")
    ('a-cat-surfing-sunset', 'etc-passwd', '夕日の猫', 'video')
    """
    text = unicodedata.normalize("NFKC", prompt[:400]).casefold()
    words = re.findall(r"[^\W_]+", text)
    made = ""
    for word in words:
        longer = f"{made}-{word}" if made else word
        if len(longer) > _LONGEST_SLUG or len(longer.encode()) > _LONGEST_SLUG_BYTES:
            break
        made = longer
    return made or (_cut(words[0]) if words else "video")


def _cut(word: str) -> str:
    """Return the beginning of a word that is too long; scripts differ in bytes a letter."""
    return word.encode()[:_LONGEST_SLUG_BYTES].decode(errors="ignore")[: _LONGEST_SLUG // 2]
