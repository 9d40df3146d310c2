"""What a person sees of a batch: two live lines on a terminal, a line for each row anywhere else."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pika_async import PikaError
from pika_async.cli._batch_plan import BatchRow
from pika_async.cli._batch_progress import Progress
from pika_async.cli._batch_run import Watcher
from pika_async.cli._words import printable, say, seconds
from pika_async.gallery import Entry, RowState

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

_STYLES = {
    RowState.QUEUED: "dim",
    RowState.RENDERING: "cyan",
    RowState.DOWNLOADING: "blue",
    RowState.DONE: "green",
    RowState.FAILED: "red",
}


@contextmanager
def watching(rows: Sequence[BatchRow], progress: Progress) -> Iterator[Watcher]:
    """Show on stderr what becomes of *rows*; log lines and live lines would tear each other."""
    for row in rows:
        progress.start(row.entry.number, row.entry.state)
    if not sys.stderr.isatty() or logging.getLogger("pika_async").isEnabledFor(logging.INFO):
        yield PlainRows(progress)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    lines = LiveLines(progress, console)
    with Live(lines, console=console, refresh_per_second=5, redirect_stdout=False, transient=True):
        yield lines


def _failure(row: BatchRow, error: PikaError) -> str:
    return f"row {row.entry.number} (line {row.listed.line}): {error.message}"


class PlainRows:
    """A line for each row that has come to its end."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._told: set[int] = set()

    def see(self, entry: Entry, /) -> None:
        self._progress.see(entry.number, entry.state, time.monotonic())
        if entry.state is RowState.DONE and entry.number not in self._told:
            self._told.add(entry.number)
            done = self._progress.counts[RowState.DONE]
            say(f"{done} of {self._progress.total} done: {entry.file}{_took(entry)}")

    def fail(self, row: BatchRow, error: PikaError, /) -> None:
        say(f"failed: {_failure(row, error)}")

    def note(self, line: str, /) -> None:
        say(line)


def _took(entry: Entry) -> str:
    timings = entry.timings
    if timings.submitted_at is None or timings.finished_at is None:
        return ""
    return f" ({entry.provider}, {seconds(timings.finished_at - timings.submitted_at)})"


class LiveLines:
    """A bar with rate and time left, and below it the rows by state; never wider than the terminal."""

    def __init__(
        self, progress: Progress, console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._progress = progress
        self._console = console
        self._clock = clock

    def see(self, entry: Entry, /) -> None:
        self._progress.see(entry.number, entry.state, self._clock())

    def fail(self, row: BatchRow, error: PikaError, /) -> None:
        self.note(f"failed: {_failure(row, error)}")

    def note(self, line: str, /) -> None:
        self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        now, counts, total = self._clock(), self._progress.counts, self._progress.total
        ended = counts[RowState.DONE] + counts[RowState.FAILED]
        bar = Table.grid(padding=(0, 1))
        bar.add_column()
        bar.add_column(no_wrap=True, overflow="ellipsis")
        bar.add_row(
            ProgressBar(total=max(total, 1), completed=ended, width=max(options.max_width // 3, 1)),
            " · ".join([f"{ended}/{total}", *self._pace(now)]),
        )
        yield bar
        yield self._states()

    def _pace(self, now: float) -> Iterator[str]:
        rate, left = self._progress.per_minute(now), self._progress.left(now)
        if rate is not None:
            yield f"{rate:.1f}/min" if rate < 100 else f"{rate:.0f}/min"
        if left is not None:
            yield f"about {seconds(max(left, 1.0))} left"

    def _states(self) -> Text:
        from rich.text import Text

        counts = self._progress.counts
        line = Text(no_wrap=True, overflow="ellipsis")
        for number, state in enumerate(RowState):
            line.append(" · " if number else "")
            line.append(f"{state} {counts[state]}", style=_STYLES[state] if counts[state] else "dim")
        return line
