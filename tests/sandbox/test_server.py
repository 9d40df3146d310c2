"""The sandbox over real sockets: modes, outcomes, media, faults of callers and of emulators."""

import asyncio
import itertools
import json
import logging
import shlex
import time
from functools import partial
from itertools import pairwise

import aiohttp
import pytest

from pika_acedata._emulator import AceDataEmulator
from pika_async.emulator import Held, Outcome
from pika_async.errors import ConfigError
from pika_async.provider import Form, HttpResponse
from pika_async.sandbox import Sandbox
from pika_duomi._emulator import DuomiEmulator

pytestmark = pytest.mark.anyio

EMULATORS = (AceDataEmulator(), DuomiEmulator())
sandbox_with = partial(Sandbox, render_time=0.03, emulators=EMULATORS)
BEARER = {"authorization": "Bearer sandbox-key"}
ACE = {"action": "generate", "prompt": "moving", "model": "2.0"}
DUO = {
    "key": "sandbox",
    "callback_url": "https://callback.invalid/t",
    "prompt": "x",
    "ratio": "1:1",
    "options": {"frameRate": 8},
}

SEED_A = """curl -X POST 'https://api.acedata.cloud/pika/videos' \\
-H 'accept: application/json' \\
-H 'authorization: Bearer {token}' \\
-H 'content-type: application/json' \\
-d '{
"action": "generate",
"prompt": "moving",
"model": "2.0"
}'"""

SEED_B = """curl --location --request POST 'http://duomiapi.com/api/video/pika/pro/generate' \\
--header 'Content-Type: application/json' \\
--data-raw '{
    "key":"Bh3oi26r1FPFCMrJ59RKngSXB2",
    "callback_url":"http://baidu.com",
    "style":"Inflate",
    "ratio":"16:9",
    "prompt":"一只小猫",
    "sfx": true,
    "model":1.5,
    "options": {
        "frameRate": 20,
        "camera": {
            "pan": "right",
            "tilt": "up",
            "rotate": "cw",
            "zoom": "in"
        },
        "parameters": {
            "guidanceScale": 16,
            "motion": 2,
            "negativePrompt": "ugly",
            "seed": 144124
        }
    }
}'"""


async def post(client, url, body, headers=BEARER):
    async with client.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


def signalled(accepted):
    """Return a render time of an hour that sets *accepted* when it is asked for."""

    def render_time():
        accepted.set()
        return 3600.0

    return render_time


async def run_curl(client, line):
    """Do what a curl line of the seeds says."""
    words = shlex.split(line.replace("\\\n", " "))
    url = next(word for word in words if word.startswith("http"))
    headers, data = {}, b""
    for flag, value in pairwise(words):
        if flag in {"-H", "--header"}:
            name, _, text = value.partition(": ")
            headers[name] = text
        if flag in {"-d", "--data-raw"}:
            data = value.encode()
    async with client.post(url, data=data, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_the_acedata_seeds_curl_line_works(client):
    """With only host and key replaced, seed A's command answers with a video."""
    async with sandbox_with() as sandbox:
        line = SEED_A.replace("https://api.acedata.cloud", sandbox.url).replace("{token}", "sandbox")
        status, body = await run_curl(client, line)
        assert (status, body["success"], body["data"][0]["state"]) == (200, True, "succeeded")
        async with client.get(body["data"][0]["video_url"]) as answer:
            assert (await answer.read())[4:8] == b"ftyp"


async def test_the_duomi_seeds_curl_line_works(client, receiver):
    """With only host, key and callback replaced, seed B's command gets a task and a callback."""
    async with sandbox_with() as sandbox:
        line = SEED_B.replace("http://duomiapi.com", sandbox.url).replace("http://baidu.com", receiver.url)
        status, body = await run_curl(client, line.replace("Bh3oi26r1FPFCMrJ59RKngSXB2", "sandbox"))
        assert (status, body["code"]) == (200, 200)
        progress, end = await receiver.bodies(2)
    assert (progress["status"], end["status"], end["task_id"]) == ("1", "3", body["data"]["task_id"])


async def test_a_held_answer_waits_for_the_render(client):
    """AceData's held line ends with the render, and others are answered meanwhile."""
    async with sandbox_with(render_time=0.1) as sandbox:
        began = time.monotonic()
        held = asyncio.create_task(post(client, f"{sandbox.url}/pika/videos", ACE))
        status, _ = await post(client, f"{sandbox.url}/pika/tasks", {"id": "nobody"})
        assert (status, held.done()) == (200, False)
        status, body = await held
    assert (status, body["data"][0]["duration"]) == (200, 5)
    assert time.monotonic() - began >= 0.1


async def test_a_task_outlives_the_line_that_was_held_for_it(client):
    """When the caller hangs up, the render goes on and history finds it."""
    now, accepted = [1000.0], asyncio.Event()
    async with sandbox_with(clock=lambda: now[0], render_time=signalled(accepted)) as sandbox:
        held = asyncio.create_task(post(client, f"{sandbox.url}/pika/videos", ACE))
        await asyncio.wait_for(accepted.wait(), 5)
        held.cancel()
        now[0] += 3600
        _, body = await post(client, f"{sandbox.url}/pika/tasks", {"action": "retrieve_batch"})
    assert body["items"][0]["response"]["success"] is True
    assert sandbox.billed == {"moving": 1}


async def test_submits_are_counted_when_they_are_accepted(client):
    """`billed` counts accepted prompts, `requests` everything that came."""
    async with sandbox_with() as sandbox:
        for prompt in ("a", "a", f"b {Outcome.MODERATED}"):
            await post(client, f"{sandbox.url}/pika/videos", {**ACE, "prompt": prompt, "async": True})
        await post(client, f"{sandbox.url}/api/video/pika/pro/generate", DUO)
        async with client.get(f"{sandbox.url}/api/account/get?x=secret") as answer:
            assert answer.status == 200
    assert sandbox.billed == {"a": 2, "x": 1}
    assert sandbox.requests == {
        ("POST", "/pika/videos"): 3,
        ("POST", "/api/video/pika/pro/generate"): 1,
        ("GET", "/api/account/get"): 1,
    }


@pytest.mark.parametrize("provider", ["acedata", "duomi"])
@pytest.mark.parametrize("outcome", Outcome)
async def test_every_magic_word_works_over_sockets(client, provider, outcome, caplog):
    """The words of the table reach the wire: status, headers, content type, or a cut line."""
    prompt = f"A cat {outcome}"
    async with sandbox_with() as sandbox:
        if provider == "acedata":
            url, body = f"{sandbox.url}/pika/videos", {**ACE, "prompt": prompt, "async": True}
        else:
            url, body = f"{sandbox.url}/api/video/pika/pro/generate", {**DUO, "prompt": prompt}
        if outcome is Outcome.DROPPED:
            with pytest.raises(aiohttp.ClientError):
                await post(client, url, body)
        else:
            async with client.post(url, json=body, headers=BEARER) as answer:
                assert answer.headers.get("retry-after") == ("2" if outcome is Outcome.RETRY_AFTER else None)
                is_html = outcome is Outcome.HTML
                assert answer.content_type == ("text/html" if is_html else "application/json")
        assert sandbox.billed == ({prompt: 1} if outcome.meaning.startswith("accepted") else {})
    assert not caplog.records


async def test_media_are_really_served(client):
    """A link of a result is a whole MP4 with length, tag and type, and a HEAD of it has no body."""
    async with sandbox_with() as sandbox:
        _, body = await post(client, f"{sandbox.url}/pika/videos", ACE)
        item = body["data"][0]
        async with client.get(item["video_url"]) as answer:
            data = await answer.read()
            etag = answer.headers["etag"]
            assert (answer.status, answer.content_type) == (200, "video/mp4")
            assert answer.headers["content-length"] == str(len(data))
            assert answer.headers["accept-ranges"] == "bytes"
        async with client.head(item["video_url"], headers={"range": "bytes=0-9"}) as answer:
            assert (answer.status, answer.headers["content-length"]) == (200, str(len(data)))
            assert (answer.headers["etag"], await answer.read()) == (etag, b"")
        async with client.get(item["image_url"]) as answer:
            assert answer.content_type == "image/jpeg"
            assert (await answer.read())[:2] == b"\xff\xd8"


async def test_media_can_be_resumed(client):
    """Range and If-Range work over the wire, and the answer to an impossible range holds the size."""
    async with sandbox_with(video=b"0123456789") as sandbox:
        url = f"{sandbox.url}/media/some-task/video.mp4"
        async with client.get(url, headers={"range": "bytes=4-"}) as answer:
            assert (answer.status, await answer.read()) == (206, b"456789")
            assert answer.headers["content-range"] == "bytes 4-9/10"
            assert answer.headers["content-length"] == "6"
            etag = answer.headers["etag"]
        async with client.get(url, headers={"range": "bytes=4-", "if-range": etag}) as answer:
            assert answer.status == 206
        async with client.get(url, headers={"range": "bytes=4-", "if-range": '"older"'}) as answer:
            assert (answer.status, await answer.read()) == (200, b"0123456789")
        async with client.get(url, headers={"range": "bytes=10-"}) as answer:
            assert (answer.status, answer.headers["content-range"]) == (416, "bytes */10")


@pytest.mark.parametrize(
    "path", ["/media/t/other.mp4", "/media/video.mp4", "/media/a/b/video.mp4", "/nowhere"]
)
async def test_unknown_addresses_are_404(client, path):
    """Nothing else is served."""
    async with sandbox_with() as sandbox, client.get(sandbox.url + path) as answer:
        assert answer.status == 404


class Echo:
    """An emulator that shows what reached it, and breaks on demand."""

    paths = ("/echo/",)

    def answer(self, request, world, /):
        match request.url.rpartition("/")[2]:
            case "crash":
                raise RuntimeError("a bug of the emulator")
            case "later-crash":
                return Held(until=world.now, answer=lambda: 1 // 0)
            case "cut":
                return Held(until=world.now + world.render_time)
            case _:
                seen = {
                    "kind": type(request.body).__name__,
                    "body": request.body.fields
                    if isinstance(request.body, Form)
                    else request.body and request.body.value,
                    "query": request.query,
                    "header": request.headers.get("x-case"),
                }
                return HttpResponse(status=200, body=json.dumps(seen).encode())


@pytest.mark.parametrize(
    ("content_type", "data", "kind", "body"),
    [
        ("application/json", b'{"a": 1}', "Json", {"a": 1}),
        ("application/json; charset=utf-8", b'{"a": 1}', "Json", {"a": 1}),
        ("application/json", b"[1]", "NoneType", None),
        ("application/json", b"{", "NoneType", None),
        ("application/json", b"\xff", "NoneType", None),
        ("application/json", b"[" * 100_000, "NoneType", None),
        ("application/x-www-form-urlencoded", b"a=1&b=", "Form", {"a": "1", "b": ""}),
        ("application/octet-stream", b'{"a": 1}', "NoneType", None),
        ("application/json", b"", "NoneType", None),
    ],
)
async def test_bodies_reach_emulators_as_values(client, content_type, data, kind, body):
    """JSON objects and forms arrive decoded, anything else as None; header names are lower-case."""
    async with Sandbox(emulators=[Echo()]) as sandbox:
        headers = {"content-type": content_type, "X-Case": "Kept"}
        async with client.post(f"{sandbox.url}/echo/it?q=%20&r=", data=data, headers=headers) as answer:
            seen = json.loads(await answer.read())
    assert seen == {"kind": kind, "body": body, "query": {"q": " ", "r": ""}, "header": "Kept"}


@pytest.mark.parametrize("path", ["/echo/crash", "/echo/later-crash"])
async def test_a_crashing_emulator_is_a_500_and_not_the_end(client, path, caplog):
    """The caller gets 500, the log the traceback, and the next request an answer."""
    async with Sandbox(emulators=[Echo()]) as sandbox:
        with caplog.at_level(logging.ERROR, "pika_async.sandbox"):
            async with client.post(sandbox.url + path) as answer:
                assert answer.status == 500
        assert caplog.records[0].exc_info
        async with client.post(f"{sandbox.url}/echo/it") as answer:
            assert answer.status == 200


async def test_a_cut_line_ends_without_an_answer(client):
    """A `Held` without an answer closes the connection at its time."""
    async with Sandbox(emulators=[Echo()], render_time=0.01) as sandbox:
        with pytest.raises(aiohttp.ClientError):
            await client.post(f"{sandbox.url}/echo/cut")


async def test_unknown_methods_are_405(client):
    """A method no provider has is refused before any emulator is asked."""
    async with Sandbox(emulators=[Echo()]) as sandbox:
        answer = await client.request("PATCH", f"{sandbox.url}/echo/it")
        assert answer.status == 405


async def test_half_a_request_is_none(client, caplog):
    """A caller that hangs up within its own body has bought nothing, and the log stays silent."""
    async with sandbox_with() as sandbox:
        host, port = sandbox.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = ("POST /pika/videos HTTP/1.1", "Host: 127.0.0.1", "Authorization: Bearer sandbox")
        body = ("Content-Type: application/json", "Content-Length: 99", "", "{")
        writer.write("\r\n".join((*head, *body)).encode())
        await writer.drain()
        await post(client, f"{sandbox.url}/pika/tasks", {"id": "nobody"})
        writer.close()
        await writer.wait_closed()
        status, _ = await post(client, f"{sandbox.url}/pika/tasks", {"id": "nobody"})
    assert (status, sandbox.requests["POST", "/pika/videos"], sandbox.billed) == (200, 1, {})
    assert not caplog.records


async def test_render_times_can_vary(client):
    """A function returns a time of its own for each render."""
    times = iter([0.02, 3600.0])
    async with sandbox_with(render_time=lambda: next(times)) as sandbox:
        status, _ = await post(client, f"{sandbox.url}/pika/videos", ACE)
        _, accepted = await post(client, f"{sandbox.url}/pika/videos", {**ACE, "async": True})
        _, slow = await post(client, f"{sandbox.url}/pika/tasks", {"id": accepted["task_id"]})
    assert (status, "response" in slow) == (200, False)


@pytest.mark.parametrize("render_time", ["3", None, -1, float("nan"), float("inf"), True])
def test_a_render_time_that_is_none_is_refused(render_time):
    """Where it is given, not at the first order."""
    with pytest.raises(ConfigError, match="render_time"):
        sandbox_with(render_time=render_time)


async def test_the_clock_is_injected(client):
    """Tasks bear the time of the clock that was handed in."""
    async with sandbox_with(clock=lambda: 1234.5) as sandbox:
        _, accepted = await post(client, f"{sandbox.url}/pika/videos", {**ACE, "async": True})
        _, task = await post(client, f"{sandbox.url}/pika/tasks", {"id": accepted["task_id"]})
    assert task["created_at"] == 1234.5


async def test_an_answer_is_made_at_one_moment(client):
    """However busy the machine is: the time stands still within an answer, and goes on between answers."""
    seen = []

    class Watching(Echo):
        def answer(self, request, world, /):
            seen.append({world.now for _ in range(3)})
            return super().answer(request, world)

    times = itertools.count(1000)
    async with Sandbox(emulators=[Watching()], clock=lambda: float(next(times))) as sandbox:
        for _ in range(2):
            await client.post(f"{sandbox.url}/echo/it")
    assert [len(moments) for moments in seen] == [1, 1]
    assert seen[0] != seen[1]


async def test_stopping_cuts_held_lines_at_once(client):
    """Nobody waits for a render that a stopped sandbox will not finish."""
    accepted = asyncio.Event()
    async with sandbox_with(render_time=signalled(accepted)) as sandbox:
        held = asyncio.create_task(post(client, f"{sandbox.url}/pika/videos", ACE))
        await asyncio.wait_for(accepted.wait(), 5)
    with pytest.raises(aiohttp.ClientError):
        await held


async def test_a_stopped_sandbox_starts_again_where_it_was(client):
    """Address, tasks and counts outlive a stop."""
    sandbox = sandbox_with()
    await sandbox.start()
    url = sandbox.url
    _, accepted = await post(client, f"{url}/pika/videos", {**ACE, "async": True})
    await sandbox.stop()
    async with sandbox:
        assert sandbox.url == url
        _, task = await post(client, f"{url}/pika/tasks", {"id": accepted["task_id"]})
    assert task["id"] == accepted["task_id"]


async def test_a_taken_port_is_an_oserror():
    """Two sandboxes cannot share a port, and the second one leaves nothing open."""
    async with sandbox_with() as first:
        second = sandbox_with(port=int(first.url.rpartition(":")[2]))
        with pytest.raises(OSError, match="address already in use"):
            await second.start()


def test_there_is_no_address_before_the_start():
    """Asking too early is an error in one sentence."""
    with pytest.raises(ConfigError, match="start it first"):
        _ = sandbox_with().url


async def test_our_own_emulators_are_installed(client):
    """Without a word both shipped providers are spoken."""
    async with Sandbox(render_time=0.01) as sandbox:
        status, _ = await post(client, f"{sandbox.url}/pika/videos", ACE)
        _, body = await post(client, f"{sandbox.url}/api/video/pika/pro/generate", DUO)
    assert (status, body["code"], sandbox.broken) == (200, 200, {})


async def test_a_thousand_tasks_in_flight(client):
    """A batch of submits and one look-up of all of them is no effort."""
    async with sandbox_with(render_time=3600) as sandbox:
        url = f"{sandbox.url}/pika/videos"
        body = {**ACE, "callback_url": "https://callback.invalid/t"}
        answers = await asyncio.gather(*(post(client, url, body) for _ in range(1000)))
        ids = [answer["task_id"] for _, answer in answers]
        _, batch = await post(client, f"{sandbox.url}/pika/tasks", {"action": "retrieve_batch", "ids": ids})
    assert (len({*ids}), batch["count"], sandbox.billed["moving"]) == (1000, 1000, 1000)
