"""What a batch says at its end: which rows are files, why others are not, and what continues it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from pika_async.batch import Report

_SHOWN: Final = 10


@frozen(kw_only=True)
class BatchReport:
    """How one command tells its outcome; *again* are the words that continue it.

    *place* is where the videos are. With *stdin*, the command needs its list once more.
    """

    folder: Path
    place: str
    page: Path
    ledger: Path
    again: Sequence[str]
    stdin: bool

    def to_go_on(self, how: str = "To go on; nothing is bought twice:", *more: str) -> list[str]:
        """Return the command that continues, after *how* and with *more* words."""
        stdin = ["  with the same list on stdin."] if self.stdin else []
        return [how, f"  {shlex.join([*self.again, *more])}", *stdin]

    def lines(self, report: Report) -> Iterator[str]:
        """Return how many rows are files, why others are not, and what a person can do about it."""
        yield f"{report.done} of {report.total} videos are in {self.place}"
        failed = [row for row in report.missing if row.state == "failed"]
        for row in failed[:_SHOWN]:
            why = row.error.message if row.error else "no reason was given"
            yield f"  row {row.number} (line {report.line(row)}): {why}"
            if row.error is not None and row.error.name == "JobUnresolved" and row.job_id:
                yield f"    {shlex.join(['pika-async', 'resolve', '--ledger', str(self.ledger), row.job_id])}"
        if len(failed) > _SHOWN:
            yield f"  and {len(failed) - _SHOWN} more; {self.page} shows all"
        waiting = [row for row in report.missing if row.state != "failed"]
        reasons = dict.fromkeys(row.error.message for row in waiting if row.error)
        yield from (f"  {len(waiting)} rows wait: {reason}" for reason in reasons)
        if report.may_go_on:
            yield from self.to_go_on()
        if any(row.error and row.error.for_good for row in failed):
            anew = "Rows that failed for good are ordered anew only with --retry-failed; that may cost again:"
            yield from self.to_go_on(anew, "--retry-failed")
        if report.astray:
            yield f"{report.astray} jobs under way are of rows that the list has no more; to see them:"
            yield f"  {shlex.join(['pika-async', 'jobs', '--ledger', str(self.ledger)])}"

    def as_json(self, report: Report) -> str:
        """Return the whole result as one JSON object."""
        return json.dumps(
            {
                "folder": str(self.folder),
                "gallery": str(self.page),
                "manifest": str(self.folder / "manifest.jsonl"),
                "ledger": str(self.ledger),
                "total": report.total,
                "done": report.done,
                "failed": report.failed,
                "continue": shlex.join(self.again) if report.may_go_on else None,
                "rows": [{"line": report.line(row), **json.loads(row.line())} for row in report.rows],
            }
        )
