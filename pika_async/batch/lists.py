"""A list of prompts as it is written: text, CSV or JSON lines, by row. Only `Source.read` does I/O."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from pika_async._crossing import Value
from pika_async.batch.content import Content, WrongRowError
from pika_async.batch.tables import rows_of
from pika_async.errors import ConfigError

Format: TypeAlias = Literal["txt", "csv", "jsonl"]

_FORMATS: Final[Mapping[str, Format]] = {
    ".txt": "txt",
    ".tsv": "csv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_PLAIN: Final = bytes([*b"\t\r\n", *range(0x20, 0x7F)])
_MOST_PLAIN: Final = 0.85


@frozen
class Source(Value):
    """A list of prompts: its *name* for people, its bytes, and the *folder* its files are named from."""

    name: str
    content: bytes = field(repr=False)
    folder: Path

    @classmethod
    def read(cls, path: str) -> Source:
        """Read the file *path*, or stdin for `-`; raises `ConfigError`."""
        if path == "-":
            return cls("stdin", sys.stdin.buffer.read(), Path())
        try:
            return cls(Path(path).name, Path(path).read_bytes(), Path(path).parent)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"The list {path!r} cannot be read ({reason}).") from None

    def format(self, text: str) -> Format:
        """Return how the list is written: by its name, or else by its first letter."""
        suffix = Path(self.name).suffix.lower()
        if suffix in _FORMATS:
            return _FORMATS[suffix]
        if suffix:
            # Read as text, a list of another kind would be bought line by line.
            raise ConfigError(
                f"{self.name} is no list of prompts; name it .txt, .csv or .jsonl, as what it holds."
            )
        return "jsonl" if text.lstrip().startswith("{") else "txt"

    def text(self) -> str:
        """Return the list as text, whose lines end in line feeds; raises `ConfigError` with the line."""
        text = _decoded(self).lstrip("\ufeff")
        if (nul := text.find("\0")) >= 0:
            raise _unreadable(self, text.count("\n", 0, nul) + 1, "holds a NUL character")
        # Lists from old Macs, and from some editors, end their lines in a carriage return only.
        return text if "\n" in text else text.replace("\r", "\n")


def lines_of(source: Source) -> Iterator[tuple[int, Content]]:
    """Return each row that is not blank, with the number of its first line; raises `ConfigError`."""
    text = source.text()
    # Only this ends a line: a prompt may hold the other characters at which Unicode breaks lines.
    match source.format(text):
        case "txt":
            for line, prompt in enumerate(text.split("\n"), 1):
                if prompt.strip() and not prompt.lstrip().startswith("#"):
                    yield line, _text_row(prompt.strip())
        case "csv":
            yield from rows_of(text)
        case "jsonl":
            for line, row in enumerate(text.split("\n"), 1):
                if row.strip():
                    yield line, _json_row(row)


def _decoded(source: Source) -> str:
    content = source.content
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return content.decode("utf-16")
        return _wide(content) or content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(source, content.count(b"\n", 0, error.start) + 1, "is not UTF-8") from None


def _unreadable(source: Source, line: int, why: str) -> ConfigError:
    return ConfigError(f"{source.name} line {line}: this {why}; save the list as UTF-8 and run again.")


def _wide(content: bytes) -> str | None:
    """Read *content* as UTF-16 without a byte order mark, if that makes sense in one of the two orders."""
    if b"\0" not in content or len(content.translate(None, _PLAIN)) < (1 - _MOST_PLAIN) * len(content):
        # Line ends alone hold a NUL in UTF-16. A damaged file in plain text is not to become other letters.
        return None
    found = []
    for codec in ("utf-16-le", "utf-16-be"):
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        kinds = {unicodedata.category(char) for char in set(text) - set("\t\r\n")}
        if not kinds & {"Cc", "Cn", "Co", "Cs"}:
            found.append((sum(char < "\x80" for char in text), text))
    # The wrong order makes rare characters of a plain letter, space or line end.
    return max(found)[1] if found and max(found)[0] else None


def _text_row(prompt: str) -> Content:
    if "\r" in prompt:
        return WrongRowError("a carriage return stands inside the line; end each line in the same way.")
    return {"prompt": prompt}


def _json_row(row: str) -> Content:
    try:
        found = json.loads(row)
    except (ValueError, RecursionError) as error:
        return WrongRowError(f"this is not JSON ({error}).")
    if not isinstance(found, dict):
        return WrongRowError('this is no JSON object such as {"prompt": "A cat"}.')
    return {name: value for name, value in found.items() if value is not None}
