"""The contestants: how each opens its client and gets one video, given only a prompt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

Generate: TypeAlias = Callable[[str], Awaitable[str]]
"""Buys one video and gives its task's id once it is done."""

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Generate]]

KEY = "sandbox-benchmark"


@asynccontextmanager
async def floor(
    url: str, *, width: int | None = None, every: float = 1.0, first: float = 0.0, connections: int = 0
) -> AsyncIterator[Generate]:
    """The floor: what a good engineer writes by hand with aiohttp, one look after another per job.

    It sleeps *first* seconds before the first look and *every* between looks. *connections* is the
    connector's limit: 0 for none, 100 is aiohttp's default.
    """
    import aiohttp

    turns = asyncio.Semaphore(width) if width is not None else None
    async with aiohttp.ClientSession(
        url,
        headers={"authorization": f"Bearer {KEY}", "accept": "application/json"},
        connector=aiohttp.TCPConnector(limit=connections),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=60, sock_read=60),
    ) as session:

        async def submit(prompt: str) -> str:
            body = {"action": "generate", "prompt": prompt, "model": "2.0", "async": True}
            async with session.post("/pika/videos", json=body) as answer:
                answer.raise_for_status()
                task: str = (await answer.json())["task_id"]
                return task

        async def wait(task: str) -> str:
            if first:
                await asyncio.sleep(first)
            while True:
                async with session.post("/pika/tasks", json={"action": "retrieve", "id": task}) as answer:
                    answer.raise_for_status()
                    told = (await answer.json()).get("response")
                if told:
                    video = told["data"][0]
                    assert video["state"] == "succeeded"
                    done: str = video["id"]
                    return done
                await asyncio.sleep(every)

        async def generate(prompt: str) -> str:
            if turns is None:
                return await wait(await submit(prompt))
            async with turns:
                return await wait(await submit(prompt))

        yield generate


@asynccontextmanager
async def ours(
    url: str, *, width: int | None = None, every: float = 0.02, **options: Any
) -> AsyncIterator[Generate]:
    """This library, without a budget."""
    from pika_async import Pika

    async with Pika(
        "acedata",
        api_key=KEY,
        base_url=url,
        poll_rate=None,
        poll_interval=every,
        max_concurrency=width or 100_000,
        **options,
    ) as pika:

        async def generate(prompt: str) -> str:
            return (await pika.generate(prompt)).id or ""

        yield generate


@asynccontextmanager
async def acedatacloud(url: str) -> AsyncIterator[Generate]:
    """AceData's official client: `video.generate(wait=True)` is what its README shows."""
    from acedatacloud import AsyncAceDataCloud

    async with AsyncAceDataCloud(api_token=KEY, base_url=url) as client:

        async def generate(prompt: str) -> str:
            told: Any = await client.video.generate(
                prompt=prompt,
                provider="pika",
                model="2.0",
                action="generate",
                async_=True,
                wait=True,
                poll_interval=1.0,
            )
            done: str = told["response"]["data"][0]["id"]
            return done

        yield generate


@asynccontextmanager
async def fal_client(url: str) -> AsyncIterator[Generate]:
    """fal's: submit, then `handle.get()`, which looks at the status and fetches the result.

    Its documented `FAL_QUEUE_RUN_HOST` insists on https, so its module's constant is set instead: this spares
    it TLS, which nobody else has to bear here either.
    """
    from fal_client import AsyncClient
    from fal_client import client as module

    module.QUEUE_URL_FORMAT = f"{url}/"
    client = AsyncClient(key=KEY)

    async def generate(prompt: str) -> str:
        handle = await client.submit("fal-ai/pika/v2.2/text-to-video", arguments={"prompt": prompt})
        told: Any = await handle.get()
        done: str = told["video"]["file_name"]
        return done

    yield generate
    await (await client._client).aclose()  # noqa: SLF001  it has no public way


@asynccontextmanager
async def runwayml(url: str) -> AsyncIterator[Generate]:
    """Runway's: create, then `tasks.retrieve`.

    Its `wait_for_task_output` sleeps 4.5 to 7.5 s before its first look; that would measure nothing but the
    sleep, so the look-up that it would make is made at once.
    """
    from runwayml import AsyncRunwayML

    async with AsyncRunwayML(api_key=KEY, base_url=url) as client:

        async def generate(prompt: str) -> str:
            task = await client.text_to_video.create(
                model="gen4.5", prompt_text=prompt, ratio="1280:720", duration=5
            )
            told = await client.tasks.retrieve(task.id)
            assert told.status == "SUCCEEDED"
            done: str = told.id
            return done

        yield generate


@asynccontextmanager
async def replicate(url: str) -> AsyncIterator[Generate]:
    """Replicate's: create a prediction, then `reload` until it has ended, as its README has it."""
    from replicate.client import Client

    client = Client(api_token=KEY, base_url=url)

    async def generate(prompt: str) -> str:
        prediction = await client.predictions.async_create(version="0" * 64, input={"prompt": prompt})
        await prediction.async_reload()
        while prediction.status != "succeeded":
            await asyncio.sleep(client.poll_interval)
            await prediction.async_reload()
        done: str = prediction.id
        return done

    yield generate


@asynccontextmanager
async def openai(url: str) -> AsyncIterator[Generate]:
    """OpenAI's: `videos.create_and_poll`."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1") as client:

        async def generate(prompt: str) -> str:
            video = await client.videos.create_and_poll(prompt=prompt, poll_interval_ms=1000)
            done: str = video.id
            return done

        yield generate


PEERS = ("acedatacloud", "fal_client", "runwayml", "replicate", "openai")


def opener(name: str) -> Open:
    """Return the contestant of that name."""
    known: dict[str, Open] = {
        "floor": floor,
        "ours": ours,
        "acedatacloud": acedatacloud,
        "fal_client": fal_client,
        "runwayml": runwayml,
        "replicate": replicate,
        "openai": openai,
    }
    return known[name]
