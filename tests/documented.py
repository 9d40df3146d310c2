"""The tables of docs/providers.md, as a test compares them with what it tries."""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs" / "providers.md"


def tables(heading: str) -> list[list[dict[str, str]]]:
    """Read the tables of a section of the documentation, as rows by column."""
    level = heading.split(maxsplit=1)[0]
    section = DOCS.read_text("utf-8").split(f"\n{heading}\n")[1]
    section = re.split(rf"\n#{{1,{len(level)}}} ", section)[0]
    found = []
    for block in re.findall(r"(?:^\|.*\|\n)+", section, re.MULTILINE):
        head, _, *rows = (
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()
        )
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


def spans(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def alternatives(cell: str) -> list[str]:
    """Return the code spans or the numbers that a cell lists, or else its text."""
    return spans(cell) or (cell.split(", ") if cell[0].isdigit() else [cell])


def named(row: str) -> set[str]:
    """Return the fields of ours that a row of the documentation is about."""
    listed = set(re.findall(r"(\w+)=", row))
    return listed if "=" in row or "(" in row else {row.split(maxsplit=1)[0]}


@cache
def documented_errors(provider: str) -> dict[tuple[str, ...], dict[str, str]]:
    """Return the row of each answer; a row may list several codes, words and statuses."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for row in tables(f"### {provider}")[1]:
        for key in product(
            *(alternatives(row[name]) for name in ("code", "words", "body", "HTTP") if name in row)
        ):
            assert key not in found, f"{key} is documented twice"
            found[key] = row
    return found
