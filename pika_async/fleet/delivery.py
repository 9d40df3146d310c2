"""Saves a finished video and calls the user's hook: each at least once."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, TypeAlias

import anyio
from attrs import frozen

from pika_async import ConfigError, Pika, VideoResult
from pika_async._crossing import Value
from pika_async._fetching import SIDECAR
from pika_async._telemetry import span
from pika_async._token import JobToken

GROUP: Final = "pika_async.deliver"
_PATIENCE: Final = 60.0


@frozen(kw_only=True)
class Delivery(Value):
    """A video of a finished job, saved at *place*: a file, or an address such as `s3://bucket/cat.mp4`.

    *place* is None where the worker has no `--out`. The same delivery may come again, with the same
    *job_id* and *video.id*: a worker may die after the hook returned and before that was recorded.
    """

    job_id: str
    token: str
    video: VideoResult
    place: str | None
    size: int | None
    sha256: str | None


Hook: TypeAlias = Callable[[Delivery], Awaitable[object] | object]


def hook_of(name: str) -> Hook:
    """Return the function called *name*: an entry point of the group, or `module:function`."""
    found: Any
    if ":" in name:
        module, _, attribute = name.partition(":")
        try:
            found = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"The hook {name!r} cannot be loaded ({error}); check its name.") from None
    else:
        points = [point for point in entry_points(group=GROUP) if point.name == name]
        if len(points) != 1:
            known = ", ".join(sorted(entry_points(group=GROUP).names)) or "none"
            raise ConfigError(
                f"No hook is called {name!r}; write module:function, or the name of an entry point of the "
                f"group {GROUP} (installed: {known})."
            )
        found = points[0].load()
    if not callable(found):
        raise ConfigError(f"The hook {name!r} is a {type(found).__name__} and no function.")
    hook: Hook = found
    return hook


async def deliver(pika: Pika, job_id: str, account: str, out: str | None, hook: Hook | None) -> None:
    """Save the videos of a finished job under names that stay the same, then call *hook* with each."""
    provider, _, label = account.partition(":")
    with span("pika.deliver", jobs=[job_id], provider=provider):
        await _delivered(pika, JobToken(job_id=job_id, provider=provider, label=label, task=None), out, hook)


async def _delivered(pika: Pika, token: JobToken, out: str | None, hook: Hook | None) -> None:
    job_id = token.job_id
    job = pika.job(token.encode())
    await job.wait(_PATIENCE)
    videos = [video for video in job.results if video.video_url is not None]
    for number, video in enumerate(videos, 1):
        told = Delivery(job_id=job_id, token=job.token, video=video, place=None, size=None, sha256=None)
        if out is not None:
            name = f"{job_id}.mp4" if number == 1 else f"{job_id}-{number}.mp4"
            told = await _saved(pika, video, told, out, name)
        if hook is not None:
            await _tell(hook, told)


async def _saved(pika: Pika, video: VideoResult, told: Delivery, out: str, name: str) -> Delivery:
    from attrs import evolve

    place = f"{out.rstrip('/')}/{name}"
    if "://" not in out:
        place = str(Path(out) / name)
        if (kept := await _whole(anyio.Path(place))) is not None:
            return evolve(told, place=place, size=kept[0], sha256=kept[1])
    saved = await pika.download(video, place, overwrite=True, sidecar=True)
    return evolve(told, place=place, size=saved.size, sha256=saved.sha256)


async def _whole(path: anyio.Path) -> tuple[int, str] | None:
    """Return size and hash of a file that an earlier delivery saved; None unless both are as it noted."""
    try:
        notes = json.loads(await anyio.Path(f"{path}{SIDECAR}").read_bytes())
        data = await path.read_bytes()
        found = len(data), await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
    except (OSError, ValueError):
        return None
    return found if found == (notes.get("size"), notes.get("sha256")) else None


async def _tell(hook: Hook, told: Delivery) -> None:
    if inspect.iscoroutinefunction(hook):
        await hook(told)
        return
    answer = await asyncio.to_thread(hook, told)
    if inspect.isawaitable(answer):
        await answer
