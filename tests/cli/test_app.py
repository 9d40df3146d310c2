"""The program itself: its help, its lightness and its answers to misuse."""

import subprocess
import sys
from importlib import import_module

import click
import pytest

from pika_async import __version__
from pika_async.cli._app import COMMANDS


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
    command = import_module(f"pika_async.cli.{name}").command
    options = [o for p in command.params if isinstance(p, click.Option) for o in p.opts]
    assert {option for option in options if "key" in option} <= {"--idempotency-key"}


def test_version(run):
    """`--version` tells the version."""
    assert run("--version").stdout == f"pika-async, version {__version__}\n"


def test_unknown_command_is_a_usage_error(run):
    """A command that does not exist ends with 2."""
    result = run("genrate")
    assert result.exit_code == 2
    assert "genrate" in result.stderr
