"""SQL with its values, and how many rows go into one statement. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from pika_async._ledger.postgres.rows import Row


@frozen
class Statement:
    """SQL with the values of `$1`, `$2` and so on."""

    sql: bytes
    values: tuple[Any, ...]


def rows_of(columns: Mapping[str, str]) -> str:
    """Return what reads the rows of `$1`, which come as one JSON text: it is made and read fastest."""
    return (
        f"json_to_recordset($1::json) AS n ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"
    )


def of_rows(sql: bytes, columns: Mapping[str, str], rows: Sequence[Row]) -> Statement:
    """Make a statement with *rows* as one JSON text, which its *sql* reads as `rows_of` says."""
    return Statement(sql, (json.dumps([dict(zip(columns, row, strict=True)) for row in rows]),))


def of_columns(sql: bytes, rows: Sequence[Row]) -> Statement:
    """Make a statement with one array for each column, where a value may be bytes."""
    return Statement(sql, tuple(map(list, zip(*rows, strict=True))))
