"""What a person sees of a batch: two live lines on a terminal, a line for each row anywhere else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pika_async.batch import Batch, Entry, Progress, RowEvent, RowState
from pika_async.cli._terminal import may_be_live, printable, say, seconds, shown

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
_LONGEST = 10.0 * 365 * 86400


async def follow(batch: Batch, usual: float) -> None:
    """Show on stderr what happens to *batch*, until its end; *usual* is the seconds a render takes."""
    progress = Progress(width=batch.width, usual=usual)
    for row in batch.report.rows:
        progress.start(row.number, row.state)
    with _watching(progress) as watcher:
        for note in batch.notes:
            watcher.note(note)
        try:
            async for event in batch:
                watcher.see(event)
        except asyncio.CancelledError:
            if waiting := batch.unanswered:
                watcher.note(f"Interrupted; waiting for {waiting} answers. Interrupt again to give them up.")
            raise


@contextmanager
def _watching(progress: Progress) -> Iterator[PlainRows | LiveLines]:
    if not may_be_live():
        yield PlainRows(progress)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    lines = LiveLines(progress, console)
    with shown(Live(lines, console=console, refresh_per_second=5, redirect_stdout=False, transient=True)):
        yield lines


def _failure(event: RowEvent) -> str | None:
    if event.error is None:
        return None
    return f"failed: row {event.row.number} (line {event.line}): {event.error.message}"


class PlainRows:
    """A line for each row that has come to its end."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def see(self, event: RowEvent, /) -> None:
        row, before = event.row, self._progress.counts[RowState.DONE]
        self._progress.see(row.number, row.state, time.monotonic())
        done = self._progress.counts[RowState.DONE]
        if done > before:
            say(f"{done} of {self._progress.total} done: {row.file}{_took(row)}")
        if failure := _failure(event):
            say(failure)

    def note(self, line: str, /) -> None:
        say(line)


def _took(row: Entry) -> str:
    timings = row.timings
    if timings.submitted_at is None or timings.finished_at is None:
        return ""
    passed = min(max(timings.finished_at - timings.submitted_at, 0.0), _LONGEST)
    return f" ({row.provider}, {seconds(passed)})"


class LiveLines:
    """A bar with rate and time left, and below it the rows by state; never wider than the terminal."""

    def __init__(
        self, progress: Progress, console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._progress = progress
        self._console = console
        self._clock = clock

    def see(self, event: RowEvent, /) -> None:
        self._progress.see(event.row.number, event.row.state, self._clock())
        if failure := _failure(event):
            self.note(failure)

    def note(self, line: str, /) -> None:
        with suppress(OSError, ValueError):
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
