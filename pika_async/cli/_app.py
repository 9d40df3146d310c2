"""The program `pika-async`: finds the commands, and turns every error into one plain sentence."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, cast

import click

from pika_async import PikaError, __version__
from pika_async.cli._words import say

# A command is a module of this package with a `command`; its name goes here, in the order of the help.
COMMANDS: Final = (
    "generate",
    "ingredients",
    "style",
    "batch",
    "gallery",
    "fetch",
    "jobs",
    "job",
    "resolve",
    "recover",
    "listen",
    "providers",
    "sandbox",
    "doctor",
)

INTERRUPTED: Final = 130


class _Program(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Name the commands without loading them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the one command that was asked for."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"pika_async.cli.{cmd_name}")
        return cast("click.Command", module.command)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command; the notes of an error say how to go on."""
        try:
            return super().invoke(ctx)
        except PikaError as error:
            click.secho("Error: ", fg="red", nl=False, err=True)
            say(error.message, *_notes(error))
            ctx.exit(1)
        except KeyboardInterrupt as interrupt:
            say("Interrupted.", *_notes(interrupt))
            ctx.exit(INTERRUPTED)


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Try it without a key:
  pika-async generate "A cat surfing at sunset" --sandbox -o cat.mp4""",
)
@click.version_option(__version__, prog_name="pika-async")
def app() -> None:
    """Pika videos from any provider, never paid for twice.

    Keys are read from the environment; `pika-async providers` names the variables.
    """
