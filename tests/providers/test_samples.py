"""Every documented example of both wires, read or sent as the documents say.

A sample holds what a provider's document, client or page shows, with its source. What we expect of it
is written here from the same documents. Addresses and keys in samples are examples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen

from pika_acedata import AceData
from pika_async.provider import (
    AuthError,
    Balance,
    Call,
    ContentBlocked,
    Failed,
    Generate,
    HttpResponse,
    Ingredients,
    InsufficientBalance,
    Json,
    Pending,
    PikaError,
    ProviderUnavailable,
    RateLimited,
    Secret,
    State,
    Style,
    SubmitRefused,
    SubmitUnknown,
    Succeeded,
    Task,
    VideoRequest,
    VideoResult,
)
from pika_duomi import Duomi

SAMPLES = Path(__file__).parent / "samples"
SKY = "https://cdn.acedata.cloud/rarbq7.png"
SEA = "https://cdn.acedata.cloud/aeruff.png"
MOVIE = "https://cdn.acedata.cloud/0slqxa.mp4"
CAT = "https://media.example.test/cat.png"
CLIP = "https://media.example.test/source.mp4"
KEY = "fake-duomi-key-000000000000"
MOVES = {"pan": "right", "tilt": "up", "rotate": "cw", "zoom": "in"}
OPTIONS: dict[str, Any] = {
    "frame_rate": 20,
    "camera": MOVES,
    "guidance_scale": 16,
    "motion": 2,
    "negative_prompt": "ugly",
    "seed": 144124,
}


@frozen
class Sends:
    """Our body for *request* is the sample's, but for the fields in *ours*, which we always add."""

    request: VideoRequest
    ours: Mapping[str, Any] = {}
    held: bool = True


@frozen
class Never:
    """We never send the fields or the values that make this form special."""

    form: Mapping[str, Any]


@frozen
class Asks:
    """Our look-up for these ids is the sample's body."""

    ids: tuple[str, ...]


@frozen
class Raises:
    """Reading the sample as the answer of a submit gives this error, with this code."""

    kind: type[PikaError]
    code: str | None


Reading = Callable[[Any], object]


def finished(answer: Mapping[str, Any]) -> Succeeded:
    """Say what an answer with videos means (provider-apis 1.3): each has id, links and a duration."""
    videos = tuple(
        VideoResult(v["id"], v["video_url"], v["image_url"], float(v["duration"]), State.SUCCEEDED)
        for v in answer["data"]
    )
    return Succeeded(task=Task(answer["task_id"]), results=videos, trace_id=answer["trace_id"])


def gave_up(answer: Mapping[str, Any]) -> Failed:
    """Say what an answer with an error means for its task (1.7, 1.8); `forbidden` is moderation."""
    error = answer["error"]
    reason: Any = "content" if error["code"] == "forbidden" else "provider"
    task, trace = Task(answer["task_id"]), answer["trace_id"]
    return Failed(task=task, reason=reason, message=error["message"], code=error["code"], trace_id=trace)


def accepted(answer: Mapping[str, Any]) -> Pending:
    """Say what a bare task id means: accepted, more is not known (1.3)."""
    return Pending(task=Task(answer["task_id"]))


def waiting(record: Mapping[str, Any]) -> dict[str, Pending]:
    return {record["id"]: Pending(task=Task(record["id"]), trace_id=record.get("trace_id"))}


def told(record: Mapping[str, Any]) -> dict[str, object]:
    return {record["id"]: finished(record["response"])}


def each(batch: Mapping[str, Any]) -> dict[str, object]:
    readings = [told(item) if "response" in item else waiting(item) for item in batch["items"]]
    return {id_: value for reading in readings for id_, value in reading.items()}


def duomi_failed(reason: Any, charged: Any, message: str = "生成失败") -> Reading:
    def reading(body: Mapping[str, Any]) -> Failed | dict[str, Failed]:
        data = body.get("data", body)
        cost = float(data["point"]) if "point" in data else None
        task = Task(data["task_id"])
        failed = Failed(task=task, reason=reason, message=message, charged=charged, cost=cost)
        return {task.id: failed} if "data" in body else failed

    return reading


def duomi_done(cover: str | None) -> Reading:
    def reading(body: Mapping[str, Any]) -> Succeeded | dict[str, Succeeded]:
        data = body.get("data", body)
        image = data[cover] if cover else None
        video = VideoResult(data["task_id"], data["video_url"], image, None, State.SUCCEEDED)
        cost = float(data["point"]) if "point" in data else None
        done = Succeeded(task=Task(data["task_id"]), results=(video,), cost=cost)
        return {done.task.id: done} if "data" in body else done

    return reading


def duomi_pending(state: State) -> Reading:
    def reading(body: Mapping[str, Any]) -> Pending | dict[str, Pending]:
        data = body.get("data", body)
        cost = float(data["point"]) if "point" in data else None
        pending = Pending(task=Task(data["task_id"]), state=state, cost=cost)
        return {pending.task.id: pending} if "data" in body else pending

    return reading


ACEDATA: dict[str, object] = {
    "callback.failure": gave_up,
    "callback.failure-moderation": gave_up,
    "callback.success": finished,
    "error.400-api_not_implemented": Raises(ProviderUnavailable, "api_not_implemented"),
    "error.400-bad_request": Raises(SubmitRefused, "bad_request"),
    "error.400-disabled": Raises(AuthError, "disabled"),
    "error.400-no_token": Raises(AuthError, "no_token"),
    "error.400-token_mismatched": Raises(AuthError, "token_mismatched"),
    "error.401-invalid_token": Raises(AuthError, "invalid_token"),
    "error.401-invalid_token-with-success": Raises(AuthError, "invalid_token"),
    "error.401-token_expired": Raises(AuthError, "token_expired"),
    "error.402-payment-required": Raises(InsufficientBalance, None),
    "error.403-forbidden": Raises(ContentBlocked, "forbidden"),
    "error.403-used_up": Raises(InsufficientBalance, "used_up"),
    "error.404-no_api": Raises(ProviderUnavailable, "no_api"),
    "error.429-too_many_requests": Raises(RateLimited, "too_many_requests"),
    "error.500-api_error": Raises(SubmitUnknown, "api_error"),
    "error.504-timeout": Raises(SubmitUnknown, "timeout"),
    "request.aspect-ratio-number": Never({"aspect_ratio": 16 / 9, "image_url": []}),
    "request.async": Sends(Generate("moving"), held=False),
    "request.callback": Sends(Generate("moving"), ours={"async": True}, held=False),
    "request.image-list": Sends(Generate("moving", image=SKY)),
    "request.image-string": Never({"image_url": SKY}),
    "request.image-urls": Never({"image_urls": [SKY]}),
    "request.ingredients": Sends(Ingredients("moving", [SKY, SEA], mode="precise")),
    "request.negative-prompt-ratio": Sends(
        Generate("moving", negative_prompt="ugly, blurry", model="1.5", aspect_ratio="16:9")
    ),
    "request.text": Sends(Generate("moving")),
    "request.text-effect": Sends(Style("moving", style="Ta-da")),
    "request.video-to-video": Sends(Style("moving", style="Pink Hair", video=MOVIE)),
    "submit.accepted": accepted,
    "submit.accepted-with-success": accepted,
    "submit.success-ingredients": finished,
    "submit.success-state-complete": finished,
    "submit.success-sync": finished,
    "tasks.batch-done": each,
    "tasks.batch-mixed": each,
    "tasks.done": told,
    "tasks.done-with-times": told,
    "tasks.failed": lambda record: {
        record["id"]: Failed(task=Task(record["id"]), message="generation failed", trace_id="trace-1")
    },
    "tasks.failed-with-code": lambda record: {record["id"]: gave_up(record["response"])},
    "tasks.pending-empty-response": waiting,
    "tasks.pending-no-response": waiting,
    "tasks.processing-state-processing": waiting,
    "tasks.request-delete": Never({"action": "delete"}),
    "tasks.request-history": Never({"user_id": "ad7afe47-cea9-4cda-980f-2ad8810e51cf"}),
    "tasks.request-retrieve": Asks(("2c454ff3-4f8f-47f0-8147-acb29a84d1c2",)),
    "tasks.request-retrieve-batch": Asks(
        ("2c454ff3-4f8f-47f0-8147-acb29a84d1c2", "fd6479e9-b313-4770-9445-c47246e8d51a")
    ),
    "tasks.request-retrieve-by-trace": Never({"trace_id": "00b1ef3a-c274-4005-8432-becd386fbb11"}),
}

DUOMI: dict[str, object] = {
    "account.success": lambda body: Balance(float(body["data"]["total"]), "points"),
    "callback.failure": duomi_failed("provider", "unknown"),
    "callback.processing": duomi_pending(State.RUNNING),
    "callback.success": duomi_done("poster"),
    "callback.success-int-status": duomi_done("poster"),
    "feed.error": duomi_failed("content", "no", "内容违规,已退还点数"),
    "feed.error-not-refunded": duomi_failed("provider", "yes"),
    "feed.legacy-done": duomi_done(None),
    "feed.legacy-failed": duomi_failed("provider", "no"),
    "feed.not-found-code-400": lambda _: {},
    "feed.pending": duomi_pending(State.QUEUED),
    "feed.pix-done": duomi_done("poster"),
    "feed.request-get": Asks(("d8833338-c265-3773-a00e-9bfb3e8622b3",)),
    "feed.request-legacy-post": Never({"task_id": "d8833338-c265-3773-a00e-9bfb3e8622b3"}),
    "feed.running": duomi_pending(State.RUNNING),
    "feed.succeeded": duomi_done("poster"),
    "request.image": Sends(Style("一只小猫", style="Inflate", image=CAT, model="1.5", sound_effects=True)),
    "request.image-header-auth": Never({"Authorization": KEY}),
    "request.minimal-text": Sends(Generate("一只小猫")),
    "request.text": Sends(
        Style("一只小猫", style="Inflate", aspect_ratio="16:9", sound_effects=True, model="1.5", **OPTIONS)
    ),
    "request.video-extend": Sends(
        Style("一只小猫", style="Inflate", video=CLIP, sound_effects=True, **OPTIONS)
    ),
    "submit.error-404": Raises(SubmitRefused, "404"),
    "submit.error-404-empty": Raises(SubmitRefused, None),
    "submit.error-no-key": Raises(AuthError, "400"),
    "submit.error-no-points": Raises(InsufficientBalance, "400"),
    "submit.success": lambda body: Pending(task=Task(body["data"]["task_id"]), state=State.QUEUED),
}

ALL = [(p, case, e) for p, table in (("acedata", ACEDATA), ("duomi", DUOMI)) for case, e in table.items()]


def sample(provider: str, case: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SAMPLES / provider / f"{case}.json").read_bytes())
    return loaded


def of_kind(*kinds: type) -> list[Any]:
    """Return the cases whose expectation is of these kinds, each under its own name."""
    return [pytest.param(p, c, e, id=f"{p}-{c}") for p, c, e in ALL if isinstance(e, kinds)]


def adapter(provider: str, *, held: bool = False) -> AceData | Duomi:
    return AceData(api_key=KEY, held=held) if provider == "acedata" else Duomi(api_key=KEY)


def plain(value: object) -> Any:
    """Reveal the secrets in a body, as the transport does."""
    match value:
        case Secret():
            return value.reveal()
        case Mapping():
            return {name: plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
    return value


def sent(provider: str, request: VideoRequest, *, held: bool = False, callback: str | None = None) -> Any:
    call = Call(callback_url=Secret(callback) if callback else None, attempt_id="a", now=0.0)
    body = adapter(provider, held=held).build_submit(request, call).body
    assert isinstance(body, Json)
    return plain(body.value)


def read(provider: str, case: str) -> Any:
    """Read a sample by the reader its name belongs to."""
    given, speaks = sample(provider, case), adapter(provider)
    body = given["body"]
    response = HttpResponse(status=given.get("status", 200), body=json.dumps(body).encode())
    match case.partition(".")[0]:
        case "callback":
            return speaks.read_callback(response.body, {}, 0.0, None)
        case "tasks" | "feed":
            items = body.get("items", [body]) if provider == "acedata" else [body["data"] or {}]
            ids = [item.get("id") or item.get("task_id", "unknown") for item in items]
            return speaks.read_poll(response, [Task(id_) for id_ in ids])
        case "account":
            assert isinstance(speaks, Duomi)
            return speaks.read_balance(response)
    return speaks.read_submit(response, Generate("moving"))


def without_raw(value: Any) -> Any:
    if isinstance(value, dict):
        return {id_: without_raw(inner) for id_, inner in value.items()}
    return evolve(value, raw=None) if isinstance(value, Pending | Succeeded | Failed) else value


@pytest.mark.parametrize(("provider", "table"), [("acedata", ACEDATA), ("duomi", DUOMI)])
def test_every_sample_has_an_expectation(provider, table):
    """The samples are exactly the cases listed here, and each names its source."""
    assert {path.stem for path in (SAMPLES / provider).iterdir()} == table.keys()
    assert all(sample(provider, case)["source"] for case in table)


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(type(accepted)))
def test_answers_are_read_as_documented(provider, case, expected):
    """An answer, record, feed or push gives the value the documents decide."""
    assert without_raw(read(provider, case)) == expected(sample(provider, case)["body"])


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(Raises))
def test_errors_are_classified_as_documented(provider, case, expected):
    """A refused submit raises its class, with all that the answer told."""
    given = sample(provider, case)
    with pytest.raises(expected.kind) as caught:
        read(provider, case)
    error = caught.value
    assert type(error) is expected.kind
    assert (error.provider, error.phase, error.code) == (provider, "submit", expected.code)
    assert (error.status, error.trace_id) == (given["status"], given["body"].get("trace_id"))


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(Sends))
def test_requests_are_sent_as_documented(provider, case, expected):
    """Our body is the documented one, field for field."""
    body = sample(provider, case)["body"]
    actual = sent(provider, expected.request, held=expected.held, callback=body.get("callback_url"))
    assert actual == {**body, **expected.ours}


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(Asks))
def test_lookups_are_asked_as_documented(provider, case, expected):
    """Our look-up is the documented one: AceData's body, Duomi's query and bare key."""
    request = adapter(provider).build_poll([Task(id_) for id_ in expected.ids])
    documented = sample(provider, case)["body"]
    if provider == "acedata":
        assert isinstance(request.body, Json)
        assert request.body.value == documented
    else:
        assert (request.method, request.url.endswith(documented["path"])) == ("GET", True)
        assert request.query == documented["query"]
        assert plain(request.headers).items() >= documented["headers"].items()


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(Never))
def test_doubtful_forms_are_never_sent(provider, case, expected):
    """No request of ours holds what makes this form special; the sample does."""
    sends = [(entry.values[2], entry.values[0]) for entry in of_kind(Sends)]
    bodies = [
        sent(provider, each.request, held=each.held, callback="https://hooks.example.test/a")
        for each, owner in sends
        if owner == provider
    ]
    speaks = adapter(provider)
    lookups = [speaks.build_poll([Task("a")])]
    if isinstance(speaks, AceData):
        lookups += [speaks.build_poll([Task("a"), Task("b")]), speaks.build_find(0.0, 1.0, None)]
    bodies += [plain(request.body.value) for request in lookups if isinstance(request.body, Json)]
    for body in bodies:
        assert not [name for name, value in expected.form.items() if name in body and body[name] == value]
    if provider == "duomi":
        call = Call(callback_url=Secret("https://hooks.example.test/a"), attempt_id="a", now=0.0)
        assert "authorization" not in {h.lower() for h in speaks.build_submit(Generate("a"), call).headers}
        assert all(request.body is None for request in lookups)
