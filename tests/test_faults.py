"""The client against a provider whose connections fail: one POST each, the outcome named rightly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import Factory, define, evolve, field, frozen

from pika_acedata import AceData
from pika_async import Generate, Pika, State
from pika_async._engine.expectation import Stage
from pika_async._token import JobToken
from pika_async._transport import Timeouts, Transport
from pika_async.errors import (
    AuthError,
    ConfigError,
    ContentBlocked,
    InsufficientBalance,
    JobTimeout,
    PikaError,
    ProviderUnavailable,
    RateLimited,
    SubmitRefused,
    SubmitUnknown,
)
from pika_async.provider import (
    Call,
    Capabilities,
    HttpRequest,
    HttpResponse,
    Json,
    Pending,
    Secret,
    Succeeded,
    Task,
    VideoResult,
)
from pika_async.testing import FakeClock, ScriptedTransport
from tests import hostile
from tests.hostile import Asked, Identity, Script, Server, Wire, http, serving, shown

pytestmark = pytest.mark.anyio

CANARY = "sandbox-canary-91c7"
PATIENT = Timeouts(connect=5.0, submit=5.0, poll=5.0, held=5.0)
HASTY = Timeouts(connect=0.1, submit=0.2, poll=5.0, held=5.0)


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return hostile.identity(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def client(
    url: str, *others: Any, timeouts: Timeouts = PATIENT, trust: Identity | None = None, **options: Any
) -> AsyncIterator[Pika]:
    """Open a client of AceData at *url*, then of *others*."""
    transport = Transport(trust_env=False, timeouts=timeouts)
    if trust is not None:
        transport._connector._ssl = trust.client
    options = {"poll_rate": None, "poll_interval": 0.01, **options}
    async with Pika(AceData(api_key=CANARY, base_url=url), *others, transport=transport, **options) as pika:
        yield pika


async def failure(
    pika: Pika, kind: type[PikaError] = PikaError, prompt: str = "a cat", **options: Any
) -> Any:
    """Buy a video and give the error, which holds all a person needs and no secret."""
    with pytest.raises(PikaError) as caught:
        await pika.generate(prompt, **options)
    error = caught.value
    assert type(error) is kind
    assert error.provider == error.job.provider
    assert error.phase in {"submit", "poll"}
    assert JobToken.decode(error.token).job_id == error.job.id
    assert CANARY not in shown(error)
    return error


@define
class Desk:
    """AceData as its documents have it: takes every order, and answers and renders when it is told to."""

    finished: Callable[[str], bool] = lambda task: True
    answers: asyncio.Event = Factory(asyncio.Event)
    refusal: bytes | None = None
    looks: list[tuple[str, ...]] = field(factory=list)
    open: set[str] = field(factory=set)
    most_open: int = 0

    @classmethod
    def at_once(cls, **options: Any) -> Desk:
        desk = cls(**options)
        desk.answers.set()
        return desk

    async def __call__(self, wire: Wire) -> None:
        while True:
            asked = await wire.ask()
            wire.send(self._looked(asked) if asked.target.endswith("/tasks") else await self._ordered(asked))

    async def _ordered(self, asked: Asked) -> bytes:
        task = f"task of {asked.json['prompt']}"
        self.open.add(task)
        self.most_open = max(self.most_open, len(self.open))
        await self.answers.wait()
        return http(200, {"task_id": task})

    def _looked(self, asked: Asked) -> bytes:
        ids = asked.json.get("ids") or [asked.json["id"]]
        self.looks.append(tuple(ids))
        if self.refusal is not None:
            return self.refusal
        records = [self._record(task) for task in ids]
        return http(200, records[0] if "id" in asked.json else {"items": records, "count": len(ids)})

    def _record(self, task: str) -> dict[str, Any]:
        record: dict[str, Any] = {"id": task, "request": {"action": "generate"}}
        if self.finished(task):
            self.open.discard(task)
            video = {"id": f"video of {task}", "video_url": "https://cdn.test/v.mp4", "state": "succeeded"}
            record["response"] = {"success": True, "task_id": task, "data": [video]}
        return record


async def settled(server: Server, prompt: str) -> None:
    """Wait until the POST for *prompt* is whole at the server."""
    await server.until(lambda: server.posts[prompt] == 1)


async def until_done(task: asyncio.Task[Any], clock: FakeClock) -> None:
    """Let engine time go on as fast as the sockets can follow."""
    async with asyncio.timeout(5):
        while not task.done():
            await clock.advance(0.5)
            await asyncio.wait({task}, timeout=0.005)


# Nothing left


@pytest.mark.parametrize("fault", ["refused", "certificate", "handshake reset", "handshake stalled"])
async def test_what_never_left_costs_nothing(fault: str, identity: Identity) -> None:
    """A connection that never stood gives ProviderUnavailable, and the very same call may be made again."""
    script = {
        "refused": hostile.forever,
        "certificate": hostile.forever,
        "handshake reset": hostile.reset_before_reading,
        "handshake stalled": hostile.forever,
    }[fault]
    async with serving(script, identity.server if fault == "certificate" else None) as server:
        url = hostile.nobody() if fault == "refused" else server.url.replace("http:", "https:")
        async with client(url, timeouts=HASTY) as pika:
            error = await failure(pika, ProviderUnavailable)
            assert (error.charged, error.retryable, error.phase) == ("no", True, "submit")
            assert error.job.state is State.FAILED
            assert pika.stats()["acedata:default"].in_flight == 0
        assert not server.posts


# It may have been accepted

ACCEPTED = {"task_id": "c372e7bc", "trace_id": "781cc036"}
FORBIDDEN = {"error": {"code": "forbidden", "message": "Against our standards."}, "trace_id": "2efa9340"}
USED_UP = {"error": {"code": "used_up", "message": "Your balance is not sufficient."}}
PAGE = b"<html><h1>Just a moment...</h1></html>"


async def late(wire: Wire) -> None:
    await wire.ask()
    await asyncio.sleep(0.3)
    wire.send(http(200, ACCEPTED))


async def never_taken(wire: Wire) -> None:
    await wire.started()
    await hostile.forever(wire)


LOST: dict[str, Script] = {
    "reset before reading": hostile.reset_before_reading,
    "closed before reading": hostile.close_on_start,
    "reset after reading": hostile.reset_after_reading,
    "closed after reading": hostile.close_after_reading,
    "accepted, then reset": hostile.answer(http(200, ACCEPTED)[:-1], then_reset=True),
    "stalled": hostile.stall,
    "never read": never_taken,
    "late": late,
    "not HTTP": hostile.answer(b"\x15\x03\x01\x00\x02\x02\x46"),
    **{f"{status} with a refusal": hostile.answer(http(status, USED_UP)) for status in (408, 409, 500, 503)},
    **{
        f"{status} HTML": hostile.answer(http(status, PAGE)) for status in (200, 403, 404, 500, 502, 504, 520)
    },
    **{f"{status} empty": hostile.answer(http(status)) for status in (200, 201, 400, 401, 429, 500)},
    **{
        f"redirect {status}": hostile.answer(http(status, USED_UP, Location="/elsewhere"))
        for status in (301, 302, 303, 304, 307, 308)
    },
    "no content": hostile.answer(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "accepted without a task": hostile.answer(http(200, {"success": True})),
    "a list": hostile.answer(http(200, b"[]")),
    "a bare number": hostile.answer(http(200, b"1")),
    "truncated JSON": hostile.answer(http(200, b'{"task_id": "c37')),
    "refusal in a success": hostile.answer(http(302, FORBIDDEN)),
    "busy": hostile.answer(http(500, {"error": {"code": "busy", "message": "Try again."}})),
}


@pytest.mark.parametrize("name", LOST)
async def test_what_may_have_been_accepted_is_never_called_safe(name: str) -> None:
    """Each way of losing the answer gives SubmitUnknown, one POST at most, and a job that lives on."""
    hasty = HASTY if name in {"stalled", "never read", "late"} else PATIENT
    async with serving(LOST[name]) as server, client(server.url, timeouts=hasty) as pika:
        error = await failure(pika, SubmitUnknown)
        assert (error.charged, error.retryable, error.phase) == ("unknown", False, "submit")
        assert error.job.state is State.QUEUED
        assert pika.job(error.token).id == error.job.id
        assert pika.stats()["acedata:default"].in_flight == 1
        assert server.posts.total() == (
            name not in {"reset before reading", "closed before reading", "never read"}
        )
        assert server.connections == 1


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize(("status", "body"), [(200, ACCEPTED), (403, FORBIDDEN)])
async def test_an_answer_cut_at_any_byte_is_unknown(framing: str, status: int, body: Any) -> None:
    """No start of an answer, be it of a yes or of a no, is taken for the whole of it."""
    whole = http(status, body, framing)

    async def script(wire: Wire) -> None:
        # When the machine is busy the sweeper already looks for the first of them in the history.
        match (await wire.ask()).json:
            case {"prompt": cut}:
                wire.send(whole[: int(cut)])

    async with serving(script) as server, client(server.url, max_concurrency=1000) as pika:
        cuts = range(len(whole))
        errors = await asyncio.gather(*(failure(pika, SubmitUnknown, str(cut)) for cut in cuts))
        assert {error.charged for error in errors} == {"unknown"}
        assert server.posts == {str(cut): 1 for cut in cuts}


async def test_a_lost_answer_is_found_again_in_the_history() -> None:
    """The job behind SubmitUnknown gets its video once the provider's history shows the attempt's token."""
    orders: list[Asked] = []
    desk = Desk.at_once()

    async def script(wire: Wire) -> None:
        while True:
            asked = await wire.ask()
            match asked.json:
                case {"prompt": _}:
                    orders.append(asked)
                    wire.reset()
                    return
                case {"created_at_min": _}:
                    record = desk._record("the task")
                    record["request"] = orders[0].json
                    wire.send(http(200, {"items": [record], "count": 1}))
                case _:
                    wire.send(desk._looked(asked))

    clock = FakeClock()
    async with serving(script) as server, client(server.url, clock=clock) as pika:
        error = await failure(pika, SubmitUnknown)
        wait = asyncio.create_task(error.job.wait())
        await until_done(wait, clock)
        assert (await wait).id == "video of the task"
        assert server.posts == {"a cat": 1}


# The provider said no


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "bad_request", SubmitRefused),
        (401, "invalid_token", AuthError),
        (403, "used_up", InsufficientBalance),
        (403, "forbidden", ContentBlocked),
        (404, "no_api", ProviderUnavailable),
        (429, "too_many_requests", RateLimited),
    ],
)
async def test_a_refusal_is_named_and_costs_nothing(status: int, code: str, kind: type[PikaError]) -> None:
    """The provider's own words make a refusal; it is final, and its slot is free again."""
    body = {"error": {"code": code, "message": "No."}, "trace_id": "2efa9340"}
    async with (
        serving(hostile.answer_all(lambda _: http(status, body))) as server,
        client(server.url) as pika,
    ):
        error = await failure(pika, kind)
        assert (error.charged, error.phase, error.status) == ("no", "submit", status)
        assert (error.code, error.trace_id) == (code, "2efa9340")
        assert error.job.state is State.FAILED
        assert server.posts == {"a cat": 1}
        assert pika.stats()["acedata:default"].in_flight == 0


@frozen
class Demo:
    """A stranger's adapter; with *eager* it takes every answer but 200 for a refusal."""

    base_url: str
    capabilities: Capabilities = Capabilities(
        name="demo", kinds={Generate}, fields=frozenset(), poll_batch=10
    )
    eager: bool = True
    breaks: bool = False

    def build_submit(self, request: Any, call: Call, /) -> HttpRequest:
        key = {"authorization": Secret(CANARY)}
        body = Json({"prompt": request.prompt})
        return HttpRequest(method="POST", url=f"{self.base_url}/orders", headers=key, body=body)

    def read_submit(self, response: HttpResponse, request: Any, /) -> Pending:
        if self.breaks:
            raise ZeroDivisionError("a defect of the adapter")
        if response.status != 200 and self.eager:
            raise SubmitRefused("No.")
        return Pending(task=Task(response.json()["task_id"]))

    def build_poll(self, tasks: Any, /) -> HttpRequest:
        body = Json({"ids": [task.id for task in tasks]})
        return HttpRequest(method="POST", url=f"{self.base_url}/tasks", body=body)

    def read_poll(self, response: HttpResponse, tasks: Any, /) -> dict[str, Succeeded]:
        video = VideoResult("v", "https://cdn.test/v.mp4", None, None, State.SUCCEEDED)
        return {task.id: Succeeded(task=task, results=(video,)) for task in tasks}


@pytest.mark.parametrize("status", [301, 302, 307, 308, 408, 409, 500, 502, 503, 504])
async def test_an_adapter_cannot_call_such_an_answer_a_refusal(status: int) -> None:
    """What proves nothing stays unknown, whatever an adapter makes of it."""
    async with serving(hostile.answer(http(status, {"error": "no"}))) as server:
        async with Pika(Demo(server.url), transport=Transport(trust_env=False)) as pika:
            error = await failure(pika, SubmitUnknown)
        assert (error.charged, error.status) == ("unknown", status)
        assert server.posts == {"a cat": 1}


async def test_an_adapter_that_breaks_leaves_the_outcome_unknown() -> None:
    """A stranger's defect while reading an acceptance is no reason to call the money safe."""
    async with serving(hostile.answer(http(200, ACCEPTED))) as server:
        demo = evolve(Demo(server.url), breaks=True)
        async with Pika(demo, transport=Transport(trust_env=False)) as pika:
            assert (await failure(pika, SubmitUnknown)).charged == "unknown"
        assert server.posts == {"a cat": 1}


async def test_a_second_provider_is_asked_only_after_a_proven_refusal() -> None:
    """Nothing sent, or a refusal: the next one is asked. A lost answer: nobody is."""
    async with serving(Desk.at_once()) as other:
        refusing = hostile.answer(http(403, USED_UP))
        for script, asked in ((refusing, 1), (hostile.reset_after_reading, 0)):
            other.posts.clear()
            async with serving(script) as server, client(server.url, Demo(other.url)) as pika:
                if asked:
                    assert (await pika.generate("a cat")).id == "v"
                else:
                    await failure(pika, SubmitUnknown)
                assert other.posts.total() == asked
                assert server.posts == {"a cat": 1}
        other.posts.clear()
        async with client(hostile.nobody(), Demo(other.url)) as pika:
            assert (await pika.generate("a cat")).id == "v"
            assert other.posts == {"a cat": 1}


# Cancelling and closing


async def test_a_cancelled_caller_returns_at_once_and_the_post_goes_on() -> None:
    """The order that is on the wire is brought to its end once, and its job is found by the token."""
    desk = Desk()
    async with serving(desk) as server, client(server.url) as pika:
        caller = asyncio.create_task(pika.generate("a cat"))
        await settled(server, "a cat")
        token = flight_token(pika)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await caller
        assert CANARY not in shown(caught.value)
        assert not desk.answers.is_set()
        desk.answers.set()
        assert (await pika.job(token).wait()).id == "video of task of a cat"
        assert server.posts == {"a cat": 1}


def flight_token(pika: Pika) -> str:
    """Return the token of the one job in flight, as a log or a ledger would."""
    (flight,) = pika._lifecycle.engine.desk.flights.values()
    return JobToken(job_id=flight.id, provider="acedata").encode()


async def test_a_caller_cancelled_in_the_queue_buys_nothing() -> None:
    """A job that nobody waits for and that was not sent is never sent."""
    desk = Desk()
    async with serving(desk) as server, client(server.url, max_concurrency=1) as pika:
        first = asyncio.create_task(pika.generate("first"))
        await settled(server, "first")
        second = asyncio.create_task(pika.generate("second"))
        third = asyncio.create_task(pika.generate("third"))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        desk.answers.set()
        await asyncio.gather(first, third)
        assert server.posts == {"first": 1, "third": 1}


async def test_closing_waits_for_the_post() -> None:
    """A client that closes lets the answer come in, and its caller learns what to go on with."""
    desk = Desk(finished=lambda task: False)
    async with serving(desk) as server:
        async with client(server.url) as pika:
            caller = asyncio.create_task(pika.generate("a cat"))
            await settled(server, "a cat")
            closing = asyncio.create_task(pika.aclose())
            for _ in range(20):
                await asyncio.sleep(0)
            assert not closing.done()
            assert not caller.done()
            desk.answers.set()
            await closing
            with pytest.raises(JobTimeout, match="closed") as caught:
                await caller
        assert caught.value.charged == "yes"
        token = JobToken.decode(caught.value.token)
        assert token.task is not None
        assert token.task.id == "task of a cat"
        desk.finished = lambda task: True
        async with client(server.url) as another:
            assert (await another.job(caught.value.token)).id == "video of task of a cat"
        assert server.posts == {"a cat": 1}


async def test_closing_does_not_wait_for_ever() -> None:
    """A POST that outlasts the patience is left behind as what it is: unknown."""
    async with serving(Desk()) as server, client(server.url) as pika:
        caller = asyncio.create_task(pika.generate("a cat"))
        await settled(server, "a cat")
        await pika._lifecycle.engine.aclose(patience=0.05)
        with pytest.raises(JobTimeout) as caught:
            await caller
        assert caught.value.charged == "unknown"
        assert CANARY not in shown(caught.value)
        assert server.posts == {"a cat": 1}


async def test_closing_sends_nothing_that_is_still_queued() -> None:
    """Queued jobs end unsent when their client closes, and say that nothing was bought."""
    desk = Desk()
    async with serving(desk) as server, client(server.url, max_concurrency=1) as pika:
        first = asyncio.create_task(pika.generate("first"))
        await settled(server, "first")
        second = asyncio.create_task(pika.generate("second"))
        await asyncio.sleep(0)
        closing = asyncio.create_task(pika.aclose())
        with pytest.raises(PikaError) as caught:
            await second
        assert caught.value.charged == "no"
        desk.answers.set()
        await closing
        with pytest.raises(JobTimeout):
            await first
        assert server.posts == {"first": 1}


# Time


async def test_a_queue_timeout_ends_the_wait_for_a_slot() -> None:
    """No slot in time: nothing is sent, then or later."""
    clock, desk = FakeClock(), Desk()
    async with serving(desk) as server, client(server.url, clock=clock, max_concurrency=1) as pika:
        first = asyncio.create_task(pika.submit(Generate("first")))
        await settled(server, "first")
        second = asyncio.create_task(failure(pika, JobTimeout, "second", queue_timeout=5.0))
        await clock.advance(4.9)
        assert not second.done()
        await clock.advance(0.2)
        error = await second
        assert (error.charged, error.retryable, error.phase) == ("no", True, "submit")
        desk.answers.set()
        job = await first
        await clock.advance(2.0)
        await job
        assert server.posts == {"first": 1}


async def test_a_timeout_runs_from_the_post() -> None:
    """Half an hour in the queue takes nothing from a job's own time, and its end leaves the job alive."""
    clock, finished = FakeClock(), {"nothing yet"}
    desk = Desk.at_once(finished=lambda task: task in finished)
    slow = {"clock": clock, "max_concurrency": 1, "poll_interval": 100.0}
    async with serving(desk) as server, client(server.url, **slow) as pika:
        first = await pika.submit(Generate("first"))
        second = asyncio.create_task(failure(pika, JobTimeout, "second", timeout=10.0))
        await clock.advance(1700.0)
        assert not second.done()
        finished.add("task of first")
        await first.refresh()
        await settled(server, "second")
        await clock.advance(9.9)
        assert not second.done()
        await clock.advance(0.2)
        error = await second
        assert (error.retryable, error.phase) == (False, "poll")
        assert error.charged != "no"
        finished.add("task of second")
        await error.job._flight.wait(Stage.ACCEPTED)
        assert await error.job.refresh() is State.SUCCEEDED
        assert server.posts == {"first": 1, "second": 1}


async def test_a_timeout_while_the_post_is_unanswered_is_unknown_and_a_late_answer_lands() -> None:
    """The wait ends, the POST does not; its acceptance makes the same job run."""
    clock, desk = FakeClock(), Desk()
    async with serving(desk) as server, client(server.url, clock=clock) as pika:
        caller = asyncio.create_task(failure(pika, JobTimeout, timeout=3.0))
        await settled(server, "a cat")
        await clock.advance(3.1)
        error = await caller
        assert error.charged == "unknown"
        desk.answers.set()
        wait = asyncio.create_task(error.job.wait())
        await until_done(wait, clock)
        assert (await wait).id == "video of task of a cat"
        assert server.posts == {"a cat": 1}


async def test_a_connection_that_took_too_long_is_not_used_for_its_claim(identity: Identity) -> None:
    """A handshake past the window makes the attempt stale: not a byte is sent, and a new attempt is."""
    clock, desk = FakeClock(), Desk.at_once()
    shaking: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def script(wire: Wire) -> None:
        go_on = asyncio.Event()
        wire.deaf()
        shaking.put_nowait(go_on)
        await go_on.wait()
        wire.writer.transport.resume_reading()
        await wire.writer.start_tls(identity.server)
        await desk(wire)

    async with serving(script) as server:
        url = server.url.replace("http:", "https:")
        async with client(url, clock=clock, trust=identity) as pika:
            job = asyncio.create_task(pika.submit(Generate("a cat")))
            late = await shaking.get()
            await clock.advance(5.1)
            late.set()
            in_time = await shaking.get()
            assert not server.posts
            in_time.set()
            assert (await job).state is State.RUNNING
            assert server.posts == {"a cat": 1}
            assert server.connections == 2


async def test_three_connections_that_took_too_long_end_the_job_unsent(identity: Identity) -> None:
    """A host that is always too slow is unavailable, and nothing was bought."""
    clock = FakeClock()
    shaking: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def script(wire: Wire) -> None:
        go_on = asyncio.Event()
        wire.deaf()
        shaking.put_nowait(go_on)
        await go_on.wait()
        wire.writer.transport.resume_reading()
        await wire.writer.start_tls(identity.server)
        await hostile.stay_silent_to_the_end(wire)

    async with serving(script) as server:
        url = server.url.replace("http:", "https:")
        async with client(url, clock=clock, trust=identity) as pika:
            caller = asyncio.create_task(failure(pika, ProviderUnavailable))
            for _ in range(3):
                late = await shaking.get()
                await clock.advance(5.1)
                late.set()
            error = await caller
            assert (error.charged, error.retryable) == ("no", True)
            await server.until(lambda: len(server.asked) == 3)
            assert [asked.body for asked in server.asked] == [b""] * 3


# The account


async def test_a_key_refused_at_a_look_up_pauses_the_account() -> None:
    """Its waits end with an AuthError that holds the paid job; waiting again goes on looking."""
    clock = FakeClock()
    refusal = http(401, {"error": {"code": "invalid_token", "message": "No."}})
    desk = Desk.at_once(refusal=refusal)
    async with serving(desk) as server, client(server.url, clock=clock) as pika:
        jobs = [await pika.submit(Generate(prompt)) for prompt in ("one", "two")]
        waits = [asyncio.create_task(job.wait()) for job in jobs]
        await clock.advance(2.0)
        for wait, job in zip(waits, jobs, strict=True):
            with pytest.raises(AuthError) as caught:
                await wait
            error = caught.value
            assert (error.charged, error.phase, error.status) == ("yes", "poll", 401)
            assert error.job.id == job.id
            assert JobToken.decode(error.token).task is not None
            assert CANARY not in shown(error)
        assert pika.stats()["acedata:default"].paused is not None
        looks = len(desk.looks)
        await clock.advance(600.0)
        assert len(desk.looks) == looks
        desk.refusal = None
        again = asyncio.create_task(jobs[0].wait())
        await until_done(again, clock)
        assert (await again).id == "video of task of one"
        assert server.posts == {"one": 1, "two": 1}


async def test_a_429_on_a_submit_slows_the_account_down() -> None:
    """The refused job ends unbought; the next one is not sent before the provider's time has come."""
    clock, desk = FakeClock(), Desk.at_once()
    busy = http(429, {"error": {"code": "too_many_requests", "message": "No."}}, Retry_After="7")
    refused = False

    async def script(wire: Wire) -> None:
        nonlocal refused
        if refused:
            await desk(wire)
        refused = True
        await wire.ask()
        wire.send(busy)

    async with serving(script) as server, client(server.url, clock=clock) as pika:
        error = await failure(pika, RateLimited, "first")
        assert (error.charged, error.retryable, error.retry_after) == ("no", True, 7.0)
        second = asyncio.create_task(pika.submit(Generate("second")))
        await clock.advance(6.9)
        assert server.posts == {"first": 1}
        await clock.advance(0.2)
        await second
        assert server.posts == {"first": 1, "second": 1}


async def test_a_429_on_a_look_up_is_waited_out() -> None:
    """No look-up goes out before `Retry-After`; the wait goes on and ends well."""
    clock = FakeClock()
    busy = http(429, {"error": {"code": "too_many_requests", "message": "No."}}, Retry_After="30")
    desk = Desk.at_once(refusal=busy)
    async with serving(desk) as server, client(server.url, clock=clock) as pika:
        job = await pika.submit(Generate("a cat"))
        wait = asyncio.create_task(job.wait())
        await clock.advance(1.0)
        await server.until(lambda: len(desk.looks) == 1)
        await asyncio.wait({wait}, timeout=0.05)
        desk.refusal = None
        await clock.advance(28.0)
        assert len(desk.looks) == 1
        await until_done(wait, clock)
        assert (await wait).id == "video of task of a cat"
        assert server.posts == {"a cat": 1}


@pytest.mark.parametrize("fault", ["500", "reset", "HTML", "cut"])
async def test_a_look_up_that_fails_is_only_made_again(fault: str) -> None:
    """Nothing that happens to look-ups ends a wait or costs anything."""
    desk = Desk.at_once()
    faults: Iterator[bytes | None] = iter(
        {
            "500": [http(500, b"{}")] * 3,
            "reset": [None] * 3,
            "HTML": [http(200, PAGE)] * 3,
            "cut": [http(200, {"id": "task of a cat"})[:-3]] * 3,
        }[fault]
    )

    async def script(wire: Wire) -> None:
        while True:
            asked = await wire.ask()
            if "prompt" in asked.json:
                wire.send(await desk._ordered(asked))
                continue
            broken = next(faults, b"")
            if broken is None:
                wire.reset()
                return
            if broken:
                wire.send(broken)
                return
            wire.send(desk._looked(asked))

    clock = FakeClock()
    async with serving(script) as server, client(server.url, clock=clock) as pika:
        wait = asyncio.create_task(pika.generate("a cat"))
        await until_done(wait, clock)
        assert (await wait).id == "video of task of a cat"
        assert server.posts == {"a cat": 1}


async def test_gather_over_hundreds_is_safe_as_written() -> None:
    """Three hundred at once: never more than 32 jobs open at the provider, each bought once."""
    seen: set[str] = set()

    def finished(task: str) -> bool:
        """Be done at the second look."""
        return task in seen or bool(seen.add(task))

    desk = Desk.at_once(finished=finished)
    prompts = [f"number {n}" for n in range(300)]
    async with serving(desk) as server, client(server.url, max_concurrency=32) as pika:
        videos = await asyncio.gather(*(pika.generate(prompt) for prompt in prompts))
        assert [video.id for video in videos] == [f"video of task of {prompt}" for prompt in prompts]
        assert desk.most_open == 32
        assert server.posts == dict.fromkeys(prompts, 1)


async def raised(task: asyncio.Task[Any]) -> BaseException | None:
    await asyncio.wait([task])
    return task.exception()


async def test_a_defect_after_the_claim_is_never_called_safe():
    """Whatever a sender raises after the claim, the money may be gone."""
    async with Pika(AceData(api_key=CANARY), transport=ScriptedTransport(lambda _: ValueError("x"))) as pika:
        with pytest.raises(SubmitUnknown) as caught:
            await pika.generate("a cat")
        assert caught.value.charged == "unknown"


async def test_a_new_job_wakes_a_paused_account():
    """After a refused key, the next order looks again instead of waiting for ever."""
    clock = FakeClock()
    desk = Desk.at_once(refusal=http(401, {"error": {"code": "invalid_token", "message": "No."}}))
    async with serving(desk) as server, client(server.url, clock=clock) as pika:
        one = asyncio.create_task(pika.generate("one"))
        await settled(server, "one")
        await until_done(one, clock)
        assert isinstance(await raised(one), AuthError)
        desk.refusal = None
        two = asyncio.create_task(pika.generate("two"))
        await until_done(two, clock)
        assert (await two).state is State.SUCCEEDED


async def test_status_with_a_refused_key_says_so():
    """`job.refresh()` does not pass old news off as an answer."""
    clock = FakeClock()
    desk = Desk.at_once(refusal=http(401, {"error": {"code": "invalid_token", "message": "No."}}))
    async with serving(desk) as server, client(server.url, clock=clock) as pika:
        job = await pika.submit(Generate("one"))
        asked = asyncio.create_task(job.refresh())
        await until_done(asked, clock)
        assert isinstance(await raised(asked), AuthError)


async def test_a_cancelled_close_still_lets_go_of_everything():
    """Whoever will not wait for the POSTs gets the sockets back all the same."""
    transport = Transport(trust_env=False, timeouts=PATIENT)
    async with (
        serving(Desk()) as server,
        Pika(AceData(api_key=CANARY, base_url=server.url), transport=transport) as pika,
    ):
        order = asyncio.create_task(pika.generate("one"))
        await settled(server, "one")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await pika.aclose()
        assert transport.closed
        order.cancel()
        await asyncio.gather(order, return_exceptions=True)


async def test_an_adapter_that_breaks_while_building_buys_nothing():
    """A defect in `build_submit` is the adapter's, told in a sentence; the job leaves no trace behind."""

    class Bad(Demo):
        def build_submit(self, request, call):
            if call.attempt_id:
                raise ZeroDivisionError
            return super().build_submit(request, call)

    async with serving(Desk.at_once()) as server, Pika(Bad(server.url)) as pika:
        with pytest.raises(ConfigError, match="adapter's author"):
            await pika.generate("x")
        assert pika.stats()["demo:default"].in_flight == 0
        assert not server.posts
