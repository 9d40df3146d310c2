"""The adapter keeps the contract, reads every sample as documented, and serves two gateways at once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import pika_async.provider as api
from pika_async import Pika
from pika_async.sandbox import Sandbox
from pika_async.testing import ProviderTests
from pika_newapi import NewApi
from pika_newapi_emulator import NewApiEmulator

SAMPLES = Path(__file__).parent / "samples"
GATEWAY = NewApi(api_key=api.Secret("sk-1"), base_url="https://gateway.test/")
TASK = api.Task("66e0818e-05fb-454e-b246-a6f253e9ffbf")
CALL = api.Call(callback_url=None, attempt_id="a", now=0)


class TestNewApi(ProviderTests):
    """Every promise of the contract."""

    factory = NewApi
    emulator = NewApiEmulator()


def sample(name: str) -> api.HttpResponse:
    """Return the gateway's answer with that body."""
    return api.HttpResponse(status=200, body=(SAMPLES / name).read_bytes())


def sent(request: api.VideoRequest) -> Any:
    """Return the body that the adapter makes of *request*."""
    body = GATEWAY.build_submit(request, CALL).body
    assert isinstance(body, api.Json)
    return body.value


def looked_up(name: str) -> api.Snapshot:
    """Return what a look-up with that body tells of the task."""
    return GATEWAY.read_poll(sample(name), [TASK])[TASK.id]


def test_a_request_is_that_of_the_documents() -> None:
    """Theirs also holds what is empty, which we leave out."""
    documented = json.loads((SAMPLES / "request.generate.json").read_bytes())
    request = api.Generate(
        "moving",
        model=1.5,
        aspect_ratio="16:9",
        frame_rate=24,
        guidance_scale=12,
        motion=1,
        extra_body={"pikaffect": "", "image": "", "options": {"camera": {}, "extend": False}},
    )
    body = sent(request)
    del documented["options"]["parameters"]["negativePrompt"]
    assert body == documented


def test_an_effect_on_an_image() -> None:
    """Bytes go as Base64, and nothing is sent that nobody asked for."""
    body = sent(api.Style(style="Melt", image=api.Blob(b"png", "image/png"), prompt="it melts"))
    assert body == {"promptText": "it melts", "pikaffect": "Melt", "image": "data:image/png;base64,cG5n"}


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("submit.success.json", "c1d16f47-16c2-4798-8733-5ed9903885cc"),
        ("submit.success-302ai.json", "66e0818e-05fb-454e-b246-a6f253e9ffbf"),
    ],
)
def test_an_accepted_request(name: str, id_: str) -> None:
    """The id is bare, or inside `data`."""
    told = GATEWAY.read_submit(sample(name), api.Generate("moving"))
    assert isinstance(told, api.Pending)
    assert told.task.id == id_


@pytest.mark.parametrize(
    ("name", "state", "progress"),
    [("feed.queued.json", api.State.QUEUED, 0), ("feed.pending.json", api.State.RUNNING, 0.42)],
)
def test_a_video_on_its_way(name: str, state: api.State, progress: float) -> None:
    """`queued` waits, `pending` is being made, and `progress` is a percentage."""
    told = looked_up(name)
    assert isinstance(told, api.Pending)
    assert (told.state, told.progress) == (state, progress)


def test_a_finished_video() -> None:
    """The link is that of the result, not that for sharing."""
    told = looked_up("feed.finished.json")
    assert isinstance(told, api.Succeeded)
    folder = f"https://cdn.pika.art/v1/{TASK.id}"
    link = f"{folder}/Plane_fly_seed3183047765.mp4"
    assert told.results == (api.VideoResult(TASK.id, link, f"{folder}/poster.jpg", 5.0, api.State.SUCCEEDED),)


def test_a_failed_video() -> None:
    """The gateway's own words are kept; nobody says whether it was paid."""
    told = looked_up("feed.error.json")
    assert isinstance(told, api.Failed)
    assert (told.reason, told.message, told.charged) == ("content", "content violation", "unknown")


def test_a_ratio_with_an_image_is_refused_unsent() -> None:
    """The wire drops it, so the core says so before anything is bought."""

    async def buy() -> None:
        async with Pika(GATEWAY) as pika:
            await pika.generate("It waves", image="https://media.test/a.png", aspect_ratio="1:1")

    with pytest.raises(api.UnsupportedRequest, match="aspect_ratio"):
        asyncio.run(buy())


def test_every_gateway_has_variables_of_its_own() -> None:
    """The key of one gateway never goes to another."""
    told = NewApi(name="openai-hk", api_key=api.Secret("sk-1")).capabilities
    assert (told.key_variables, told.url_variable) == (("OPENAI_HK_API_KEY",), "OPENAI_HK_BASE_URL")


def test_two_gateways_in_one_client() -> None:
    """What the first refuses, the second makes; each job knows its gateway by name."""

    async def buy() -> tuple[str, str, dict[str, int], dict[str, int]]:
        emulators = [NewApiEmulator()]
        async with (
            Sandbox(render_time=0.1, emulators=emulators) as one,
            Sandbox(render_time=0.1, emulators=emulators) as two,
        ):
            first = NewApi(name="gptbest", api_key=api.Secret("refused"), base_url=one.url)
            second = NewApi(name="openai-hk", api_key=api.Secret("sandbox"), base_url=two.url)
            async with Pika(first, second, poll_rate=None, poll_interval=0.05) as pika:
                job = await pika.submit(api.Generate("A cat"))
                video = await job
                return job.provider, video.video_url or "", dict(one.billed), dict(two.billed)

    provider, link, one, two = asyncio.run(buy())
    assert (provider, one, two) == ("openai-hk", {}, {"A cat": 1})
    assert api.is_link(link)
