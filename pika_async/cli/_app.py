"""The program `pika-async`: finds the commands, and turns every error into one plain sentence."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final, cast

import click

from pika_async import PikaError, __version__
from pika_async.cli._command import wants_json
from pika_async.cli._terminal import make_streams_safe, say

COMMANDS: Final[Mapping[str, str]] = {
    "generate": "video:generate",
    "ingredients": "video:ingredients",
    "style": "video:style",
    "edit": "video:edit",
    "batch": "batch:command",
    "gallery": "serve:gallery",
    "quote": "money:quote",
    "balance": "money:balance",
    "fetch": "video:fetch",
    "jobs": "jobs:jobs",
    "job": "job:job",
    "cancel": "cancel:cancel",
    "spend": "money:spend",
    "resolve": "recover:resolve",
    "recover": "recover:recover",
    "listen": "serve:listen",
    "work": "work:work",
    "providers": "providers:providers",
    "mcp": "agents:mcp",
    "new-provider": "new_provider:new_provider",
    "sandbox": "serve:sandbox",
    "ledger": "ledger:ledger",
    "doctor": "doctor:doctor",
}
"""Each command, in the order of the help, with its module in this package and its name there."""


def load(name: str) -> click.Command:
    """Return the command called *name*."""
    module, _, attribute = COMMANDS[name].partition(":")
    return cast("click.Command", getattr(import_module(f"pika_async.cli.{module}"), attribute))


class _Program(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Name the commands without loading them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the one command that was asked for."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the commands that a misspelt one may mean."""
        near = get_close_matches(args[0], COMMANDS) if args and args[0] not in COMMANDS else []
        if near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(near)}?")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the program on streams that take every character."""
        make_streams_safe()
        return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command; the notes of an error say how to go on."""
        try:
            return super().invoke(ctx)
        except PikaError as error:
            _tell(ctx, error.message, error)
            ctx.exit(1)
        except click.ClickException as error:
            if wants_json(ctx):
                _print_json("UsageError", error.format_message(), error)
            raise
        except click.Abort as no:
            if wants_json(ctx):
                _print_json("Aborted", "The question was not answered with yes.", no)
            raise
        except KeyboardInterrupt as interrupt:
            if wants_json(ctx):
                _print_json("Interrupted", "The command was interrupted.", interrupt)
            say("Interrupted.", *_notes(interrupt))
            ctx.exit(getattr(interrupt, "exit_code", 130))
        except OSError as error:
            # A pipe that nobody reads any more is no error of ours: click ends in silence.
            if error.errno == errno.EPIPE:
                raise
            _tell(ctx, f"{error.strerror or error} ({error.filename or 'stdout'}).", error)
            ctx.exit(1)


def _tell(ctx: click.Context, message: str, error: BaseException) -> None:
    if wants_json(ctx):
        _print_json(type(error).__name__, message, error)
    with suppress(OSError, ValueError):
        click.secho("Error: ", fg="red", nl=False, err=True)
    say(message, *_notes(error))


def _print_json(kind: str, message: str, error: BaseException) -> None:
    """Print what went wrong as the one object that a program which asked for JSON reads."""
    facts = ("provider", "token", "charged", "retryable", "code", "status", "trace_id")
    told = {"type": kind, "message": message, **{name: getattr(error, name, None) for name in facts}}
    with suppress(OSError, ValueError):
        click.echo(json.dumps({"error": {**told, "notes": _notes(error)}}))


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
