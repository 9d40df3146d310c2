"""The commands that serve until Ctrl-C: `sandbox`, `listen` and `gallery`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pika_async import ConfigError
from pika_async.cli._command import Decorator, command
from pika_async.cli._connection import MEDIA_HOST_VARIABLE, SANDBOX_KEY
from pika_async.cli._ledger import Place, ledger_option, ready
from pika_async.cli._terminal import run, say

if TYPE_CHECKING:
    from pika_async.sandbox import Sandbox

SECRETS_VARIABLE: Final = "PIKA_ASYNC_CALLBACK_SECRETS"


def _port_option(default: int) -> Decorator:
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        help="Listen here; 0 takes a free one.",
    )


def _taken(port: int, error: OSError) -> ConfigError:
    return ConfigError(f"Port {port} cannot be used ({error.strerror}); choose another with --port.")


@command("sandbox", "pika-async sandbox", "pika-async sandbox --port 9000 --render-time 20")
@_port_option(8765)
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
def sandbox(port: int, render_time: float, allowed_hosts: tuple[str, ...]) -> None:
    """Answer like every provider. Runs until Ctrl-C on real sockets, without key or cost."""
    with suppress(KeyboardInterrupt):
        run(_pretend(port, render_time, allowed_hosts))
    say("The sandbox has ended.")


async def _pretend(port: int, render_time: float, allowed_hosts: tuple[str, ...]) -> None:
    from pika_async.sandbox import Sandbox

    server = Sandbox(port=port, render_time=render_time, allowed_hosts=allowed_hosts)
    try:
        await server.start()
    except OSError as error:
        raise _taken(port, error) from None
    try:
        _introduce(server)
        await asyncio.Event().wait()
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
    from pika_async.installed import providers

    hosted = entry_points(group="pika_async.emulators").names - server.broken.keys()
    for name, found in providers().items():
        if name in hosted and found.capabilities is not None:
            yield found.url_variable, server.url
            for variable in found.capabilities.key_variables[:1]:
                yield variable, SANDBOX_KEY
    yield MEDIA_HOST_VARIABLE, server.media_host


@command("listen", "pika-async listen", "pika-async listen --ledger jobs.db --host 0.0.0.0 --port 8080")
@ledger_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen at this address.")
@_port_option(8766)
def listen(ledger: Place | None, host: str, port: int) -> None:
    """Receive callbacks, for the processes that wait. Runs until Ctrl-C.

    Buys nothing and needs no key. Secrets other than the ledger's own are read from
    PIKA_ASYNC_CALLBACK_SECRETS: the newest first, then older ones, with spaces between.
    """
    with suppress(KeyboardInterrupt):
        run(_listen(ready(ledger), host, port))
    say("No callbacks are received any more.")


async def _listen(ledger: Place, host: str, port: int) -> None:
    from pika_async.callbacks.standalone import receiving
    from pika_async.ledger import ledger_at

    secrets = os.environ.get(SECRETS_VARIABLE, "").split()
    async with receiving(ledger_at(ledger), secrets, host, port) as address:
        click.echo(
            f"Callbacks are received at {address} until Ctrl-C.\n"
            "Providers must reach it from outside. Wherever you submit, set\n"
            "Callbacks(public_url=...) to the address that they use."
        )
        await asyncio.Event().wait()


@command(
    "gallery",
    "pika-async gallery videos --open",
    "pika-async gallery videos --serve",
    "pika-async gallery videos --serve --port 9000",
    "pika-async gallery by-acedata by-duomi --export comparison",
)
@click.argument(
    "folders",
    metavar="DIR...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option("--serve", is_flag=True, help="Serve it on this machine, live, until Ctrl-C.")
@_port_option(8767)
@click.option(
    "--export",
    "site",
    metavar="NEW_DIR",
    type=click.Path(path_type=Path),
    help="Copy page and videos into this new folder, for any web server. Takes several DIR.",
)
@click.option("--open", "show", is_flag=True, help="Show it in the browser.")
def gallery(folders: tuple[Path, ...], *, serve: bool, port: int, site: Path | None, show: bool) -> None:
    """Show the videos that a batch saved in DIR. Asks no provider and needs no key.

    Where two providers rendered the same prompt, the page compares their videos side by side. An export
    holds no job token, manifest or ledger.
    """
    from pika_async.gallery import MANIFEST

    if serve and site is not None:
        raise ConfigError("--serve and --export exclude each other; use one of them.")
    if len(folders) > 1 and site is None:
        raise ConfigError(
            "Several folders need --export NEW_DIR, since one page cannot show videos outside it."
        )
    for folder in folders:
        if not (folder / MANIFEST).exists():
            raise ConfigError(
                f"{folder} holds no batch; make one with `pika-async batch PROMPTS --out {folder}`."
            )
    if not serve:
        _write(folders, site, show)
        return
    with suppress(KeyboardInterrupt):
        run(_serve(folders[0], port, show))
    say("The gallery is not served any more.")


def _write(folders: tuple[Path, ...], site: Path | None, show: bool) -> None:
    from pika_async.gallery import export_gallery, write_gallery

    try:
        page = write_gallery(folders[0]) if site is None else export_gallery(folders, site)
    except OSError as error:
        raise ConfigError(
            f"The page cannot be written to {site or folders[0]} ({error.strerror}); use another folder "
            "for an export, or --serve to see it without writing."
        ) from None
    click.echo(page)
    if show:
        click.launch(page.resolve().as_uri())


async def _serve(folder: Path, port: int, show: bool) -> None:
    from pika_async.gallery.server import GalleryServer

    server = GalleryServer(folder, port=port)
    try:
        await server.start()
    except OSError as error:
        raise _taken(port, error) from None
    try:
        click.echo(f"The gallery of {folder} is at {server.url} until Ctrl-C.")
        if show:
            await asyncio.to_thread(click.launch, server.url)
        await asyncio.Event().wait()
    finally:
        await server.stop()
