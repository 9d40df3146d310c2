"""Callbacks from a provider's POST to the caller's video: real applications, real sockets, every fault."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import re
import sqlite3
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager, closing
from pathlib import Path
from statistics import median

import aiohttp
import pytest

from pika_async import Generate, Pika, State
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.callbacks import CallbackEvent, Callbacks
from pika_async.callbacks.token import make_token
from pika_async.errors import SubmitUnknown
from pika_async.provider import HttpResponse
from pika_async.sandbox import CallbackFault, Sandbox
from pika_async.testing import FakeClock, ScriptedTransport
from tests.callbacks.application import APPLICATIONS, application, orders, patient, quick
from tests.callbacks.signing_provider import Signer, SigningSide

pytestmark = pytest.mark.anyio

LOOK_UPS = ("/pika/tasks", "/api/video/pika/feed")
FOR_THE_NET = {
    CallbackFault.LOST,
    CallbackFault.WRONG_TASK,
    CallbackFault.WRONG_TOKEN,
    CallbackFault.OVERSIZED,
    CallbackFault.SLOW,
}
"""With these no callback gets through; with the others, callbacks do it without the net."""

RECEIVER = Path(__file__).with_name("dying_receiver.py")


def looks(sandbox):
    """Count the look-ups that arrived."""
    return sum(count for (_, path), count in sandbox.requests.items() if path in LOOK_UPS)


def ends(caplog):
    """Count how often each job ended, by our log."""
    pattern = re.compile(r"job (\w+): (?:succeeded|failed|cancelled)")
    return Counter(m[1] for record in caplog.records if (m := pattern.fullmatch(record.getMessage())))


@pytest.fixture
def ended(caplog):
    """Log what ends, and return the counting adapter."""
    caplog.set_level(logging.INFO, "pika_async")
    return lambda: ends(caplog)


async def all_of(pika, requests):
    """Buy *requests* at once and return the results."""

    async def one(request):
        return await (await pika.submit(request)).wait(timeout=15)

    return await asyncio.gather(*map(one, requests))


def together(at):
    """Make renders that all end at the same moment."""
    return lambda: max(at - time.time(), 0.05)


@pytest.mark.parametrize("kind", APPLICATIONS)
async def test_acedata_costs_one_post_and_a_share_of_a_look(kind, ended):
    """Three hundred jobs: each is billed once, and confirmed together with others."""
    async with Sandbox(render_time=together(time.time() + 0.8)) as sandbox:
        async with application(patient(sandbox), kind) as pika:
            requests = [Generate(f"number {n}") for n in range(300)]
            videos = await all_of(pika, requests)
        assert len({video.id for video in videos}) == 300
        assert sandbox.billed == {request.prompt: 1 for request in requests}
        assert looks(sandbox) <= 30
    assert set(ended().values()) == {1}


async def test_duomi_costs_one_post_and_one_look(ended):
    """Its look-ups take one task each; its progress callbacks cost none."""
    async with Sandbox(render_time=together(time.time() + 0.6)) as sandbox:
        async with application(patient(sandbox)) as pika:
            requests = [Generate(f"number {n}", seed=n) for n in range(200)]
            videos = await all_of(pika, requests)
        assert len({video.id for video in videos}) == 200
        assert sandbox.billed == {request.prompt: 1 for request in requests}
        assert looks(sandbox) <= 200
    assert set(ended().values()) == {1}


@pytest.mark.parametrize("fault", CallbackFault)
async def test_every_fault_alone(fault, ended):
    """Whatever happens to every single callback, each job ends once, with its own video, billed once."""
    providers = quick if fault in FOR_THE_NET else patient
    async with Sandbox(render_time=0.15, callback_faults=fault) as sandbox:
        async with application(providers(sandbox), callbacks={"body_timeout": 0.2}) as pika:
            requests = orders(12)
            videos = await all_of(pika, requests)
            assert all(video.state is State.SUCCEEDED for video in videos)
            assert len({video.video_url for video in videos}) == 12
            # What comes late finds everything settled.
            await asyncio.sleep(0.1)
        assert sandbox.billed == {request.prompt: 1 for request in requests}
    assert set(ended().values()) == {1}
    assert len(ended()) == 12


async def test_faults_mixed_at_random(tmp_path, ended):
    """A hundred and twenty jobs of two providers on a durable ledger; nothing is lost, nothing ends twice."""
    chance = random.Random(7)
    kinds = [None, *CallbackFault]
    async with Sandbox(
        render_time=lambda: chance.uniform(0.05, 0.3), callback_faults=lambda _: chance.choice(kinds)
    ) as sandbox:
        options = {"callbacks": {"body_timeout": 0.3}, "ledger": tmp_path / "jobs.db"}
        async with application(quick(sandbox), "fastapi", **options) as pika:
            requests = orders(120)
            videos = await all_of(pika, requests)
            assert len({video.video_url for video in videos}) == 120
        assert sandbox.billed == {request.prompt: 1 for request in requests}
    assert set(ended().values()) == {1}
    assert len(ended()) == 120


@pytest.mark.parametrize("seed", [None, 1], ids=["acedata", "duomi"])
async def test_a_lost_answer_is_found_by_its_callback(seed):
    """Accepted, billed, and the line cut: the callback brings the video, and nothing is bought again."""
    async with Sandbox(render_time=0.1) as sandbox:
        async with application(patient(sandbox)) as pika:
            with pytest.raises(SubmitUnknown) as caught:
                await pika.submit(Generate("a cat sandbox-dropped", seed=seed))
            video = await caught.value.job.wait(timeout=5)
        assert video.state is State.SUCCEEDED
        assert sandbox.billed.total() == 1


async def test_progress_is_told_as_events():
    """Duomi calls back when the render begins: the waiting see it without a look."""
    async with Sandbox(render_time=0.2) as sandbox:
        async with application(patient(sandbox)) as pika:
            job = await pika.submit(Generate("a cat", seed=1))
            states = [event.state async for event in job.events()]
        assert states == [State.QUEUED, State.RUNNING, State.SUCCEEDED]
        assert looks(sandbox) == 1


async def test_garbage_is_refused_and_leaves_nothing(tmp_path):
    """Ten thousand forged, truncated, foreign and replayed POSTs during a batch change nothing."""
    ledger = SqliteLedger(tmp_path / "jobs.db")
    async with Sandbox(render_time=together(time.time() + 0.8)) as sandbox:
        async with application(patient(sandbox), ledger=ledger) as pika:
            port = int(pika._options.callbacks.public_url.split(":")[2].split("/")[0])
            tokens = replayed(pika)
            batch = asyncio.ensure_future(all_of(pika, orders(60)))
            await asyncio.sleep(0.1)
            await flood(port, tokens, 2_000)
            before = len(gc.get_objects())
            statuses = await flood(port, tokens, 8_000)
            gc.collect()
            grown = len(gc.get_objects()) - before
            videos = await batch
        assert len({video.video_url for video in videos}) == 60
    assert statuses == {404: 8_000}
    assert grown < 5_000
    assert kept(tmp_path / "jobs.db") <= 90, "30 of AceData and 60 of Duomi are genuine"


def replayed(pika):
    """Return tokens that are nobody's: forged, truncated, of another secret, of another ledger."""
    genuine = pika._lifecycle.engine.addresses.token("a1b2c3-1-zzzz")
    foreign = make_token(b"another ledger's secret", "a1b2c3-1-zzzz")
    return [genuine[:-1], genuine[:-8] + "A" * 8, foreign, "a1b2c3-1-zzzz.", "x" * 300, "", "%00"]


async def flood(port, tokens, count):
    """POST *count* times over four connections, without waiting for answers in between."""

    async def one(part):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for n in range(part):
            body = b'{"task_id": "%d"}' % n
            head = f"POST /pika/{tokens[n % len(tokens)]} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}"
            writer.write(head.encode() + b"\r\n\r\n" + body)
            if n % 100 == 99:
                await writer.drain()
                for _ in range(100):
                    answer = await reader.readuntil(b"\r\n\r\n")
                    statuses[int(answer.split(b" ", 2)[1])] += 1
        writer.close()

    statuses = Counter()
    await asyncio.gather(*(one(count // 4) for _ in range(4)))
    return statuses


async def test_replays_of_a_genuine_callback_are_harmless(tmp_path, ended):
    """The same body a hundred times, and a hundred other ones: one job, one end, thirty-two kept at most."""
    path = tmp_path / "jobs.db"
    async with (
        Sandbox(render_time=0.2, callback_faults=CallbackFault.LOST) as sandbox,
        application(patient(sandbox), ledger=path) as pika,
        aiohttp.ClientSession() as session,
    ):
        job = await pika.submit(Generate("a cat"))
        for n in range(100):
            for told in ({"success": True}, {"success": True, "n": n, "task_id": "nobody's"}):
                async with session.post(address_of(pika, job), json=told) as answer:
                    assert answer.status == 200
        await asyncio.sleep(0.1)
        assert kept(path) == 32
        # No more is kept about this attempt, the true callback included: a look, here asked for, settles it.
        assert await call_back(session, pika, job) == 200
        await job.refresh()
        assert (await job.wait(timeout=5)).state is State.SUCCEEDED
    assert set(ended().values()) == {1}


def kept(path):
    """Count the callbacks that a ledger has on file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM inbox").fetchone()[0]


def address_of(pika, job):
    """Return the callback address of a job's attempt."""
    return pika._options.callbacks.address(
        pika._lifecycle.engine.addresses.token(job._flight.record.newest.id)
    ).reveal()


@asynccontextmanager
async def receiver_process(path, port=0, die="never"):
    """Run a receiver of its own on the ledger at *path*; it may kill itself around its first commit."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(RECEIVER), str(path), str(port), die, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process._transport.close()


async def call_back(session, pika, job):
    """POST what the provider would, and return the status; None when the connection is closed."""
    body = {"success": True, "task_id": job._flight.task.id, "data": [{"state": "succeeded"}]}
    try:
        async with session.post(address_of(pika, job), json=body) as answer:
            return answer.status
    except aiohttp.ClientError:
        return None


@asynccontextmanager
async def apart(path, address, providers):
    """Open a client that only waits; its callbacks go to the receiver at *address*."""
    callbacks = Callbacks(public_url=address)
    async with Pika(*providers, ledger=path, callbacks=callbacks, poll_rate=None, poll_interval=0.02) as pika:
        yield pika


async def test_the_waiting_process_learns_within_a_tenth_of_a_second(tmp_path):
    """Another process received the callback; only the ledger is shared."""
    path, delays = tmp_path / "jobs.db", []
    async with (
        Sandbox(render_time=0.05, callback_faults=CallbackFault.LOST) as sandbox,
        receiver_process(path) as (_, address),
        apart(path, address, patient(sandbox)) as pika,
        aiohttp.ClientSession() as session,
    ):
        for n in range(5):
            job = await pika.submit(Generate(f"number {n}"))
            await asyncio.sleep(0.06)
            assert await call_back(session, pika, job) == 200
            started = time.perf_counter()
            await job.wait(timeout=5)
            delays.append(time.perf_counter() - started)
        assert looks(sandbox) == 5
    assert median(delays) < 0.1


@pytest.mark.parametrize("die", ["before", "after"])
async def test_a_receiver_killed_around_its_commit(tmp_path, die, ended):
    """Kill -9 before the commit or before the 2xx: the provider's repeat settles the job, once."""
    path = tmp_path / "jobs.db"
    async with (
        Sandbox(render_time=0.05, callback_faults=CallbackFault.LOST) as sandbox,
        receiver_process(path, die=die) as (process, address),
        apart(path, address, patient(sandbox)) as pika,
        aiohttp.ClientSession() as session,
    ):
        job = await pika.submit(Generate("a cat"))
        await asyncio.sleep(0.06)
        assert await call_back(session, pika, job) is None
        assert await process.wait() == -9
        if die == "after":
            assert (await job.wait(timeout=5)).state is State.SUCCEEDED
        async with receiver_process(path, int(address.rpartition(":")[2])):
            assert await call_back(session, pika, job) == 200
            assert (await job.wait(timeout=5)).state is State.SUCCEEDED
        assert sandbox.billed.total() == 1
    assert set(ended().values()) == {1}


async def test_a_killed_receiver_is_not_missed(tmp_path):
    """Nobody repeats, nobody receives any more: the net settles every job."""
    path = tmp_path / "jobs.db"
    async with (
        Sandbox(render_time=0.1) as sandbox,
        receiver_process(path, die="before") as (process, address),
        apart(path, address, quick(sandbox)) as pika,
    ):
        videos = await all_of(pika, orders(10))
        assert await process.wait() == -9
        assert len({video.video_url for video in videos}) == 10
        assert sandbox.billed.total() == 10


async def test_a_provider_that_signs():
    """Keys are fetched once; what they sign is confirmed by a look, what they do not is not even a hint."""
    side, clock, asked = SigningSide(), FakeClock(), Counter()
    done = {"id": "t1", "state": "done", "url": "https://cdn.test/a.mp4"}

    def host(request):
        asked[request.method, request.url.rpartition("/")[2]] += 1
        match request.method, request.url.rpartition("/")[2]:
            case "POST", _:
                told = json.dumps({"id": "t1", "state": "running"}).encode()
            case _, "keys":
                told = side.keys()
            case _:
                told = json.dumps(done).encode()
        return HttpResponse(status=200, headers={}, body=told)

    callbacks = Callbacks(public_url="https://app.test/pika")
    transport = ScriptedTransport(host)
    async with Pika(Signer(api_key="k"), callbacks=callbacks, transport=transport, clock=clock) as pika:
        job = await pika.submit(Generate("a cat"))

        async def push(signer, body):
            event = CallbackEvent(
                attempt_id=job._flight.record.newest.id,
                content_type="application/json",
                headers=signer.headers(body, clock.wall()),
                body=body,
            )
            await pika._lifecycle.engine.inbox.receive(event)
            await clock.advance(3)

        await push(SigningSide(), json.dumps({**done, "url": "https://evil.test/"}).encode())
        await push(side, json.dumps({"id": "t1", "state": "running"}).encode())
        assert asked["GET", "t1"] == 0
        await push(side, json.dumps(done).encode())
        assert (await job).video_url == "https://cdn.test/a.mp4"
        assert (asked["GET", "t1"], asked["GET", "keys"]) == (1, 1)
