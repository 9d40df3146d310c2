"""The folder of a batch: one run at a time, names for files, and whether a file is the one recorded."""

from __future__ import annotations

import hashlib
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen

from pika_async import ConfigError
from pika_async.gallery import MANIFEST, PAGE, Entry, Manifest, RowState

if sys.platform != "win32":
    import fcntl

_LONGEST_SLUG = 40
_LONGEST_SLUG_BYTES = 120


@frozen
class BatchFolder:
    """Where videos, posters, manifest, page and ledger lie."""

    path: Path = field(converter=Path)

    @property
    def ledger(self) -> Path:
        """Return the file that knows what was paid for."""
        return self.path / "jobs.db"

    @property
    def manifest(self) -> Path:
        """Return the file that knows what became of each row."""
        return self.path / MANIFEST

    @property
    def page(self) -> Path:
        """Return the gallery."""
        return self.path / PAGE

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and keep other batches out of it; raises `ConfigError`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / ".batch.lock").open("w")
        except OSError as error:
            raise ConfigError(
                f"Nothing can be written to {self.path} ({error.strerror}); choose another folder."
            ) from None
        with file:
            if sys.platform != "win32":
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise ConfigError(
                        f"Another batch is at work in {self.path}; wait for it, or choose another folder."
                    ) from None
            yield

    def is_whole(self, entry: Entry) -> bool:
        """Return whether the video of *entry* is here, byte for byte as it was fetched. Reads the file."""
        if entry.state is not RowState.DONE or entry.file is None or entry.sha256 is None:
            return False
        path = self.path / entry.file
        try:
            if path.stat().st_size != entry.size:
                return False
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
        except OSError:
            return False

    def has(self, name: str | None) -> bool:
        """Return whether a file of that name is here."""
        return name is not None and (self.path / name).is_file()

    def replace_manifest(self, entries: Iterable[Entry]) -> None:
        """Make *entries* the whole manifest; readers see the old one or the new one."""
        part = self.path / f"{MANIFEST}.part"
        part.unlink(missing_ok=True)
        with Manifest(part) as fresh:
            for entry in entries:
                fresh.append(entry)
        part.replace(self.manifest)


class Names:
    """Gives each row a name of its own, and never one that something in *folder* has already."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._digits = max(3, len(str(rows)))
        # Case is no difference on some file systems.
        self._taken = {path.stem.casefold() for path in folder.iterdir()} if folder.is_dir() else set()

    def name(self, number: int, prompt: str) -> str:
        """Return the name of a row's files, without a suffix."""
        wanted = f"{number:0{self._digits}}-{slug(prompt)}"
        name, count = wanted, 1
        while name.casefold() in self._taken:
            count += 1
            name = f"{wanted}-{count}"
        self._taken.add(name.casefold())
        return name


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
    return made or (words[0][: _LONGEST_SLUG // 2] if words else "video")
