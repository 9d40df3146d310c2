"""What a script tells: a table of contestants, and the figures with their goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from attrs import field, frozen

Cell: TypeAlias = float | int | str | None


@frozen(kw_only=True)
class Figure:
    """One claimed figure. *goal* is the most it may be, or the least with *at_least*; None for no goal."""

    name: str
    value: float | None
    goal: float | None = None
    unit: str = ""
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Say whether the goal is met."""
        if self.goal is None or self.value is None:
            return "" if self.value is not None else "not measured"
        return "met" if (self.value >= self.goal if self.at_least else self.value <= self.goal) else "UNMET"


@frozen(kw_only=True)
class Report:
    """What one script found; *quick* says that the work was smaller than the claim's."""

    name: str
    claim: str
    quick: bool
    rows: Sequence[Mapping[str, Cell]] = ()
    figures: Sequence[Figure] = ()
    remarks: Sequence[str] = field(factory=tuple)

    def text(self) -> str:
        """Lay it out for people."""
        form = " (quick form: less work than the goals are set for)" if self.quick else ""
        figures = [
            {
                "figure": figure.name,
                "value": f"{_shown(figure.value)} {figure.unit}".strip(),
                "goal": "" if figure.goal is None else f"{'>=' if figure.at_least else '<='} {figure.goal:g}",
                "": figure.verdict,
            }
            for figure in self.figures
        ]
        parts = [f"{self.name}: {self.claim}{form}", _table(self.rows), _table(figures)]
        return "\n\n".join(part for part in [*parts, "\n".join(self.remarks)] if part) + "\n"


def _table(rows: Sequence[Mapping[str, Cell]]) -> str:
    if not rows:
        return ""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [columns, *([_shown(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = [
        "  "
        + "  ".join(_set(cell, width, i) for i, (cell, width) in enumerate(zip(line, widths, strict=True)))
        for line in cells
    ]
    return "\n".join(
        line.rstrip() for line in [lines[0], "  " + "  ".join("-" * w for w in widths), *lines[1:]]
    )


def _set(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def _shown(value: Cell) -> str:
    match value:
        case None:
            return "-"
        case str():
            return value
        case int():
            return f"{value:,}"
        case _:
            return (
                f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
            )
