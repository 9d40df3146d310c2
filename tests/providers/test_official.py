"""What is special in Pika's own API: keys that make a submit repeatable, uploads, and where results stand."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from pika_async import ContentBlocked, Edit, Frame, Generate, Style, UnsupportedRequest
from pika_async.emulator import Held, World
from pika_async.provider import Blob, Call, HttpRequest, HttpResponse, Json, Pending, Succeeded, Task
from pika_async.sandbox import Sandbox
from pika_async.testing import Cassette, FakeWorld
from pika_official import PikaEmulator, PikaOfficial

KEY = "sandbox-official"
PIKA = PikaOfficial(api_key=KEY)
PNG, MP4 = b"\x89PNG\r\n\x1a\n...", b"\x00\x00\x00\x18ftypmp42..."


@define
class Recorder:
    """A real emulator that keeps what it is asked."""

    real: PikaEmulator = field(factory=PikaEmulator)
    asked: list[HttpRequest] = field(factory=list)

    @property
    def paths(self) -> tuple[str, ...]:
        return self.real.paths

    def answer(self, request: HttpRequest, world: World, /) -> HttpResponse | Held:
        self.asked.append(request)
        return self.real.answer(request, world)


@pytest.mark.anyio
async def test_files_are_uploaded_once_and_without_the_key():
    """The bucket gets the bytes, the headers of its grant and no key; the submit gets the link."""
    recorder = Recorder()
    async with Sandbox(render_time=0.0, emulators=[recorder]) as sandbox, sandbox.client("pika") as pika:
        for prompt in ("A cat", "A dog"):
            await pika.generate(prompt, image=PNG, timeout=5)
        await pika.edit("A hat", MP4, mask=PNG, timeout=5)
    puts = [request for request in recorder.asked if request.method == "PUT"]
    assert [put.body.data for put in puts if isinstance(put.body, Blob)] == [PNG, MP4]
    assert all(put.headers["x-signed"] == "exact" for put in puts)
    assert not any({"x-api-key", "authorization"} & put.headers.keys() for put in puts)
    bodies = [request.body.value for request in recorder.asked if "/v1/media/pika/" in request.url]  # type: ignore[union-attr]
    assert bodies[0]["image"] == bodies[1]["image"] == bodies[2]["modify_region_mask"]
    assert bodies[2]["video"] != bodies[0]["image"]


@pytest.mark.anyio
@pytest.mark.parametrize("serves_files", [False, True])
async def test_a_result_is_found_wherever_it_stands(serves_files: bool, tmp_path: Path):
    """In the document, behind `/content`, or at the API itself, which redirects or sends it for the key."""
    recorder = Recorder(PikaEmulator(serves_files=serves_files))
    async with Sandbox(render_time=0.0, emulators=[recorder]) as sandbox, sandbox.client("pika") as pika:
        inline = await pika.generate("A cat", timeout=5)
        content = await pika.edit("A hat", "https://m.test/a.mp4", timeout=5)
        of_api = await pika.generate("A day", frames=["https://m.test/a.png"] * 2, timeout=5)
        assert "/v1/files/" in of_api.url
        for name, video in (("inline", inline), ("content", content), ("api", of_api)):
            assert (await pika.download(video, tmp_path / f"{name}.mp4")).size > 1000
    keyed = [request for request in recorder.asked if "/v1/files/" in request.url]
    assert len(keyed) == 1
    assert all(request.headers["x-api-key"] == "sandbox" for request in keyed)


@pytest.mark.anyio
async def test_a_video_behind_the_key_is_recorded_and_bought_once(tmp_path: Path):
    """The tape holds its bytes and no key; an equal order finds it there, and reads it with the key."""
    frames, tape = ["https://m.test/a.png"] * 2, tmp_path / "day.json"
    options: dict[str, Any] = {"ledger": tmp_path / "jobs.db", "reuse": timedelta(days=1)}
    async with Sandbox(render_time=0.0, emulators=[PikaEmulator(serves_files=True)]) as sandbox:
        for transport in (None, Cassette(tape, record=True)):
            async with sandbox.client("pika", transport=transport, **options) as pika:
                video = await pika.generate("A day", frames=frames, timeout=5)
                first = await pika.download(video, tmp_path / "day.mp4", overwrite=True)
        assert sandbox.billed.total() == 1
        arrived = sandbox.requests.total()
        async with sandbox.client("pika", transport=Cassette(tape)) as pika:
            again = await pika.download(video, tmp_path / "again.mp4")
        assert (again.sha256, sandbox.requests.total()) == (first.sha256, arrived)


def ask(world: FakeWorld, request: HttpRequest) -> tuple[int, Any]:
    answer = world.ask(PikaEmulator(), request)
    assert answer is not None
    return answer.status, json.loads(answer.body)


def submit(prompt: str = "A cat", attempt: str = "j-1-x") -> HttpRequest:
    return PIKA.build_submit(Generate(prompt), Call(callback_url=None, attempt_id=attempt, now=0.0))


def test_the_same_submit_reaches_the_same_job():
    """In its present state, and billed once; another body under the key is refused, another key buys anew."""
    world = FakeWorld()
    _, first = ask(world, submit())
    world.now += 100 * world.render_time
    assert ask(world, submit())[1]["id"] == first["id"]
    assert ask(world, submit())[1]["status"] == "completed"
    assert world.billed == ["A cat"]
    assert ask(world, submit("A dog"))[0] == 409
    assert ask(world, submit(attempt="j-2-x"))[1]["id"] != first["id"]
    assert len(world.billed) == 2


def test_a_submit_may_be_repeated_after_what_proves_nothing():
    """For how long is published nowhere, so the client's own option stands."""
    replay = PIKA.capabilities.replay
    assert replay is not None
    assert replay.seconds is None
    assert [replay.allows(status) for status in (None, 500, 503, 504, 409, 429)] == [True] * 4 + [False] * 2


def test_a_completed_job_without_a_link_is_asked_for_its_content_and_then_anew():
    """It may have been told too early, so the job itself is looked up again; its cost is kept on the way."""
    bill = {"state": "settled", "charge_micro_usd": 200_000}
    done = HttpResponse(
        status=200, body=json.dumps({"id": "m", "status": "completed", "billing": bill}).encode()
    )
    seen = PIKA.read_poll(done, [Task("m")])["m"]
    assert isinstance(seen, Pending)
    assert seen.poll_after == 0
    assert PIKA.build_poll([seen.task]).url.endswith("/v1/media/jobs/m/content")
    early = PIKA.read_poll(HttpResponse(status=200, body=b'{"url": null}'), [seen.task])["m"]
    assert PIKA.build_poll([seen.task.merged(early.task)]).url.endswith("/v1/media/jobs/m")
    link = PIKA.read_poll(HttpResponse(status=200, body=b'{"url": "https://cdn.test/a.mp4"}'), [seen.task])[
        "m"
    ]
    assert isinstance(link, Succeeded)
    assert link.cost == 0.2


@pytest.mark.parametrize("state", ["pending", "unavailable"])
def test_a_bill_that_is_not_settled_says_nothing(state):
    """It never means that the job was free."""
    body = {"id": "m", "status": "failed", "error": {"code": "internal"}, "billing": {"state": state}}
    told = PIKA.read_poll(HttpResponse(status=200, body=json.dumps(body).encode()), [Task("m")])["m"]
    assert (told.charged, told.cost) == ("unknown", None)  # type: ignore[union-attr]


@pytest.mark.parametrize("word", ["cancelled", "canceled", "error", "failed"])
def test_some_clients_words_for_an_end_are_failures(word):
    """A submit that is answered so bought nothing."""
    body = json.dumps({"id": "m", "status": word, "error": {"code": "content_moderation"}}).encode()
    for status in (200, 403, 503):
        with pytest.raises(ContentBlocked) as caught:
            PIKA.read_submit(HttpResponse(status=status, body=body), Generate("A cat"))
        assert (caught.value.charged, caught.value.settles_key) == ("no", True)


def test_an_unknown_word_is_still_running():
    """A new state must not lose a video."""
    body = b'{"id": "m", "status": "polishing"}'
    assert isinstance(PIKA.read_submit(HttpResponse(status=200, body=body), Generate("A cat")), Pending)
    assert isinstance(PIKA.read_poll(HttpResponse(status=200, body=body), [Task("m")])["m"], Pending)


@pytest.mark.parametrize(
    ("request_", "operation"),
    [
        (Generate("x"), "pika-2.5/text-to-video"),
        (Style(style="Melt", video="https://m.test/a.mp4"), "pikaffects/video-to-video"),
        (Edit("x", "https://m.test/a.mp4"), "pikadditions/video-to-video"),
        (Edit("x", "https://m.test/a.mp4", region="hat"), "pikaswaps/video-to-video"),
    ],
)
def test_a_quote_is_asked_for_the_body_that_would_be_bought(request_, operation):
    """Without the key; media that are not uploaded yet have no quote."""
    built = PIKA.build_submit(request_, Call(callback_url=None, attempt_id="a", now=0.0))
    asked = PIKA.build_estimate(request_)
    assert asked is not None
    assert asked.url.endswith(f"/catalog/apis/pika%2F{operation.replace('/', '%2F')}/quote")
    assert isinstance(asked.body, Json)
    assert asked.body == built.body
    assert not asked.bears_secrets
    assert PIKA.build_estimate(Generate("x", image=PNG)) is None


def test_times_of_frames_that_are_no_whole_seconds_are_refused():
    """The wire has whole seconds alone."""
    with pytest.raises(UnsupportedRequest, match="whole seconds"):
        PIKA.check_request(
            Generate(frames=[Frame("https://m.test/a.png", seconds=2.5), "https://m.test/b.png"])
        )
