"""Words for a person."""

import doctest
import io
import json
import logging
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pika_async.cli import _terminal
from pika_async.cli._app import app
from pika_async.cli._command import paid_jobs_told
from pika_async.cli._terminal import LiveLine


def test_the_examples_are_true():
    """The module's own examples hold."""
    assert doctest.testmod(_terminal).failed == 0


@given(st.text())
def test_nothing_printable_steers_a_terminal(text):
    """Whatever a provider says, no control character and no line break comes through."""
    assert _terminal.printable(text).isprintable()


@pytest.fixture
def legacy(sandbox_beside, tmp_path, monkeypatch):
    """Run a command whose output goes to a terminal that is not Unicode's."""
    sandbox_beside(render_time=0.01)
    monkeypatch.chdir(tmp_path)

    def invoke(charset, *words):
        return CliRunner(charset=charset).invoke(app, [str(word) for word in words], prog_name="pika-async")

    return invoke


@pytest.mark.parametrize("charset", ["cp1252", "gbk", "ascii", "koi8-r", "shift_jis"])
def test_no_encoding_ends_a_command(legacy, charset):
    """Each command that prints what people and providers wrote ends well, whatever the terminal can show."""
    prompt = "猫 🐈 é ж ☃"
    Path("猫.txt").write_text(prompt, "utf-8")
    saved = legacy(charset, "generate", prompt, "-o", "猫é🐈.mp4")
    assert (saved.exit_code, Path("猫é🐈.mp4").read_bytes()[4:8]) == (0, b"ftyp")
    (job,) = json.loads(legacy(charset, "jobs", "--json").stdout)["jobs"]
    assert job["prompt"] == prompt
    for words in (
        ["jobs"],
        ["job", job["id"]],
        ["fetch", job["id"], "-o", "ж☃.mp4"],
        ["generate", f"{prompt} sandbox-render-fails"],
        ["generate", prompt, "--image", "☃"],
        ["batch", "猫.txt", "--out", "ж🐈"],
        ["gallery", "ж🐈"],
        ["providers"],
        ["doctor"],
        ["🐈"],
        ["--help"],
    ):
        result = legacy(charset, *words)
        assert isinstance(result.exception, SystemExit | None), (words, result.exception)


def test_a_live_line_uses_what_the_terminal_can_show():
    """Spinner and ellipsis have plain forms."""
    spinner, doing, *_ = LiveLine.columns("cp1252")
    assert "".join(spinner.spinner.frames).isascii()
    assert doing.get_table_column().overflow == "crop"


def test_a_stderr_that_is_gone_ends_nothing(monkeypatch):
    """Saying something to a closed terminal is not worth a paid video."""
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    _terminal.say("a line")


def test_paid_jobs_are_told_when_a_client_closes(capsys, caplog):
    """Of the log, the lines with the tokens of jobs that nobody has seen are shown, and no others."""
    log = logging.getLogger("pika_async")
    caplog.set_level(logging.WARNING, "pika_async")
    with paid_jobs_told():
        log.warning("job %s on acedata:default may be paid. Its token: %s", "k3jq", "pika1.x")
        log.warning("the ledger cannot be watched")
        log.info("3 jobs may be paid")
    log.warning("job of another client may be paid")
    assert capsys.readouterr().err == "job k3jq on acedata:default may be paid. Its token: pika1.x\n"
