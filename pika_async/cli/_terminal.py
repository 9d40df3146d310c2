"""The terminal: what is printed, the line that shows a wait, and the signals that end a command."""

from __future__ import annotations

import asyncio
import io
import logging
import signal
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import click

from pika_async import State

if TYPE_CHECKING:
    from rich.live import Live
    from rich.progress import Progress, ProgressColumn

T = TypeVar("T")

_ENDING: Final = [s for s in signal.Signals if s.name in {"SIGINT", "SIGTERM", "SIGHUP"}]


def make_streams_safe() -> None:
    """Have characters that the terminal's encoding lacks written as escapes: printing must not fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    r"""Take out what could steer a terminal; providers' words are not ours.

    >>> printable("no\x1b[2J\ncredit")
    'no [2J credit'
    """
    return "".join(char if char.isprintable() else " " for char in text)


def clipped(text: str, length: int = 120) -> str:
    """Cut *text* that others wrote, for a message that quotes it.

    >>> clipped("data:image/png;base64,AAAA" * 1000, 22)
    'data:image/png;base64,... (26000 characters)'
    """
    return text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)"


def say(*lines: str) -> None:
    """Print *lines* to stderr as they are, however long: a token must survive being copied.

    A stderr that is gone, as after the terminal was closed, ends nothing.
    """
    for line in lines:
        with suppress(OSError, ValueError):
            click.echo(printable(line), err=True)


def hand_over(result: str) -> None:
    """Print a result that may be paid for to stdout, or to stderr where stdout does not take it."""
    if sys.stdout is None:
        return say(result)
    try:
        click.echo(result)
    except OSError as error:
        say(f"stdout cannot be written to ({error.strerror}); the result is:", result)
        raise


def seconds(count: float) -> str:
    """Say a time as a person would.

    >>> seconds(0.04), seconds(2.34), seconds(90), seconds(1800)
    ('0.04 s', '2.3 s', '90 s', '30 min')
    """
    if count >= 120:
        return f"{count / 60:.0f} min"
    return f"{count:.0f} s" if count >= 10 else f"{count:.2g} s"


def age(passed: float) -> str:
    """Say how long ago something was, in five characters at most.

    >>> age(3.2), age(300), age(7200), age(864_000), age(-5)
    ('3 s', '5 m', '2 h', '10 d', '0 s')
    """
    for unit, length in (("y", 31_557_600), ("d", 86400), ("h", 3600), ("m", 60)):
        if passed >= 2 * length:
            return f"{passed / length:.0f} {unit}"
    return f"{max(passed, 0):.0f} s"


def size(count: int) -> str:
    """Say a number of bytes as a person would.

    >>> size(999), size(4312), size(25_600_000)
    ('999 B', '4.3 kB', '25.6 MB')
    """
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


class Interrupted(KeyboardInterrupt):
    """A signal ended the command: Ctrl-C, SIGTERM, or a terminal that was closed."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* in a loop of its own; raises `Interrupted` once a signal has cut it short.

    The first signal cancels *main*, which may still bring things to an end. One more Ctrl-C cancels
    everything; other signals often come twice from one cause, so their repeats change nothing.
    """
    received: list[int] = []

    async def interruptible() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def interrupt(number: int) -> None:
            # Raised here, between two steps, it strikes no task in the middle of something.
            again = bool(received)
            received.append(number)
            if task is None or (again and number == signal.SIGINT):
                raise Interrupted(number)
            if not again:
                task.cancel()

        for number in _ENDING:
            # Where the loop cannot do this, asyncio.run's own handler for Ctrl-C does nearly the same.
            # A signal that is ignored, as SIGHUP is under nohup, stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                with suppress(NotImplementedError, RuntimeError, ValueError):
                    loop.add_signal_handler(number, interrupt, number)
        return await main

    try:
        return asyncio.run(interruptible())
    except asyncio.CancelledError:
        raise Interrupted(received[0] if received else signal.SIGINT) from None


def may_be_live() -> bool:
    """Return whether stderr takes live lines: they need a terminal, and log lines would tear them."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return is_terminal and not logging.getLogger("pika_async").isEnabledFor(logging.INFO)


@contextmanager
def display() -> Iterator[PlainLines | LiveLine]:
    """Show on stderr what goes on: a live line on a terminal, plain lines elsewhere and beside a log."""
    if not may_be_live():
        yield PlainLines()
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    columns = LiveLine.columns(console.encoding)
    progress = Progress(*columns, console=console, transient=True, redirect_stdout=False)
    with shown(progress.live):
        yield LiveLine(progress)


@contextmanager
def shown(live: Live) -> Iterator[None]:
    """Show live lines; a terminal that is gone ends nothing."""
    live.start(refresh=True)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            live.stop()


def _doing(provider: str, state: State, usual: float | None) -> str:
    doing = f"{provider} is rendering" if state is State.RUNNING else f"{state} at {provider}"
    return f"{doing} (usually about {seconds(usual)})" if usual is not None else doing


class PlainLines:
    """One line for each thing that is new; progress in steps of a quarter."""

    def __init__(self) -> None:
        self._last = ""

    def begin(self, doing: str, /) -> None:
        if doing != self._last:
            self._last = doing
            say(doing)

    def rendering(self, provider: str, state: State, progress: float | None, usual: float | None, /) -> None:
        done = "" if progress is None else f", {int(progress * 4) * 25} %"
        self.begin(f"{_doing(provider, state, usual)}{done}")

    def downloading(self, name: str, _done: int, _total: int | None, /) -> None:
        self.begin(f"downloading {name}")

    def note(self, line: str, /) -> None:
        say(line)


class LiveLine:
    """A spinner, what is being done, a bar and the time that went by, in one line."""

    @staticmethod
    def columns(encoding: str = "utf-8") -> Sequence[ProgressColumn]:
        """Return what stands in the line, in characters that *encoding* has."""
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        rich_set = encoding.lower().startswith("utf")
        doing = Column(no_wrap=True, overflow="ellipsis" if rich_set else "crop")
        return (
            SpinnerColumn("dots" if rich_set else "line"),
            TextColumn("{task.description}", markup=False, table_column=doing),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
        )

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=None)

    def begin(self, doing: str, /) -> None:
        self._progress.update(self._task, description=printable(doing), total=None)

    def rendering(self, provider: str, state: State, progress: float | None, usual: float | None, /) -> None:
        self._show(_doing(provider, state, usual), progress or 0, None if progress is None else 1)

    def downloading(self, name: str, done: int, total: int | None, /) -> None:
        self._show(f"downloading {name}", done, total)

    def _show(self, doing: str, done: float, total: float | None) -> None:
        self._progress.update(self._task, description=printable(doing), completed=done)
        # An update leaves alone what is None, and only a task without a total pulses.
        self._progress.tasks[0].total = total

    def note(self, line: str, /) -> None:
        with suppress(OSError, ValueError):
            self._progress.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


Display: TypeAlias = PlainLines | LiveLine
