"""A list of prompts as a table: CSV as Excel and others write it, by row. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pika_async.batch.content import Cells, Content, WrongRowError
from pika_async.batch.describe import shortened

_DELIMITERS: Final = (",", ";", "\t")
_LONGEST_CELL: Final = 2**31 - 1
_HEADING: Final = "the first line must name each column once, `prompt` among them."


def rows_of(text: str) -> Iterator[tuple[int, Content]]:
    """Return each row that is not blank, with the number of its first line."""
    first, _, rest = text.partition("\n")
    skipped, delimiter = 0, None
    if said := re.fullmatch(r'"?sep=(.)"?\s*', first):
        # Excel's own line.
        text, skipped, delimiter = rest, 1, said[1]
    names: list[str] | None = None
    heading = skipped + 1
    for line, cells in _parsed(text, delimiter or _delimiter(text)):
        if isinstance(cells, WrongRowError):
            yield line + skipped, cells
        elif names is None and not any(cell.strip() for cell in cells):
            continue
        elif names is None:
            names, heading = [_column(cell) for cell in cells], line + skipped
            given = [name for name in names if name]
            if "prompt" not in given or len(set(given)) < len(given):
                yield line + skipped, WrongRowError(_HEADING)
                return
        elif any(cell.strip() for cell in cells):
            yield line + skipped, _row(names, cells, heading)


def _column(name: str) -> str:
    """Return the field that a column is for.

    >>> _column("Prompt"), _column(" Negative prompt")
    ('prompt', 'negative_prompt')
    """
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def _delimiter(text: str) -> str:
    """Return what separates the columns: Excel writes semicolons in half of the world."""
    for delimiter in _DELIMITERS:
        rows = (cells for _, cells in _parsed(text, delimiter) if isinstance(cells, list))
        heading = next((cells for cells in rows if any(cell.strip() for cell in cells)), [])
        if len(heading) > 1 and "prompt" in map(_column, heading):
            return delimiter
    return _DELIMITERS[0]


def _parsed(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | WrongRowError]]:
    lines = (f"{line}\n" for line in _lines(text))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    ended = 0
    while True:
        try:
            cells = _next(reader)
        except csv.Error as error:
            yield ended + 1, WrongRowError(_not_csv(str(error), reader.line_num - ended))
            return
        if cells is None:
            return
        yield ended + 1, cells
        ended = reader.line_num


def _lines(text: str) -> Iterator[str]:
    """Split at line feeds, without a copy of the whole list."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _next(reader: Iterable[list[str]]) -> list[str] | None:
    # The limit, 128 kB as shipped, belongs to the whole process: it is lifted for one row only.
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        return next(iter(reader), None)
    finally:
        csv.field_size_limit(limit)


def _not_csv(said: str, lines: int) -> str:
    if "unquoted" in said:
        return "a carriage return stands outside quotes; end each line in the same way."
    if "end of data" in said:
        return f"a quote opens here and is not closed in the {lines} lines to the end; close it or double it."
    return f"this is not CSV ({said})."


def _row(names: Sequence[str], cells: Sequence[str], heading: int) -> Content:
    if len(cells) > len(names):
        return WrongRowError(
            f"there are {len(cells)} cells for {len(names)} columns; quote cells with commas."
        )
    given = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()}
    if "" in given:
        return WrongRowError(f"the cell {shortened(given[''])!r} stands in a column without a name.")
    return Cells(given, heading)
