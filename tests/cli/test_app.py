"""The program itself: its help, its lightness and its answers to misuse."""

import subprocess
import sys

import click
import pytest
from click.shell_completion import ShellComplete

from pika_async import __version__
from pika_async.cli._app import COMMANDS, app, load
from tests.cli.ledgers import write


def test_help_names_every_command(run):
    """`--help` lists the commands, each with a whole sentence."""
    lines = run("--help").stdout.splitlines()
    for name in COMMANDS:
        (line,) = (line for line in lines if line.startswith(f"  {name} "))
        assert line.endswith(".")
        assert not line.endswith("...")


def test_help_is_light():
    """`--help` loads neither the network, nor rich, nor an adapter."""
    program = (
        "import sys; from pika_async.cli._app import app; app(['--help'], standalone_mode=False);"
        "print([m for m in ('aiohttp', 'cattrs', 'rich', 'pika_acedata', 'anyio') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples(run, name):
    """The help of a command ends in examples of that very command, and fits 80 columns."""
    help_ = run(name, "--help").stdout
    examples = help_.partition("Examples:\n")[2].splitlines()
    assert examples
    assert all(line.startswith(f"  pika-async {name}") for line in examples)
    assert max(map(len, help_.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_takes_a_key(name):
    """A key on the command line would stay in the shell's history, so there is no option for it."""
    options = [o for p in load(name).params if isinstance(p, click.Option) for o in p.opts]
    assert {option for option in options if "key" in option} <= {"--idempotency-key"}


def test_version(run):
    """`--version` tells the version."""
    assert run("--version").stdout == f"pika-async, version {__version__}\n"


@pytest.mark.parametrize(("slip", "meant"), [("genrate", "generate"), ("recovr", "recover"), ("Job", "job")])
def test_a_misspelt_command_is_suggested(run, slip, meant):
    """A command that does not exist ends with 2, and what may be meant is named."""
    result = run(slip)
    assert result.exit_code == 2
    assert f"No such command {slip!r}. Did you mean {meant}" in result.stderr


def test_a_command_like_no_other_is_a_usage_error(run):
    """Where nothing is near, nothing is suggested."""
    result = run("xyzzy")
    assert result.exit_code == 2
    assert "Did you mean" not in result.stderr


def test_python_runs_the_package(monkeypatch):
    """`python -m pika_async` is the command line, with the same name in its help."""
    words = [sys.executable, "-m", "pika_async", "--help"]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert out.startswith("Usage: pika-async ")


@pytest.fixture
def completed(monkeypatch):
    """Return what a TAB offers behind some words."""

    def complete(words, start):
        found = ShellComplete(app, {}, "pika-async", "_PIKA_ASYNC_COMPLETE").get_completions(words, start)
        return [item.value for item in found]

    return complete


def test_styles_are_completed(completed):
    """All that a provider lists, or those that begin so, in any case."""
    assert {"Inflate", "Melt"} <= set(completed(["style"], ""))
    assert completed(["style"], "infl") == ["Inflate"]


@pytest.mark.parametrize("name", ["job", "fetch", "resolve"])
def test_jobs_are_completed(completed, ledger, name):
    """The newest first, by the start of their ids; where there is no ledger, nothing."""
    assert completed([name], "") == []
    write(ledger, ("aaaabbbb", "queued"), ("aacccccc", "running"), ("bbbbdddd", "failed"))
    assert completed([name], "aa") == ["aacccccc", "aaaabbbb"]
    assert len(completed([name], "")) == 3


def test_a_ledger_that_cannot_be_read_completes_nothing(completed, tmp_path):
    """A TAB prints no errors."""
    (tmp_path / "jobs.db").write_text("no ledger")
    assert completed(["job", "--ledger", str(tmp_path / "jobs.db")], "") == []
