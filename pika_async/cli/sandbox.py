"""The command `sandbox`: every provider's wire on this machine, without a key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import click

from pika_async import ConfigError
from pika_async.cli._command import command as make_command
from pika_async.cli._connection import MEDIA_HOST_VARIABLE, SANDBOX_KEY
from pika_async.cli._interrupt import run, stop_signal
from pika_async.cli._words import say

if TYPE_CHECKING:
    from pika_async.sandbox import Sandbox


@make_command("sandbox", "pika-async sandbox", "pika-async sandbox --port 9000 --render-time 20")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Listen here, on this machine only; 0 takes a free one.",
)
@click.option(
    "--render-time",
    type=click.FloatRange(min=0),
    default=3.0,
    metavar="SECONDS",
    show_default=True,
    help="How long a render takes.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="HOST",
    help="Also answer under this host name, and send callbacks to it.",
)
def command(port: int, render_time: float, allowed_hosts: tuple[str, ...]) -> None:
    """Pretend to be every provider. Runs until Ctrl-C on real sockets, without key or cost."""
    with suppress(KeyboardInterrupt):
        run(_serve(port, render_time, allowed_hosts))
    say("The sandbox has ended.")


async def _serve(port: int, render_time: float, allowed_hosts: tuple[str, ...]) -> None:
    from pika_async.sandbox import Sandbox

    stop = stop_signal()
    server = Sandbox(port=port, render_time=render_time, allowed_hosts=allowed_hosts)
    try:
        await server.start()
    except OSError as error:
        raise ConfigError(
            f"Port {port} cannot be used ({error.strerror}); choose another with --port."
        ) from None
    try:
        _introduce(server)
        await stop.wait()
    finally:
        await server.stop()


def _introduce(server: Sandbox) -> None:
    from rich.console import Console
    from rich.table import Table

    from pika_async.emulator import Outcome

    click.echo(f"The sandbox listens at {server.url} until Ctrl-C. In another terminal:\n")
    for variable, value in _environment(server):
        click.echo(f"  export {variable}={value}")
    click.echo("  pika-async generate 'A cat surfing at sunset' --provider acedata -o cat.mp4\n")
    table = Table("Word in the prompt", "What happens", box=None, pad_edge=False)
    for outcome in Outcome:
        table.add_row(outcome.value, outcome.meaning)
    Console().print(table)
    for name, reason in server.broken.items():
        say(f"The emulator {name} cannot be loaded ({reason}); update or remove its distribution.")


def _environment(server: Sandbox) -> Iterator[tuple[str, str]]:
    """Return the variables with which any client finds *server*."""
    from pika_async import _registry

    hosted = entry_points(group="pika_async.emulators").names - server.broken.keys()
    for name, plugin in _registry.plugins().items():
        if name in hosted and plugin.capabilities is not None:
            yield plugin.capabilities.url_variable or f"{name.upper().replace('-', '_')}_BASE_URL", server.url
            for variable in plugin.capabilities.key_variables[:1]:
                yield variable, SANDBOX_KEY
    yield MEDIA_HOST_VARIABLE, server.media_host
