"""Every documented example of the wires of Pika's own API, fal and Comfy, read or sent as the documents say.

A sample holds what a provider's page or a working client shows, with its source. What we expect of it is
written here from the same documents. Addresses and keys in samples are examples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen

from pika_async.provider import (
    AuthError,
    Balance,
    Blob,
    Call,
    Cancelled,
    ContentBlocked,
    Edit,
    Estimate,
    Failed,
    Frame,
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
    Uploaded,
    Uploading,
    VideoRequest,
)
from pika_comfy import Comfy
from pika_fal import Fal
from pika_official import PikaOfficial

SAMPLES = Path(__file__).parent / "samples"
CAT, HAT, SEA = (f"https://example.test/in/{name}.png" for name in ("cat", "hat", "sea"))
WALK = "https://example.test/in/walk.mp4"
BOAT = "a paper boat in the rain"
APPLE = "https://v3b.fal.media/files/b/tiger/"
SCENE = "https://storage.googleapis.com/falserverless/example_inputs/pika/pika_scenes/"
MADE: Mapping[str, Callable[[], Any]] = {
    "pika": lambda: PikaOfficial(api_key="sandbox-samples"),
    "fal": lambda: Fal(api_key="sandbox-samples"),
    "comfy": lambda: Comfy(api_key="sandbox-samples"),
}


@frozen
class Sends:
    """Our body for *request* is the sample's."""

    request: VideoRequest


@frozen
class Submits:
    """The whole submit for *request* is the sample's: address, query, key and body."""

    request: VideoRequest


@frozen
class Raises:
    """Reading the sample as the answer of a submit raises this error, with this code."""

    kind: type[PikaError]
    code: str | None = None
    retry_after: bool = False


@frozen
class Refused:
    """The same of the answer of an upload, which buys nothing."""

    kind: type[PikaError]


@frozen
class Looks:
    """Reading the sample as a look-up of its task tells this; *done* is the second look-up, of a result."""

    told: Callable[[Any], object]
    done: bool = False


@frozen
class Gives:
    """The reader of another power returns this."""

    read: str
    value: object
    given: tuple[Any, ...] = ()


@frozen
class Pushes:
    """A signed push, which is about this task and has ended so."""

    task: str
    kind: type[Failed | Succeeded]
    reason: str | None = None


@frozen
class Keys:
    """The published keys, with which the signed pushes are verified."""


@frozen
class Never:
    """Nothing of ours asks for this or sends it; why not."""

    why: str


def pending(state: State = State.RUNNING, **more: Any) -> Callable[[Any], Pending]:
    return lambda task: Pending(task=evolve(task, locator={}), state=state, **more)


def completed(task: Task) -> Pending:
    return Pending(task=Task(task.id, {"completed": True}), poll_after=0)


def video(link: str, cost: float | None = None) -> Callable[[Any], object]:
    return lambda task: (link, cost)


def failed(code: str | None, charged: str, reason: str = "provider") -> Callable[[Any], object]:
    return lambda task: (reason, code, charged)


_JOBS = {
    "invalid_input": SubmitRefused,
    "content_moderation": ContentBlocked,
    "insufficient_balance": InsufficientBalance,
    "cycle_limit_exceeded": InsufficientBalance,
    "usage_limit_exceeded": InsufficientBalance,
    "membership_required": AuthError,
    "admission_suspended": AuthError,
    "rate_limited": RateLimited,
    "provider_unavailable": ProviderUnavailable,
    "provider_error": SubmitRefused,
    "provider_timeout": SubmitRefused,
    "timed_out": SubmitRefused,
    "internal": SubmitRefused,
}
"""The closed list of failure codes, and what each is as the answer of a submit."""

PIKA: Mapping[str, object] = {
    "balance.postpaid": Gives("read_balance", Balance(48.8, "USD")),
    "balance.prepaid": Gives("read_balance", Balance(9.25, "USD")),
    "catalogue.404": Gives("read_estimate", None, (Generate(BOAT),)),
    "catalogue.frames": Never("a quote is asked for instead"),
    "catalogue.quote": Gives(
        "read_estimate",
        Estimate(
            amount=0.2, unit="USD", source="Pika's catalogue", model="2.5", duration=5, resolution="720p"
        ),
        (Generate(BOAT, resolution="720p"),),
    ),
    "catalogue.text-to-video": Never("a quote is asked for instead"),
    "content.premature-409": Looks(lambda task: Pending(task=Task(task.id, {"completed": False})), done=True),
    "content.redirect": Looks(video("https://cdn.pika.art/ex/0008.mp4?sig=fake"), done=True),
    "content.url": Looks(video("https://cdn.pika.art/ex/0007.mp4?sig=fake"), done=True),
    "deliveries.page": Never("look-ups are the net under callbacks"),
    "error.401": Raises(AuthError),
    "error.403-inactive-key": Raises(AuthError),
    "error.404-job": Looks(lambda task: None),
    "error.409-idempotency": Raises(SubmitUnknown),
    "error.413-upload": Refused(SubmitRefused),
    "error.415-upload": Refused(SubmitRefused),
    "error.422": Raises(SubmitRefused),
    "error.429": Raises(RateLimited, "rate_limited"),
    "error.429-in-flight": Raises(RateLimited),
    "error.503": Raises(SubmitUnknown),
    "job.completed-api-link": Looks(video("https://api.dev.pika.art/v1/files/ex0008.mp4")),
    "job.completed-billing-pending": Looks(video("https://cdn.pika.art/ex/0006.mp4")),
    "job.completed-needs-content": Looks(
        lambda task: Pending(task=Task(task.id, {"completed": True, "cost": None}), poll_after=0)
    ),
    "job.completed-video": Looks(video("https://cdn.pika.art/ex/0001.mp4", 0.2)),
    "job.delete": Never("its meaning for a running job is unknown"),
    **{
        f"job.failed-{code}": Looks(
            failed(code, "no", "content" if code == "content_moderation" else "provider")
        )
        for code in _JOBS
    },
    "job.queued": Looks(pending(State.QUEUED)),
    "job.running": Looks(pending()),
    "request.addition": Sends(
        Edit("a small dog runs beside her", WALK, image=CAT, resolution="720p", duration=5)
    ),
    "request.effect-image": Sends(Style(style="Cake-ify", image=CAT, seed=3)),
    "request.effect-video": Sends(Style(style="Pink Hair", video=WALK)),
    "request.frames": Sends(
        Generate("day turns to night", frames=[CAT, HAT, SEA], resolution="720p", duration=4)
    ),
    "request.frames-two-long": Sends(Generate(image=CAT, last_image=HAT, resolution="1080p", duration=9)),
    "request.image-no-prompt": Sends(Generate(image=CAT, resolution="1080p", duration=10)),
    "request.submit-headers": Submits(Generate(BOAT, resolution="720p", duration=5)),
    "request.swap-mask": Sends(Edit("a red coat", WALK, mask="https://example.test/in/mask.png", image=HAT)),
    "request.swap-region": Sends(
        Edit("a red coat", WALK, region="the blue coat", resolution="720p", duration=5)
    ),
    "request.text": Sends(Generate(BOAT, resolution="720p", duration=5, negative_prompt="text", seed=7)),
    "request.text-minimal": Sends(Generate(BOAT)),
    "spend.daily": Never("the ledger counts what its jobs cost"),
    "submit.completed-at-once": Looks(video("https://cdn.pika.art/ex/0002.mp4")),
    "submit.queued": Looks(pending(State.QUEUED)),
    "submit.queued-no-nulls": Looks(pending(State.QUEUED)),
    "submit.refused-200-failed": Raises(SubmitRefused, "invalid_input"),
    "submit.refused-403-insufficient_balance": Raises(InsufficientBalance, "insufficient_balance"),
    "submit.refused-403-membership_required": Raises(AuthError, "membership_required"),
    "submit.replayed-running": Looks(pending()),
    "upload.granted": Gives(
        "read_upload",
        Uploading(
            told={
                "upload_url": "https://storage.example.test/put/ex?X-Amz-Signature=fake",
                "url": "https://cdn.pika.art/in/ex.png",
                "headers": {"Content-Type": "image/png", "x-signed": "exact"},
            }
        ),
        (Blob(b"png", "image/png"), Uploading()),
    ),
    "upload.granted-null-headers": Gives(
        "read_upload",
        Uploading(
            told={
                "upload_url": "https://storage.example.test/put/ex2?X-Amz-Signature=fake",
                "url": "https://cdn.pika.art/in/ex2.png",
                "headers": {},
            }
        ),
        (Blob(b"png", "image/png"), Uploading()),
    ),
    "upload.put": Never("tried with the grant"),
    "upload.request": Never("tried with the grant"),
    "webhook.completed": Pushes("media_ex01", Failed, "no_output"),
    "webhook.failed": Pushes("media_ex0100", Failed, "content"),
    "webhook.repeated": Pushes("media_ex01", Failed, "no_output"),
}

_FAL_TASK = "024ca5b1-45d3-4afd-883e-ad3abe2a1c4d"
_SERVERS = """500-internal_error 500-runner_server_error 502-runner_incomplete_response \
503-runner_disconnected 503-runner_scheduling_failure 504-request_timeout 504-startup_timeout"""
FAL: Mapping[str, object] = {
    "balance.credits": Gives("read_balance", Balance(12.5, "USD")),
    "cancel.already-completed": Gives("read_cancel", Cancelled.TOO_LATE, (Task("t"),)),
    "cancel.not-found": Gives("read_cancel", Cancelled.TOO_LATE, (Task("t"),)),
    "cancel.requested": Gives("read_cancel", Cancelled.REQUESTED, (Task("t"),)),
    "error.400-bad_request": Raises(SubmitRefused, "bad_request"),
    "error.401": Raises(AuthError),
    "error.403-locked": Raises(InsufficientBalance),
    "error.404": Raises(SubmitRefused),
    "error.413": Raises(SubmitRefused),
    "error.422": Raises(SubmitRefused, "value_error.missing"),
    "error.422-content_policy": Raises(ContentBlocked, "content_policy_violation"),
    "error.422-image_too_large": Raises(SubmitRefused, "image_too_large"),
    "error.429-concurrent_requests_limit": Raises(RateLimited, "concurrent_requests_limit"),
    "error.429-queue-length": Raises(RateLimited),
    **{f"error.{name}": Raises(SubmitUnknown, name.partition("-")[2]) for name in _SERVERS.split()},
    "jwks": Keys(),
    "pricing.page": Never("what it answers is not published in full"),
    "request.image": Sends(Generate("the leaves move", image=CAT, resolution="1080p", duration=10)),
    "request.pikadditions": Sends(Edit("a small dog runs beside her", WALK, image=CAT)),
    "request.pikaffects": Sends(Style("the toy becomes cake", style="Cake-ify", image=CAT)),
    "request.pikaframes": Sends(
        Generate(
            "smooth cinematic transition",
            frames=[
                f"{APPLE}-YohU0xcPcWe_eiUB9_i6_keyframes-apple-start.png",
                f"{APPLE}LarvwQGEFqEmF8fkgDB8R_keyframes-apple-end.png",
            ],
            resolution="1080p",
        )
    ),
    "request.pikaframes-transitions": Sends(
        Generate(frames=[Frame(CAT, seconds=5, prompt="dusk"), Frame(HAT, seconds=6), SEA], resolution="720p")
    ),
    "request.pikascenes": Sends(
        Ingredients(
            "The gorilla is wearing the coat and sitting in the living room, cinematic scene, camera orbit "
            "and dolly out",
            [f"{SCENE}{name}.png" for name in "abc"],
            negative_prompt="ugly, bad, terrible",
            aspect_ratio="16:9",
            resolution="1080p",
            duration=5,
            mode="precise",
        )
    ),
    "request.pikaswaps": Sends(Edit("a red coat", WALK, image=HAT, region="the blue coat")),
    "request.submit-headers": Never("its two headers of its own are optional"),
    "request.text": Sends(
        Generate(BOAT, negative_prompt="text", aspect_ratio="16:9", resolution="720p", duration=5, seed=7)
    ),
    "result.422": Looks(failed("file_download_error", "unknown"), done=True),
    "result.pikaframes": Looks(
        video("https://v3b.fal.media/files/b/lion/0KxHFdw-mp0OzGsLrQLIy_tmpjfwlno11.mp4"), done=True
    ),
    "result.pikascenes": Looks(
        video("https://storage.googleapis.com/falserverless/example_outputs/pika/pika_scenes/output.mp4"),
        done=True,
    ),
    "status.completed": Looks(completed),
    "status.completed-error": Looks(failed("validation_error", "unknown")),
    "status.completed-error-runner": Looks(failed("runner_disconnected", "no")),
    "status.in_progress": Looks(pending()),
    "status.in_queue": Looks(pending(State.QUEUED, queue_position=3)),
    "submit.queued": Looks(pending(State.QUEUED, queue_position=0)),
    "submit.queued-response-suffix": Looks(pending(State.QUEUED, queue_position=0)),
    "submit.webhook-accepted": Looks(pending(State.QUEUED)),
    "upload.cdn": Gives(
        "read_upload",
        Uploaded(link="https://v3.fal.media/files/ex/cat.png"),
        (Blob(b"png"), Uploading(told={"files": "https://v3.fal.media", "ticket": Secret("t")})),
    ),
    "upload.initiate": Never("the older way; the first is used"),
    "upload.multipart-created": Never("files over 100 MB are refused"),
    "upload.token": Gives(
        "read_upload",
        Uploading(told={"files": "https://v3.fal.media/files/upload", "ticket": Secret("Bearer fake.jwt")}),
        (Blob(b"png"), Uploading()),
    ),
    "webhook.error": Never("unsigned, so it is nobody's"),
    "webhook.error-list.signed": Pushes("req-ex02", Failed, "provider"),
    "webhook.ok": Never("unsigned, so it is nobody's"),
    "webhook.ok.signed": Pushes("req-ex01", Succeeded),
    "webhook.payload-error.signed": Pushes("req-ex03", Failed, "no_output"),
}

_ROUTER = {"model": "pika-2.5-text-to-video"}
COMFY: Mapping[str, object] = {
    "cancel.already-completed-409": Gives("read_cancel", Cancelled.TOO_LATE, (Task("t"),)),
    "cancel.not-found-404": Gives("read_cancel", Cancelled.TOO_LATE, (Task("t"),)),
    "cancel.requested-202": Gives("read_cancel", Cancelled.REQUESTED, (Task("t"),)),
    "catalogue.page": Never("it has no prices"),
    "error.400-content_policy_violation": Looks(failed("content_policy_violation", "unknown", "content")),
    "error.400-invalid_input": Raises(SubmitRefused, "invalid_input"),
    "error.401-unauthorized": Raises(AuthError, "unauthorized"),
    "error.402-insufficient_credits": Raises(InsufficientBalance, "insufficient_credits"),
    "error.403-forbidden": Raises(AuthError, "forbidden"),
    "error.403-not_enabled": Raises(ProviderUnavailable, "not_enabled"),
    "error.404-model_not_found": Raises(ProviderUnavailable, "model_not_found"),
    "error.409-concurrency_limit_exceeded": Raises(SubmitUnknown, "concurrency_limit_exceeded"),
    "error.409-invalid_input": Raises(SubmitUnknown, "invalid_input"),
    "error.413-invalid_input": Raises(SubmitRefused, "invalid_input"),
    "error.422-invalid_input": Raises(SubmitRefused, "invalid_input"),
    "error.429-concurrency_limit_exceeded": Raises(RateLimited, "concurrency_limit_exceeded"),
    "error.429-queue_backlog_full": Raises(RateLimited, "queue_backlog_full"),
    "error.429-rate_limited": Raises(RateLimited, "rate_limited"),
    "error.500-internal_error": Raises(SubmitUnknown, "internal_error"),
    "error.502-provider_error": Raises(SubmitUnknown, "provider_error"),
    "error.503-service_unavailable": Raises(SubmitUnknown, "service_unavailable"),
    "error.504-deadline_exceeded": Raises(SubmitUnknown, "deadline_exceeded"),
    "error.504-provider_timeout": Raises(SubmitUnknown, "provider_timeout"),
    "request.h3-image": Sends(
        Generate("the leaves begin to move", image=CAT, model="h3-flex", duration=5, resolution="480p")
    ),
    "request.h3-reference": Never("references of videos are for extra_body"),
    "request.h3-text": Sends(
        Generate(
            "waves, gulls, a calm voice",
            model="h3-flex",
            duration=8,
            resolution="768p",
            aspect_ratio="16:9",
            seed=7,
            extra_body={"rewrite": False},
        )
    ),
    "request.image": Sends(
        Generate(image=CAT, duration=10, resolution="1080p", negative_prompt="text", seed=7)
    ),
    "request.submit-headers": Submits(Generate(BOAT, resolution="720p", duration=5)),
    "request.text": Sends(Generate(BOAT, resolution="720p", duration=5)),
    "result.404-request_not_found": Looks(lambda task: None, done=True),
    "result.409-cancelled": Looks(failed("cancelled", "unknown"), done=True),
    "result.410-expired": Looks(failed("request_not_found", "unknown"), done=True),
    "result.completed": Looks(video("https://cdn.pika.art/ex/exc01.mp4"), done=True),
    "result.replayed": Looks(video("https://cdn.pika.art/ex/exc02.mp4"), done=True),
    "result.sync-200": Looks(video("https://cdn.pika.art/ex/exc02.mp4", 4.22), done=True),
    "schema.openapi": Never("the fields are written down here"),
    "status.completed": Looks(completed),
    "status.completed-cancelled": Looks(failed("cancelled", "unknown")),
    "status.completed-content_policy_violation": Looks(
        failed("content_policy_violation", "unknown", "content")
    ),
    "status.completed-insufficient_credits": Looks(failed("insufficient_credits", "unknown")),
    "status.completed-provider_error": Looks(failed("provider_error", "unknown")),
    "status.completed-provider_timeout": Looks(failed("provider_timeout", "unknown")),
    "status.completed-queue_timeout": Looks(failed("queue_timeout", "no")),
    "status.in_progress": Looks(pending()),
    "status.in_queue": Looks(pending(State.QUEUED, queue_position=4)),
    "status.in_queue-paced": Looks(pending(State.QUEUED, poll_after=5.0)),
    "submit.accepted-201": Looks(pending(State.QUEUED)),
    "submit.accepted-201-headers": Looks(pending(State.QUEUED)),
}

TABLES = {"pika": PIKA, "fal": FAL, "comfy": COMFY}


def sample(provider: str, case: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SAMPLES / provider / f"{case}.json").read_bytes())
    return loaded


def response(given: Mapping[str, Any]) -> HttpResponse:
    headers = given.get("headers", {})
    return HttpResponse(
        status=given.get("status", 200), headers=headers, body=json.dumps(given["body"]).encode()
    )


def of_kind(*kinds: type) -> list[Any]:
    """Return the cases whose expectation is of these kinds, each under its own name."""
    return [
        pytest.param(provider, case, expected, id=f"{provider}-{case}")
        for provider, table in TABLES.items()
        for case, expected in table.items()
        if isinstance(expected, kinds)
    ]


@pytest.mark.parametrize("provider", TABLES)
def test_every_sample_has_an_expectation(provider):
    """The samples are exactly the cases listed here, and each names its source."""
    assert {path.stem for path in (SAMPLES / provider).iterdir()} == TABLES[provider].keys()
    assert all(sample(provider, case)["source"] for case in TABLES[provider])
    assert all(expected.why for expected in TABLES[provider].values() if isinstance(expected, Never))


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(Raises, Refused))
def test_errors_are_classified_as_documented(provider, case, expected):
    """A refused submit or upload raises its class, with all that the answer told, and what it cost."""
    answer, adapter = response(sample(provider, case)), MADE[provider]()
    if isinstance(expected, Refused):
        read, given = adapter.read_upload, (Blob(b"png"), Uploading())
    else:
        read, given = adapter.read_submit, (Generate(BOAT),)
    with pytest.raises(PikaError) as caught:
        read(answer, *given)
    error = caught.value
    assert type(error) is expected.kind
    assert error.charged == ("unknown" if expected.kind is SubmitUnknown else "no")
    assert (error.provider, error.phase, error.status) == (provider, "submit", answer.status)
    assert error.code == getattr(expected, "code", None)


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(Looks))
def test_answers_are_read_as_documented(provider, case, expected):
    """An accepted submit, a look-up and a result give what the documents decide."""
    answer, adapter = response(sample(provider, case)), MADE[provider]()
    body = json.loads(answer.body or b"null") or {}
    id_ = body.get("request_id") or (body.get("id") if provider == "pika" else None) or "t-1"
    task = Task(
        id_, {**(_ROUTER if provider == "comfy" else {}), **({"completed": True} if expected.done else {})}
    )
    if case.startswith(("submit.", "error.400")):
        told = adapter.read_submit(answer, Generate(BOAT))
    else:
        told = adapter.read_poll(answer, [task]).get(id_)
    match expected.told(task), told:
        case Pending() as wanted, Pending():
            known = {n: v for n, v in told.task.locator.items() if n in wanted.task.locator}
            plain = evolve(told, task=Task(told.task.id, known), raw=None, trace_id=None)
            assert plain == wanted
        case (str(link), cost), Succeeded(results=(only,)):
            assert (only.video_url, only.state, told.cost) == (link, State.SUCCEEDED, cost)
        case (reason, code, charged), Failed():
            assert (told.reason, told.code, told.charged) == (reason, code, charged)
            assert told.message
        case wanted, told:
            assert told == wanted


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(Gives))
def test_the_other_powers_are_read_as_documented(provider, case, expected):
    """Balances, prices, cancels and uploads."""
    read = getattr(MADE[provider](), expected.read)
    assert read(response(sample(provider, case)), *expected.given) == expected.value


def plain(value: object) -> Any:
    """Reveal the secrets in a request, as the transport does."""
    match value:
        case Secret():
            return value.reveal()
        case Mapping():
            return {name: plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
    return value


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(Sends))
def test_requests_are_sent_as_documented(provider, case, expected):
    """Our body is the documented one, field for field."""
    call = Call(callback_url=None, attempt_id="a", now=0.0)
    body = MADE[provider]().build_submit(expected.request, call).body
    assert isinstance(body, Json)
    assert plain(body.value) == sample(provider, case)["body"]


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(Submits))
def test_a_whole_submit_is_sent_as_documented(provider, case, expected):
    """Address, key, idempotency key and body."""
    documented = sample(provider, case)["body"]
    headers = {name.lower(): value for name, value in documented["headers"].items()}
    factory: Any = type(MADE[provider]())
    call = Call(callback_url=None, attempt_id=headers["idempotency-key"], now=0.0)
    sent = factory(api_key=headers["x-api-key"]).build_submit(expected.request, call)
    assert (sent.method, sent.url) == (documented["method"], documented["url"])
    del headers["content-type"]  # that of a JSON body
    assert plain(sent.headers).items() >= headers.items()
    assert isinstance(sent.body, Json)
    assert sent.body.value == documented["body"]


def pushed(provider: str, case: str) -> tuple[bytes, dict[str, str], float, bytes]:
    given = sample(provider, case)["body"]
    keys = given["secret"] if provider == "pika" else json.dumps(given["jwks"])
    return given["raw"].encode(), given["headers"], given["now"], keys.encode()


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(Pushes))
def test_a_signed_push_is_believed_as_documented(provider, case, expected):
    """The published examples verify, each about its task."""
    body, headers, now, keys = pushed(provider, case)
    told = MADE[provider]().read_callback(body, headers, now, keys)
    assert isinstance(told, expected.kind)
    assert (told.task.id, getattr(told, "reason", None)) == (expected.task, expected.reason)


@pytest.mark.parametrize(("provider", "case", "expected"), of_kind(Pushes))
def test_a_forged_push_is_nobodys(provider, case, expected):
    """Another body, an older or a later time, another key, no key, or a header that is missing."""
    body, headers, now, keys = pushed(provider, case)
    read = MADE[provider]().read_callback
    assert read(body.replace(b'"', b"'", 1), headers, now, keys) is None
    assert read(body, headers, now + 601, keys) is None
    assert read(body, headers, now - 601, keys) is None
    assert read(body, headers, now, None) is None
    other = b"whsec_b3RoZXI=" if provider == "pika" else b'{"keys": [{"x": "AAAA"}, 5, {"x": 5}]}'
    assert read(body, headers, now, other) is None
    for name in headers.keys() - {"content-type"}:
        assert read(body, {n: v for n, v in headers.items() if n != name}, now, keys) is None
        assert read(body, {**headers, name: "\udc80é"}, now, keys) is None


def test_fals_published_keys_verify_its_pushes():
    """The document of keys is read as it is published."""
    body, headers, now, _ = pushed("fal", "webhook.ok.signed")
    keys = json.dumps(sample("fal", "jwks")["body"]).encode()
    assert Fal(api_key="k").read_callback(body, headers, now, keys) is not None
    unsigned = json.dumps(sample("fal", "webhook.ok")["body"]).encode()
    assert Fal(api_key="k").read_callback(unsigned, {}, now, keys) is None


def test_an_upload_to_pika_goes_without_the_key():
    """First the grant, then the bytes with exactly the headers that were told."""
    adapter, blob = PikaOfficial(api_key="sandbox-samples"), Blob(b"x" * 48211, "image/png")
    asked = adapter.build_upload(blob, Uploading())
    assert isinstance(asked.body, Json)
    assert asked.body.value == sample("pika", "upload.request")["body"]
    step = adapter.read_upload(response(sample("pika", "upload.granted")), blob, Uploading())
    assert isinstance(step, Uploading)
    sent, documented = adapter.build_upload(blob, step), sample("pika", "upload.put")["body"]
    assert (sent.method, sent.body) == ("PUT", blob)
    assert f"{sent.url}?X-Amz-Signature={plain(sent.query)['X-Amz-Signature']}" == documented["url"]
    assert {**sent.headers, "Content-Length": str(len(blob.data))} == documented["headers"]
    assert adapter.read_upload(HttpResponse(status=200), blob, step) == Uploaded(
        link="https://cdn.pika.art/in/ex.png"
    )


def test_fals_ticket_is_not_its_key():
    """The bytes go to the host that the ticket names, with the ticket alone."""
    adapter, blob = Fal(api_key="sandbox-samples"), Blob(b"png", "image/png", "a cat.png")
    asked = adapter.build_upload(blob, Uploading())
    assert asked.url == "https://rest.fal.ai/storage/auth/token"
    step = adapter.read_upload(response(sample("fal", "upload.token")), blob, Uploading())
    assert isinstance(step, Uploading)
    sent = adapter.build_upload(blob, step)
    assert plain(sent.headers) == {"authorization": "Bearer fake.jwt", "x-fal-file-name": "a%20cat.png"}
    assert (sent.url, sent.body) == ("https://v3.fal.media/files/upload", blob)
    assert "fake.jwt" not in repr(sent)


def test_the_key_goes_to_no_address_outside_fals_base():
    """A submit's answer may name any; another host is not asked, with the key or without."""
    told = sample("fal", "submit.queued")["body"]
    for base in ("https://queue.fal.run", "http://127.0.0.1:9"):
        adapter = Fal(api_key="sandbox-samples", base_url=base)
        task = adapter.read_submit(response({"body": told}), Generate(BOAT)).task
        for request in (
            adapter.build_poll([task]),
            adapter.build_poll([evolve(task, locator={**task.locator, "completed": True})]),
            adapter.build_cancel(task),
        ):
            assert request.url.startswith(f"{base}/fal-ai/pika/requests/{_FAL_TASK}")
    suffixed = sample("fal", "submit.queued-response-suffix")["body"]
    task = Fal(api_key="k").read_submit(response({"body": suffixed}), Generate(BOAT)).task
    done = evolve(task, locator={**task.locator, "completed": True})
    assert Fal(api_key="k").build_poll([done]).url.endswith("/requests/req-exf01/response")


def test_pikas_key_goes_with_links_to_its_api_alone():
    """A link elsewhere needs none, and gets none."""
    adapter = PikaOfficial(api_key="sandbox-samples", base_url="https://api.dev.pika.art/v1")
    request = adapter.build_download("https://api.dev.pika.art/v1/files/ex0008.mp4")
    assert request is not None
    assert plain(request.headers)["x-api-key"] == "sandbox-samples"
    assert adapter.build_download("https://cdn.pika.art/ex/0001.mp4") is None
    assert adapter.build_poll([Task("media_1")]).url == "https://api.dev.pika.art/v1/media/jobs/media_1"
