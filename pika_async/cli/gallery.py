"""The command `gallery`: the page of a batch, written to its folder or served while the batch runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import click

from pika_async import ConfigError
from pika_async.cli._command import command as make_command
from pika_async.cli._interrupt import run, stop_signal
from pika_async.cli._words import say


@make_command(
    "gallery",
    "pika-async gallery videos --open",
    "pika-async gallery videos --serve",
    "pika-async gallery videos --serve --port 9000",
)
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--serve", is_flag=True, help="Serve it on this machine, live, until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8767,
    show_default=True,
    help="Serve here; 0 takes a free one.",
)
@click.option("--open", "show", is_flag=True, help="Show it in the browser.")
def command(folder: Path, *, serve: bool, port: int, show: bool) -> None:
    """Show the videos that a batch brought to DIR. Asks no provider and needs no key."""
    from pika_async.gallery import MANIFEST

    if not (folder / MANIFEST).exists():
        raise ConfigError(
            f"{folder} holds no batch; make one with `pika-async batch PROMPTS --out {folder}`."
        )
    if not serve:
        _write(folder, show)
        return
    with suppress(KeyboardInterrupt):
        run(_serve(folder, port, show))
    say("The gallery is served no more.")


def _write(folder: Path, show: bool) -> None:
    from pika_async.gallery import write_gallery

    try:
        page = write_gallery(folder)
    except OSError as error:
        raise ConfigError(
            f"The page cannot be written to {folder} ({error.strerror}); use --serve to see it all the same."
        ) from None
    click.echo(page)
    if show:
        click.launch(page.resolve().as_uri())


async def _serve(folder: Path, port: int, show: bool) -> None:
    from pika_async.gallery.server import GalleryServer

    stop = stop_signal()
    server = GalleryServer(folder, port=port)
    try:
        await server.start()
    except OSError as error:
        raise ConfigError(
            f"Port {port} cannot be used ({error.strerror}); choose another with --port."
        ) from None
    try:
        click.echo(f"The gallery of {folder} is at {server.url} until Ctrl-C.")
        if show:
            await asyncio.to_thread(click.launch, server.url)
        await stop.wait()
    finally:
        await server.stop()
