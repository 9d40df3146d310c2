"""What is said when a batch has ended or was cut short: what is missing, and how to go on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import asdict

from pika_async.cli._batch_folder import BatchFolder
from pika_async.cli._batch_plan import BatchRow, Plan
from pika_async.cli._batch_run import missing
from pika_async.gallery import RowState

_SHOWN: Final = 10


def as_json(plan: Plan, folder: BatchFolder, again: Sequence[str]) -> str:
    """Return the whole result as one JSON object."""
    left = missing(plan.rows, folder.path)
    return json.dumps(
        {
            "folder": str(folder.path),
            "gallery": str(folder.page),
            "manifest": str(folder.manifest),
            "ledger": str(folder.ledger),
            "total": len(plan.rows),
            "done": len(plan.rows) - len(left),
            "failed": sum(row.entry.state is RowState.FAILED for row in plan.rows),
            "continue": shlex.join(again) if left else None,
            "rows": [_described(row) for row in plan.rows],
        }
    )


def _described(row: BatchRow) -> dict[str, Any]:
    entry = asdict(row.entry)
    return {"number": entry.pop("number"), "line": row.listed.line, **entry}


def summed_up(plan: Plan, folder: BatchFolder, again: Sequence[str]) -> Iterator[str]:
    """Return how many rows are files, why others are not, and what a person can do about it."""
    left = missing(plan.rows, folder.path)
    done = len(plan.rows) - len(left)
    yield f"{done} of {len(plan.rows)} videos are in {folder.path}"
    failed = [row for row in left if row.entry.state is RowState.FAILED]
    for row in failed[:_SHOWN]:
        why = row.entry.error.message if row.entry.error else "no reason was given"
        yield f"  row {row.entry.number} (line {row.listed.line}): {why}"
        yield from _to_resolve(row, folder.ledger)
    if len(failed) > _SHOWN:
        yield f"  and {len(failed) - _SHOWN} more; {folder.page} shows all"
    waiting = [row for row in left if row.entry.state is not RowState.FAILED]
    reasons = dict.fromkeys(row.entry.error.message for row in waiting if row.entry.error)
    yield from (f"  {len(waiting)} rows wait: {reason}" for reason in reasons)
    yield from to_go_on(again, retry=bool(failed)) if left else ()
    if plan.astray:
        yield (
            f"{plan.astray} jobs under way are of rows that the list has no more; to see them:\n"
            f"  {shlex.join(['pika-async', 'jobs', '--ledger', str(folder.ledger)])}"
        )


def to_go_on(again: Sequence[str], *, retry: bool = False) -> Iterator[str]:
    """Return how the batch is continued."""
    yield "To go on; nothing is bought twice:"
    yield f"  {shlex.join(again)}"
    if "-" in again:
        yield "  with the same list on stdin."
    if retry:
        yield "Rows that failed for good are ordered anew only with --retry-failed."


def _to_resolve(row: BatchRow, ledger: Path) -> Iterator[str]:
    if row.entry.error is not None and row.entry.error.name == "JobUnresolved" and row.job_id:
        words = ["pika-async", "resolve", "--ledger", str(ledger), row.job_id]
        yield f"    {shlex.join(words)}"
