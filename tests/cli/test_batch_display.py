"""What a person sees of a batch, on a terminal of 80 columns and in a log."""

import io
import os
import re
import struct
import subprocess
import sys
import threading

import pytest
from rich.console import Console

from pika_async import JobFailed
from pika_async.batch import Entry, Progress, RowEvent, RowState, Timings
from pika_async.cli._batch_display import LiveLines, PlainRows

COLUMNS = 80


def entry(number, state, **fields):
    return Entry(number=number, request={}, state=state, provider="acedata", **fields)


def event(number, state, error=None, **fields):
    """Make what a batch tells of a row."""
    return RowEvent(row=entry(number, state, **fields), line=number + 10, error=error)


@pytest.fixture
def live():
    """Return live lines about 1,000 rows, with a clock that stands, and what is on them now."""
    console = Console(file=io.StringIO(), force_terminal=True, width=COLUMNS, color_system=None)
    progress = Progress(width=32, usual=90.0)
    for number in range(1000):
        progress.start(number, RowState.QUEUED)
    now = [0.0]
    lines = LiveLines(progress, console, lambda: now[0])

    def shown(at=0.0):
        now[0] = at
        with console.capture() as capture:
            console.print(lines)
        return capture.get().rstrip("\n").split("\n")

    return lines, shown


def test_live_lines_hold_states_rate_and_time_left(live):
    """Two lines say everything, and neither is wider than the terminal."""
    lines, shown = live
    for number in range(32):
        lines.see(event(number, RowState.RENDERING))
    shown(60.0)
    for number in range(16):
        lines.see(event(number, RowState.DOWNLOADING))
        lines.see(event(number, RowState.DONE))
    bar, states = shown(61.0)
    assert states.strip() == "queued 968 · rendering 16 · downloading 0 · done 16 · failed 0"
    assert re.search(r"16/1000 · \d+\.\d/min · about \d+ min left", bar)
    assert max(len(bar), len(states)) <= COLUMNS


def test_live_lines_fit_a_narrow_terminal(live):
    """Where there is no room, lines are cut and not wrapped."""
    lines, _ = live
    console = Console(file=io.StringIO(), force_terminal=True, width=30, color_system=None)
    console.print(lines)
    assert [len(line) <= 30 for line in console.file.getvalue().rstrip("\n").split("\n")] == [True, True]


def test_plain_rows_tell_each_end_once(capsys):
    """A log gets a line for each row that is done or failed, and no control characters from outside."""
    progress = Progress(width=2, usual=1.0)
    for number in (1, 2):
        progress.start(number, RowState.QUEUED)
    rows = PlainRows(progress)
    done = event(1, RowState.DONE, file="001-a-cat.mp4", timings=Timings(submitted_at=10.0, finished_at=52.0))
    rows.see(done)
    rows.see(done)
    rows.see(event(2, RowState.FAILED, JobFailed("no\x1b[2J cats")))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "1 of 2 done: 001-a-cat.mp4 (acedata, 42 s)",
        "failed: row 2 (line 12): no [2J cats",
    ]


class Screen:
    """As much of a terminal as is needed to tell what stays on it: lines wrap at the last column."""

    _PIECES = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")

    def __init__(self):
        self.lines = [""]
        self.row = 0
        self.column = 0

    def feed(self, text):
        for number, letter, motion, words in self._PIECES.findall(text):
            if letter == "A":
                self.row = max(self.row - int(number or 1), 0)
            elif letter == "K":
                self.lines[self.row] = ""
            elif motion == "\r":
                self.column = 0
            elif motion == "\n":
                self._down()
            for char in words:
                if self.column == COLUMNS:
                    self._down()
                    self.column = 0
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + char + line[self.column + 1 :]
                self.column += 1

    def _down(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_of_80_columns(sandbox_beside, tmp_path):
    """Live lines come and go without a trace; failures stay above them, whole; the end says where all is."""
    import fcntl
    import pty
    import termios

    sandbox_beside(render_time=0.3)
    prompts = tmp_path / "p.txt"
    prompts.write_text("".join(f"A cat {n}\n" for n in range(5)) + "A bat sandbox-moderated\n")
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    program = "from pika_async.cli import main; main()"
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    running = subprocess.Popen(
        [sys.executable, "-c", program, "batch", str(prompts), "--out", "v"],
        cwd=tmp_path,
        stdin=inner,
        stdout=inner,
        stderr=inner,
        env=environment | {"TERM": "xterm-256color"},
        close_fds=True,
    )
    os.close(inner)
    watchdog = threading.Timer(20, running.kill)
    watchdog.start()
    screen, seen = Screen(), []
    try:
        # Linux says EIO, others an empty read, when the last writer is gone.
        while part := _read(outer):
            screen.feed(part)
            seen += [line for line in screen.lines if "rendering" in line]
    finally:
        watchdog.cancel()
        running.kill()
        os.close(outer)
    assert running.wait() == 1
    states = re.compile(r"queued \d · rendering [1-9] · downloading \d · done \d · failed \d")
    assert any(states.fullmatch(line.rstrip()) for line in seen)
    lines = [line for line in screen.lines if line.strip()]
    assert not [line for line in lines if "rendering" in line or "━" in line]
    assert lines[0].startswith("failed: row 6 (line 6): ")
    assert "5 of 6 videos are in v" in lines
    assert lines[-1] == "v/index.html"


def _read(terminal):
    try:
        return os.read(terminal, 65536).decode()
    except OSError:
        return ""
