"""The list of prompts as it is written: text, CSV or JSON lines, as fields by row."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import click
from attrs import field, frozen

from pika_async import ConfigError
from pika_async.cli._fields import OPTIONS

Format: TypeAlias = Literal["txt", "csv", "jsonl"]

_FORMATS: Final[Mapping[str, Format]] = {
    ".txt": "txt",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
MEDIA: Final = ("image", "video")


class WrongRowError(Exception):
    """Why a row cannot be bought; there may be several reasons."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = reasons


Content: TypeAlias = Mapping[str, object] | WrongRowError
"""The fields that a row sets, or why it cannot be read at all."""


@frozen
class Source:
    """A list of prompts: its *name* for people, its text, and the *folder* its files are named from."""

    name: str
    text: bytes = field(repr=False)
    folder: Path

    @classmethod
    def read(cls, path: str) -> Source:
        """Read the file *path*, or stdin for `-`; raises `ConfigError`."""
        if path == "-":
            return cls("stdin", sys.stdin.buffer.read(), Path())
        try:
            return cls(Path(path).name, Path(path).read_bytes(), Path(path).parent)
        except OSError as error:
            raise ConfigError(f"The list {path!r} cannot be read ({error.strerror}).") from None

    @property
    def format(self) -> Format:
        """Return how the list is written: by its name, or else by its first letter."""
        suffix = Path(self.name).suffix.lower()
        if suffix in _FORMATS:
            return _FORMATS[suffix]
        if suffix:
            # Read as text, a list of another kind would be bought line by line.
            raise ConfigError(
                f"{self.name} is no list of prompts; name it .txt, .csv or .jsonl, as what it holds."
            )
        return "jsonl" if self.text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "txt"


def lines_of(source: Source) -> Iterator[tuple[int, Content]]:
    """Return each row that is not blank, with the number of its first line; raises `ConfigError`."""
    text = _decoded(source)
    # Only this ends a line: a prompt may hold the other characters at which Unicode breaks lines.
    match source.format:
        case "txt":
            for line, prompt in enumerate(text.split("\n"), 1):
                if prompt.strip() and not prompt.lstrip().startswith("#"):
                    yield line, {"prompt": prompt.strip()}
        case "csv":
            yield from _csv_rows(text)
        case "jsonl":
            for line, row in enumerate(text.split("\n"), 1):
                if row.strip():
                    yield line, _json_row(row)


def _decoded(source: Source) -> str:
    try:
        return source.text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source.text.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{source.name} line {line}: this is not UTF-8; save the list as UTF-8 and run again."
        ) from None


def _json_row(row: str) -> Content:
    try:
        found = json.loads(row)
    except (ValueError, RecursionError) as error:
        return WrongRowError(f"this is not JSON ({error}).")
    if not isinstance(found, dict):
        return WrongRowError('this is no JSON object such as {"prompt": "A cat"}.')
    return {name: value for name, value in found.items() if value is not None}


def _csv_rows(text: str) -> Iterator[tuple[int, Content]]:
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    names: list[str] | None = None
    ended = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, WrongRowError(f"this is not CSV ({error}).")
            return
        line, ended = ended + 1, reader.line_num
        if names is None:
            names = [cell.strip() for cell in cells]
            if "prompt" not in names or len(set(names)) < len(names):
                yield (
                    line,
                    WrongRowError("the first line must name each column once, `prompt` among them."),
                )
                return
        elif any(cell.strip() for cell in cells):
            yield line, _csv_row(names, cells)


def _csv_row(names: Sequence[str], cells: Sequence[str]) -> Content:
    if len(cells) > len(names):
        return WrongRowError(
            f"there are {len(cells)} cells for {len(names)} columns; quote cells with commas."
        )
    given = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()}
    values: dict[str, object] = {}
    reasons: list[str] = []
    for name, cell in given.items():
        try:
            values[name] = _cell(name, cell)
        except click.BadParameter as error:
            reasons.append(f"{name}: {error.message}")
    return WrongRowError(*reasons) if reasons else values


def _cell(name: str, cell: str) -> object:
    """Read a cell as the option of the same name would be read; media are looked for later."""
    if name == "images":
        return [image.strip() for image in cell.split(";") if image.strip()]
    if name in MEDIA or name not in _TYPES:
        return cell
    try:
        return _TYPES[name].convert(cell, None, None)
    except click.BadParameter:
        if isinstance(_TYPES[name], click.types.BoolParamType):
            raise click.BadParameter(f"{cell!r} is neither yes nor no.") from None
        raise


def _option_types() -> Mapping[str, click.ParamType[Any]]:
    def options() -> None: ...

    for option in OPTIONS.values():
        option(options)
    parameters: list[click.Parameter] = getattr(options, "__click_params__", [])
    return {parameter.name: parameter.type for parameter in parameters if parameter.name}


_TYPES: Final = _option_types()
