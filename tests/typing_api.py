"""What users write, type-checked by mypy and never run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, assert_type

from attrs import field, frozen

import pika_async.provider as api
from pika_async import (
    Camera,
    Generate,
    Ingredients,
    Job,
    JobTimeout,
    Pika,
    PikaError,
    State,
    Style,
    UnsupportedRequest,
    VideoResult,
    asdict,
)
from pika_async import sync as plainly
from pika_async.errors import JobHandle
from pika_async.installed import providers
from pika_async.ledger import JobView, open_ledger
from pika_async.provider import Provider, ProviderFactory
from pika_async.sandbox import Sandbox
from pika_async.testing import ScriptedTransport, check_provider


async def the_five_line_program() -> None:
    """Keep the README's promise."""
    async with Pika("acedata") as pika:
        video = await pika.generate("A cat surfing at sunset")
        assert_type(video, VideoResult)
        assert_type(video.video_url, str | None)
        assert_type(video.url, str)
        assert_type(asdict(video), dict[str, Any])
        assert_type(video.duration, float | None)
        assert_type(video.state, State)


async def every_kind_and_field(pika: Pika, image: Path) -> None:
    """Links, files and bytes; numbers and words."""
    await pika.generate("It waves", image=image, seed=7, frame_rate=24, guidance_scale=12.0, motion=1)
    await pika.generate("It waves", image=b"png", camera={"pan": "left"}, sound_effects=True, model=1.5)
    await pika.generate("It waves", image="https://media.test/a.png", camera=Camera(zoom="in"), model="1.5")
    await pika.ingredients("They dance", images=[image, "https://media.test/a.png"], mode="precise")
    await pika.style(
        "A rubber duck", style="Inflate", video="https://media.test/a.mp4", extra_body={"loop": True}
    )
    await pika.generate("A cat", timeout=None, queue_timeout=5, callback_url=False)
    requests: list[Generate | Ingredients | Style] = [
        Generate("A cat"),
        Ingredients("They dance", [image]),
        Style("A duck", style="Inflate"),
    ]
    for request in requests:
        assert_type(await pika.submit(request), Job)


async def what_is_refused_by_the_type_checker(pika: Pika) -> None:
    """Each line is wrong, and mypy says so (unused ignores are errors)."""
    await pika.generate("A cat", sead=7)  # type: ignore[call-arg]
    await pika.generate("A cat", seed="7")  # type: ignore[arg-type]
    await pika.ingredients("They dance", images=["https://media.test/a.png"], mode="exact")  # type: ignore[arg-type]
    Generate("A cat").seed = 7  # type: ignore[misc]
    Generate(seconds=5)  # type: ignore[call-arg]
    Pika(5)  # type: ignore[arg-type]


async def many_at_once(pika: Pika, prompts: Sequence[str]) -> Sequence[VideoResult]:
    """Safe as written."""
    return await asyncio.gather(*(pika.generate(prompt) for prompt in prompts))


async def a_job(pika: Pika) -> None:
    """Hand a job over by its token."""
    job = await pika.submit(Generate("A storm"))
    assert_type(job.token, str)
    assert_type(await job, VideoResult)
    assert_type(await job.wait(timeout=5), VideoResult)
    assert_type(await job.refresh(), State)
    assert_type(job.results, tuple[VideoResult, ...])
    assert_type(await pika.job(job.token), VideoResult)


async def videos(pika: Pika, job: Job) -> None:
    """As a file or as a stream, from a job or from its result."""

    async def on_progress(done: int, total: int | None) -> None:
        assert_type(total, int | None)

    done = await pika.download(job, Path("cat.mp4"), on_progress=on_progress)
    assert_type(done.path, Path)
    await pika.download(await job, "cat.mp4")
    async with pika.open(job) as chunks:
        async for chunk in chunks:
            assert_type(chunk, bytes)


async def errors(pika: Pika) -> str | None:
    """Siblings of one root that hold the job."""
    try:
        await pika.generate("A cat")
    except UnsupportedRequest as error:
        return error.message
    except JobTimeout as error:
        return error.token
    except PikaError as error:
        assert_type(error.job, JobHandle | None)
        assert_type(error.retryable, bool)
    return None


@frozen(kw_only=True)
class Mine:
    """An adapter as a stranger writes it."""

    api_key: api.Secret = field(converter=api.Secret)
    base_url: str | None = None
    capabilities: ClassVar[api.Capabilities] = api.Capabilities(kinds={Generate}, fields={"seed"})

    def build_submit(self, request: api.VideoRequest, call: api.Call, /) -> api.HttpRequest:
        raise NotImplementedError

    def read_submit(self, response: api.HttpResponse, request: api.VideoRequest, /) -> api.Snapshot:
        raise NotImplementedError

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        raise NotImplementedError

    def read_poll(
        self, response: api.HttpResponse, tasks: Sequence[api.Task], /
    ) -> Mapping[str, api.Snapshot]:
        raise NotImplementedError


async def what_a_ledger_knows(path: Path) -> None:
    """Read jobs without a client."""
    async with open_ledger(path) as ledger:
        for job in await ledger.jobs("unresolved", limit=5):
            assert_type(job, JobView)
            assert_type(job.may_resubmit, bool)
        assert_type(await ledger.job("k3jq"), JobView | None)
        assert_type([job.id async for job in ledger.unfinished()], list[str])
    assert_type(providers()["acedata"].problem, str | None)


async def strangers() -> None:
    """Fit an adapter of one's own into the protocols; its tests need one line."""
    factory: ProviderFactory = Mine
    provider: Provider = Mine(api_key="k")
    check_provider(factory)
    transport = ScriptedTransport(lambda request: api.HttpResponse(status=200))
    async with Sandbox() as sandbox, Pika(provider, "duomi", transport=transport):
        assert_type(sandbox.url, str)


def without_await(pika: plainly.Pika, prompts: Sequence[str]) -> None:
    """Every method returns what the asynchronous one is awaited for."""
    assert_type(pika.generate("A cat"), VideoResult)
    job = pika.submit("A cat", seed=7)
    assert_type(job, plainly.Job)
    assert_type(job.wait(), VideoResult)
    assert_type(pika.recover(), list[plainly.Job])
    for item in pika.map(prompts):
        assert_type(item, plainly.Item)
        assert_type(item.job, plainly.Job | None)
    with pika.open(job) as chunks:
        assert_type(next(chunks), bytes)
