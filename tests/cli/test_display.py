"""What a person sees while waiting."""

import io
import logging
import sys

import pytest
from rich.console import Console
from rich.progress import Progress

from pika_async import State
from pika_async.cli._terminal import LiveLine, PlainLines, display


@pytest.fixture
def live():
    """Return a live line of 80 columns, and what is on it now."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    progress = Progress(*LiveLine.columns(), console=console, auto_refresh=False)

    def shown():
        with console.capture() as capture:
            console.print(progress.get_renderable())
        return capture.get().rstrip("\n")

    return LiveLine(progress), shown


def test_live_line_says_who_renders_and_how_long_it_takes(live):
    """The line holds state, provider, usual time and the time that went by, in 80 columns."""
    line, shown = live
    line.rendering("acedata", State.RUNNING, None, 90)
    assert "acedata is rendering (usually about 90 s)" in shown()
    assert "0:00:00" in shown()
    assert len(shown().splitlines()) == 1


def test_live_line_shows_progress(live):
    """A provider that tells its progress moves the bar."""
    line, shown = live
    line.rendering("duomi", State.RUNNING, 0.0, None)
    empty = shown()
    line.rendering("duomi", State.RUNNING, 1.0, None)
    assert shown() != empty


def test_live_line_keeps_to_one_line_for_long_names(live):
    """A long file name is cut, not wrapped."""
    line, shown = live
    line.downloading("cat" * 50 + "[red].mp4", 10, 100)
    assert len(shown().splitlines()) == 1


def test_plain_lines_tell_only_what_is_new(capsys):
    """The same state is told once; progress in quarters; all of it on stderr."""
    lines = PlainLines()
    for state, progress in [
        (State.QUEUED, None),
        (State.QUEUED, None),
        (State.RUNNING, 0.3),
        (State.RUNNING, 0.4),
        (State.RUNNING, 0.5),
    ]:
        lines.rendering("duomi", state, progress, 2.0)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "queued at duomi (usually about 2 s)",
        "duomi is rendering (usually about 2 s), 25 %",
        "duomi is rendering (usually about 2 s), 50 %",
    ]


def test_a_pipe_gets_plain_lines():
    """Where stderr is no terminal nothing spins."""
    with display() as shown:
        assert isinstance(shown, PlainLines)


def test_a_terminal_gets_a_live_line(monkeypatch, caplog):
    """Where stderr is a terminal the line is live, and gone at the end."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    caplog.set_level(logging.WARNING, "pika_async")
    with display() as shown:
        shown.begin("sending")
        shown.note("a note that stays")
    assert "a note that stays" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")
