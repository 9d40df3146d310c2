"""The commands in the documentation, run as they stand there against the sandbox."""

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pika_async.cli._app import COMMANDS, app

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(document):
    """Return the commands of a page's `console` blocks, each with the output that is shown for it."""
    found = []
    for block in BLOCK.findall((DOCS / document).read_text("utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return [(command, "\n".join(output)) for command, output in found]


@pytest.fixture
def shell(tmp_path, monkeypatch, quick):
    """Run commands in a folder of their own: ours in this process, others in a shell that finds ours."""
    tools, folder = tmp_path / "tools", tmp_path / "work"
    tools.mkdir()
    folder.mkdir()
    program = tools / "pika-async"
    ours = "from pika_async.cli import _connection, main; _connection.RENDER_TIME = 0.01; main()"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{ours}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(folder)

    def run(command):
        first, *words = shlex.split(command, comments=True)
        if first == "pika-async" and not set("|<>") & set(command):
            result = CliRunner().invoke(app, words, prog_name=first)
            return result.exit_code, result.stdout
        result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        return result.returncode, result.stdout

    return run


def follow(shell, document):
    """Run every command of *document*; the output that is shown must come, and the exit code that is said."""
    for command, output in commands(document):
        code, stdout = shell(command)
        said = re.search(r"# exit code (\d)$", command)
        assert code == (int(said[1]) if said else 0), command
        assert output in stdout, command


@pytest.mark.skipif(sys.platform == "win32", reason="the tutorial speaks to a POSIX shell")
def test_the_tutorial_runs(shell):
    """Whoever follows the tutorial gets what it shows."""
    follow(shell, "tutorial.md")
    videos = sorted(path.name for path in Path("trial").glob("*.mp4"))
    assert videos == [
        "001-a-cat-surfing-at-sunrise.mp4",
        "002-a-cat-making-coffee.mp4",
        "003-a-cat-surfing-at-sunset.mp4",
    ]
    assert len(list(Path("cats").glob("*.mp4"))) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="the examples speak to a POSIX shell")
def test_the_examples_of_the_reference_run(shell):
    """The commands of docs/cli.md work as they stand there, given the files that they name."""
    for name in ("cat.png", "dog.png"):
        Path(name).write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("prompts.txt").write_text("A cat\n")
    Path("prompts.csv").write_text("prompt\nA cat\n")
    Path("prompts.jsonl").write_text('{"prompt": "A cat"}\n')
    follow(shell, "cli.md")


def test_every_command_is_documented():
    """The reference shows each command at least once."""
    text = (DOCS / "cli.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"pika-async {name} " not in text and f"{name}\n" not in text] == []


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell, shell_name):
    """The documented line gives each shell its completion."""
    _, script = shell(f"_PIKA_ASYNC_COMPLETE={shell_name}_source pika-async")
    assert "_PIKA_ASYNC_COMPLETE" in script
