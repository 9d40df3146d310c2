"""What a person sees while waiting: a live line on a terminal, plain lines anywhere else."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from pika_async import State
from pika_async.cli._words import say, seconds

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


class Display(Protocol):
    """What is told while an order is carried out; each may be told many times."""

    def sending(self) -> None: ...
    def rendering(
        self, provider: str, state: State, progress: float | None, usual: float | None, /
    ) -> None: ...
    def downloading(self, name: str, done: int, total: int | None, /) -> None: ...
    def note(self, line: str, /) -> None: ...


@contextmanager
def display() -> Iterator[Display]:
    """Show on stderr what goes on; log lines and a live line would tear each other."""
    if not sys.stderr.isatty() or logging.getLogger("pika_async").isEnabledFor(logging.INFO):
        yield PlainLines()
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(*LiveLine.columns(), console=console, transient=True, redirect_stdout=False) as progress:
        yield LiveLine(progress)


def _doing(provider: str, state: State, usual: float | None) -> str:
    doing = f"{provider} is rendering" if state is State.RUNNING else f"{state} at {provider}"
    return f"{doing} (usually about {seconds(usual)})" if usual is not None else doing


class PlainLines:
    """One line for each thing that is new; progress in steps of a quarter."""

    def __init__(self) -> None:
        self._last = ""

    def _tell(self, line: str) -> None:
        if line != self._last:
            self._last = line
            say(line)

    def sending(self) -> None:
        self._tell("sending the request")

    def rendering(self, provider: str, state: State, progress: float | None, usual: float | None, /) -> None:
        done = "" if progress is None else f", {int(progress * 4) * 25} %"
        self._tell(f"{_doing(provider, state, usual)}{done}")

    def downloading(self, name: str, _done: int, _total: int | None, /) -> None:
        self._tell(f"downloading {name}")

    def note(self, line: str, /) -> None:
        say(line)


class LiveLine:
    """A spinner, what is being done, a bar and the time that went by, in one line."""

    @staticmethod
    def columns() -> Sequence[ProgressColumn]:
        """Return what stands in the line."""
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        doing = Column(no_wrap=True, overflow="ellipsis")
        return (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=doing),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
        )

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=None)

    def sending(self) -> None:
        self._progress.update(self._task, description="sending the request", total=None)

    def rendering(self, provider: str, state: State, progress: float | None, usual: float | None, /) -> None:
        self._show(_doing(provider, state, usual), progress or 0, None if progress is None else 1)

    def downloading(self, name: str, done: int, total: int | None, /) -> None:
        self._show(f"downloading {name}", done, total)

    def _show(self, doing: str, done: float, total: float | None) -> None:
        self._progress.update(self._task, description=doing, completed=done)
        # An update leaves alone what is None, and only a task without a total pulses.
        self._progress.tasks[0].total = total

    def note(self, line: str, /) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
