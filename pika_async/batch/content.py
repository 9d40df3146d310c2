"""What a row of a list sets, as it is written, or why it cannot be read or bought. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from attrs import frozen


class WrongRowError(Exception):
    """Why a row cannot be bought; there may be several reasons."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = reasons


@frozen
class Cells:
    """A row of a CSV: each cell that is not blank, by its column; *heading* is the line of the names."""

    by_name: Mapping[str, str]
    heading: int


Content: TypeAlias = Cells | Mapping[str, object] | WrongRowError
"""What a row sets, as text or as JSON, or why it cannot be read at all."""
