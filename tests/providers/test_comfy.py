"""What is special in Comfy Router: two routes, an envelope around Pika's document, links of others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pika_async import DownloadError, Pika, ProviderUnavailable
from pika_async.provider import (
    Call,
    Cancelled,
    ContentBlocked,
    Failed,
    Generate,
    HttpResponse,
    Ingredients,
    Pending,
    PikaError,
    SubmitUnknown,
    Succeeded,
    Task,
)
from pika_async.sandbox import Sandbox
from pika_comfy import Comfy, ComfyEmulator

COMFY = Comfy(api_key="sandbox-comfy")
CALL = Call(callback_url=None, attempt_id="j-1-x", now=0.0)
TEXT = "pika-2.5-text-to-video"
TASK = Task("r-1", {"model": TEXT})
DONE = Task("r-1", {"model": TEXT, "completed": True})


def answer(body: Any, status: int = 200, **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status=status, headers=named, body=json.dumps(body).encode())


@pytest.mark.anyio
async def test_a_workspace_without_a_queue_goes_on_by_the_held_route():
    """The refusal is about the route alone: the same order is bought once, the next goes there at once."""
    async with (
        Sandbox(render_time=0.0, emulators=[ComfyEmulator()]) as sandbox,
        sandbox.client("comfy", api_key="sandbox-unqueued") as pika,
    ):
        for prompt in ("A cat", "A dog"):
            video = await pika.generate(prompt, timeout=5)
            assert video.video_url
            assert video.video_url.startswith(sandbox.url)
        home = f"/v2/models/pika/{TEXT}"
        assert sandbox.requests["POST", f"{home}/requests"] == 1
        assert sandbox.requests["POST", home] == 2
        assert sandbox.billed == {"A cat": 1, "A dog": 1}


def test_no_other_refusal_changes_the_route():
    """Nor does the held route have another."""
    unqueued = ProviderUnavailable("no queue", code="not_enabled")
    assert COMFY.other_route(unqueued) == Comfy(api_key="sandbox-comfy", held=True)
    assert Comfy(api_key="sandbox-comfy", held=True).other_route(unqueued) is None
    assert COMFY.other_route(ProviderUnavailable("gone", code="model_not_found")) is None


def test_the_held_route_may_be_asked_again_and_the_queue_may_not():
    """The rules of the key are published for one of them."""
    assert COMFY.capabilities.replay is None
    replay = Comfy(api_key="k", held=True).capabilities.replay
    assert replay is not None
    assert (replay.seconds, replay.allows(409), replay.allows(503)) == (86_400, True, True)


def test_another_seller_is_never_let_in():
    """It would have another price."""
    for adapter in (COMFY, Comfy(api_key="k", held=True)):
        built = adapter.build_submit(Generate("A cat"), CALL)
        assert built.query == {"fallback_provider": "false"}
        assert built.headers["idempotency-key"] == "j-1-x"
        assert built.held is adapter.held


def test_a_rejected_request_has_failed_and_is_no_refusal():
    """It may be charged; without an id of the request not even that is known."""
    body = {"detail": "No.", "error_type": "content_policy_violation"}
    told = COMFY.read_submit(answer(body, 400, x_comfy_request_id="r-9"), Generate("A cat"))
    assert isinstance(told, Failed)
    assert (told.task.id, told.reason, told.charged) == ("r-9", "content", "unknown")
    with pytest.raises(SubmitUnknown):
        COMFY.read_submit(answer(body, 400), Generate("A cat"))


@pytest.mark.parametrize("id_", ["", "a/b", "x" * 257, 5, None])
def test_an_id_that_addresses_no_request_is_none(id_):
    """So whether the request was accepted is not known."""
    with pytest.raises(PikaError) as caught:
        COMFY.read_submit(answer({"request_id": id_}, 201), Generate("A cat"))
    assert not isinstance(caught.value, ContentBlocked)
    assert caught.value.charged == "unknown"


def test_every_path_bears_the_model_and_the_id():
    """Both are in the job's handle."""
    told = COMFY.read_submit(answer({"request_id": "r-1"}, 201), Ingredients("x", ["https://m.test/a.png"]))
    model = "pika-h3-flex-reference-to-video"
    assert told.task == Task("r-1", {"model": model})
    assert COMFY.build_poll([told.task]).url.endswith(f"/v2/models/pika/{model}/requests/r-1/status")
    assert COMFY.build_poll([Task("r-1", {"model": model, "completed": True})]).url.endswith("/requests/r-1")
    cancel = COMFY.build_cancel(told.task)
    assert (cancel.method, cancel.url.endswith("/requests/r-1/cancel")) == ("PUT", True)


@pytest.mark.parametrize(("header", "wish"), [("5", 5.0), ("86400", 60.0), ("0", None), ("soon", None)])
def test_the_pace_of_look_ups_is_the_servers_within_a_minute(header, wish):
    """That is how Comfy's own client reads it."""
    seen = COMFY.read_poll(answer({"status": "IN_QUEUE", "queue_position": 4}, retry_after=header), [TASK])
    pending = seen["r-1"]
    assert isinstance(pending, Pending)
    assert (pending.poll_after, pending.queue_position) == (wish, 4)


def test_an_error_type_inside_a_result_counts_only_in_the_envelope():
    """A model may have a field of that name."""
    output = {"video": {"url": "https://cdn.test/a.mp4"}}
    (good,) = COMFY.read_poll(
        answer({"error_type": "x", "status": "completed", "output": output}), [DONE]
    ).values()
    (bad,) = COMFY.read_poll(
        answer({"error_type": "x", "status": "COMPLETED", "output": output}), [DONE]
    ).values()
    assert isinstance(good, Succeeded)
    assert isinstance(bad, Failed)


def test_what_a_video_cost_is_told_in_a_header():
    """In Comfy's credits, and not at all where it is not reported."""
    body = {"id": "m", "status": "completed", "output": {"video": {"url": "https://cdn.test/a.mp4"}}}
    assert COMFY.read_poll(answer(body, x_comfy_credits_used="4.22"), [DONE])["r-1"].cost == 4.22
    assert COMFY.read_poll(answer(body), [DONE])["r-1"].cost is None


def test_a_link_to_pikas_own_api_is_told_as_not_downloadable():
    """It opens with a key of Pika's alone, which is not here."""
    with pytest.raises(DownloadError, match="key of Pika's alone"):
        COMFY.build_download("https://api.dev.pika.art/v1/files/a.mp4")
    assert COMFY.build_download("https://cdn.pika.art/a.mp4") is None


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (202, Cancelled.REQUESTED),
        (204, Cancelled.REQUESTED),
        (409, Cancelled.TOO_LATE),
        (404, Cancelled.TOO_LATE),
    ],
)
def test_a_cancel_is_read_by_its_status(status, told):
    """A 204 has no body at all."""
    assert COMFY.read_cancel(HttpResponse(status=status), TASK) is told


def test_the_client_is_made_from_the_environment(monkeypatch):
    """Key and address have names of their own."""
    monkeypatch.setenv("COMFY_API_KEY", "sandbox-c")
    monkeypatch.setenv("COMFY_BASE_URL", "http://127.0.0.1:9")
    assert Pika("comfy")
