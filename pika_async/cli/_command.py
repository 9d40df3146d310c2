"""What every command shares: examples in its help, `--verbose`, and options that arrive as one value."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final, TypeAlias, TypeVar

import click

from pika_async.cli._terminal import say

Callback: TypeAlias = Callable[..., None]
Decorator: TypeAlias = Callable[[Callback], Callback]


class _Command(click.Command):
    examples: tuple[str, ...] = ()

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, one a line and never wrapped: they are there to be copied."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")


class _Group(_Command, click.Group):
    """A command that does something itself, and has commands of its own."""


Made = TypeVar("Made", bound=_Command)


def command(name: str, *examples: str) -> Callable[[Callback], click.Command]:
    """Make the decorated function the command *name*."""
    return _made(name, _Command, examples)


def group(name: str, *examples: str) -> Callable[[Callback], click.Group]:
    """Make the decorated function the command *name*, to which others can be added."""
    return _made(name, _Group, examples, invoke_without_command=True)


def _made(
    name: str, kind: type[Made], examples: tuple[str, ...], **options: Any
) -> Callable[[Callback], Made]:
    def make(callback: Callback) -> Made:
        made = click.command(name, cls=kind, **options)(callback)
        made.examples = examples
        made.params.append(_verbose())
        return made

    return make


def gathered(name: str, make: Callable[..., object], options: Mapping[str, Decorator]) -> Decorator:
    """Return the decorated function *options* as one argument *name*, made of them by *make*."""

    def decorate(callback: Callback) -> Callback:
        @wraps(callback)
        def gather(**given: Any) -> None:
            parts = {option: given.pop(option) for option in options}
            callback(**{name: make(**parts)}, **given)

        function: Callback = gather
        for option in reversed(list(options.values())):
            function = option(function)
        return function

    return decorate


_JSON: Final = "pika_async.json"


def json_option(help_: str = "Print a JSON object.") -> Decorator:
    """Return the decorated function *as_json*; an error is then a JSON object as well."""

    def note(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        if value:
            ctx.meta[_JSON] = True
        return value

    # Eager: whatever else is wrong with the words must be told in JSON too.
    return click.option("--json", "as_json", is_flag=True, is_eager=True, callback=note, help=help_)


def wants_json(ctx: click.Context) -> bool:
    """Return whether `--json` was given to the command."""
    return _JSON in ctx.meta


def _verbose() -> click.Option:
    return click.Option(
        ["-v", "--verbose"],
        count=True,
        expose_value=False,
        callback=_log_to_stderr,
        help="Log to stderr what happens; twice for every request (keys are never shown).",
    )


def _log_to_stderr(ctx: click.Context, _: click.Parameter, verbosity: int) -> None:
    log = logging.getLogger("pika_async")
    # Even without `--verbose`: warnings that nobody handles would go to stderr, between our sentences.
    handler = logging.StreamHandler() if verbosity else logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"))
    before = log.level
    log.addHandler(handler)
    log.setLevel({0: before, 1: logging.INFO}.get(verbosity, logging.DEBUG))

    def undo() -> None:
        log.removeHandler(handler)
        log.setLevel(before)

    ctx.call_on_close(undo)


class _PaidJobs(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Print what a closing client says of jobs whose results nobody has seen; it holds their tokens."""
        text = record.getMessage()
        if record.levelno >= logging.WARNING and "may be paid" in text:
            say(text)


@contextmanager
def paid_jobs_told() -> Iterator[None]:
    """Have a client that closes in this context tell on stderr of jobs that may be paid."""
    log, handler = logging.getLogger("pika_async"), _PaidJobs()
    # With `--verbose` all log lines are there already.
    shown = log.isEnabledFor(logging.INFO)
    if not shown:
        log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
