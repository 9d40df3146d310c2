"""The commands that end in one video: one for each kind of request, and `fetch` for a bought one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from pika_async import ConfigError, Edit, Generate, Ingredients, Style
from pika_async.cli._command import command
from pika_async.cli._connection import Connection, address_options, connection_options
from pika_async.cli._delivery import Delivery, delivery_options
from pika_async.cli._fields import media, request_options
from pika_async.cli._ledger import idempotency_option, job_argument, opened, unknown
from pika_async.cli._order import buy, resume
from pika_async.requests import Media

if TYPE_CHECKING:
    from pika_async.ledger import JobView


@command(
    "generate",
    'pika-async generate "A cat surfing at sunset" --sandbox -o cat.mp4',
    'pika-async generate "It waves" --image cat.png --provider acedata',
    'pika-async generate "A storm" --camera pan=left,zoom=in --json',
    'pika-async generate "A cat" --idempotency-key order-17 --max-submits 50',
)
@click.argument("prompt", required=False)
@request_options(Generate)
@delivery_options
@idempotency_option
@connection_options
def generate(
    prompt: str | None,
    fields: Mapping[str, Any],
    idempotency_key: str | None,
    connection: Connection,
    delivery: Delivery,
) -> None:
    """Buy a video of PROMPT. Waits for it, then saves it or prints its link.

    Beside an image, or frames, some providers need no PROMPT.
    """
    buy(Generate(prompt, **fields), connection, delivery, idempotency_key)


@command(
    "ingredients",
    'pika-async ingredients "They dance" cat.png dog.png -o dance.mp4',
    'pika-async ingredients "They dance" a.png b.png --mode precise --json',
)
@click.argument("prompt")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=media)
@request_options(Ingredients)
@delivery_options
@idempotency_option
@connection_options
def ingredients(
    prompt: str,
    images: tuple[Media, ...],
    *,
    fields: Mapping[str, Any],
    idempotency_key: str | None,
    connection: Connection,
    delivery: Delivery,
) -> None:
    """Buy a video of what the IMAGEs show. Each is a link or a file, and all appear together."""
    buy(Ingredients(prompt, images, **fields), connection, delivery, idempotency_key)


def _styles(ctx: click.Context, _: click.Parameter, start: str) -> list[str]:
    """Return the styles that begin with *start*, of the chosen providers or of all."""
    from pika_async.installed import providers

    chosen = ctx.params.get("providers") or ()
    able = (one.capabilities for name, one in providers().items() if not chosen or name in chosen)
    names = {style for capabilities in able if capabilities for style in capabilities.styles}
    return sorted(name for name in names if name.casefold().startswith(start.casefold()))


@command(
    "style",
    'pika-async style Inflate "A rubber duck" -o duck.mp4',
    'pika-async style Melt "It melts" --image duck.png --provider duomi',
)
@click.argument("style", shell_complete=_styles)
@click.argument("prompt", required=False)
@request_options(Style)
@delivery_options
@idempotency_option
@connection_options
def style(
    style: str,
    prompt: str | None,
    *,
    fields: Mapping[str, Any],
    idempotency_key: str | None,
    connection: Connection,
    delivery: Delivery,
) -> None:
    """Buy a video of PROMPT with an effect. `pika-async providers` lists what STYLE may be.

    Beside an image or a video, some providers need no PROMPT.
    """
    buy(Style(prompt, style=style, **fields), connection, delivery, idempotency_key)


@command(
    "edit",
    'pika-async edit cat.mp4 "A hat of straw" --region "the hat" -o straw.mp4',
    'pika-async edit cat.mp4 "A dog beside it" --image dog.png --provider pika',
)
@click.argument("video", metavar="URL|FILE", type=media)
@click.argument("prompt")
@request_options(Edit, without={"video"})
@delivery_options
@idempotency_option
@connection_options
def edit(
    video: Media,
    prompt: str,
    *,
    fields: Mapping[str, Any],
    idempotency_key: str | None,
    connection: Connection,
    delivery: Delivery,
) -> None:
    """Buy a changed copy of a video.

    What PROMPT says is added to URL|FILE, or put in the place of something in it.
    """
    buy(Edit(prompt, video, **fields), connection, delivery, idempotency_key)


@command(
    "fetch",
    "pika-async fetch k3jq7xvm -o cat.mp4",
    "pika-async fetch pika1.WyJqMSIs...2f8b4ecb -o cat.mp4",
    "pika-async fetch pika1.WyJqMSIs...2f8b4ecb --json",
)
@job_argument
@delivery_options
@address_options
def fetch(job_id: str, connection: Connection, delivery: Delivery) -> None:
    """Get the video of a job bought before. Buys nothing.

    `pika-async jobs` lists ids, of which the start is enough. A token needs no ledger.
    """
    from pika_async.ledger import read_token

    job = asyncio.run(_found(job_id, connection))
    if job is None:
        token = read_token(job_id)
        resume(job_id, evolve(connection, providers=(token.provider,), account=token.account), delivery)
        return
    if job.state == "queued":
        raise ConfigError(
            f"Job {job.id} was not sent yet; `pika-async job {job.id}` says what to do about it."
        )
    at = evolve(connection, providers=job.providers, account=job.account)
    resume(job.token, at, delivery, ended=job.state == "succeeded")


async def _found(text: str, connection: Connection) -> JobView | None:
    from pika_async.ledger import is_token

    async with opened(connection.ledger) as ledger:
        job = await ledger.job(text)
    if job is None and not is_token(text):
        raise unknown(text, connection.ledger)
    return job
