"""What a batch tells: an event for each change of a row's state, and how all rows stand. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from pika_async._crossing import Value
from pika_async.batch.entry import Entry, RowState
from pika_async.errors import PikaError


@frozen(kw_only=True)
class RowEvent(Value):
    """A row has come to another state, or waits: `row.error` says why. *line* is its line in the list.

    *row* is what the manifest says now. A row is done once, when its video is saved. Its poster comes after
    that, without an event: `Batch.report` has it at the end. *error* is set in the event with which a row
    fails, and only there.
    """

    row: Entry
    line: int
    error: PikaError | None = None


@frozen(kw_only=True)
class Report(Value):
    """The states of the rows of a batch; *lines* are those of the list.

    *astray* counts jobs under way, ordered for *folder*, whose rows are no longer in the list.
    """

    folder: Path
    rows: Sequence[Entry]
    lines: Sequence[int]
    astray: int = 0

    @property
    def total(self) -> int:
        """The number of rows."""
        return len(self.rows)

    @property
    def missing(self) -> Sequence[Entry]:
        """The rows that are not a file on disk, nor kept in a store. Looks at the disk."""
        return [row for row in self.rows if not self._is_there(row)]

    @property
    def done(self) -> int:
        """The number of rows that are a file on disk, or kept in a store."""
        return self.total - len(self.missing)

    @property
    def failed(self) -> int:
        """The number of rows that failed in this run, or earlier for good."""
        return sum(row.state is RowState.FAILED for row in self.rows)

    @property
    def may_go_on(self) -> bool:
        """Whether the same batch again can bring more videos without a new order on your word."""
        return any(not _failed_for_good(row) for row in self.missing)

    def line(self, row: Entry) -> int:
        """Return the line of the list on which *row*, one of `rows`, begins."""
        return self.lines[row.number - 1]

    def _is_there(self, row: Entry) -> bool:
        if row.state is not RowState.DONE or row.file is None:
            return False
        return row.address is not None or (self.folder / row.file).is_file()


def _failed_for_good(row: Entry) -> bool:
    return row.state is RowState.FAILED and row.error is not None and row.error.for_good
