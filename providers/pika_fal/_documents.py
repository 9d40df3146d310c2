"""What fal's documents show, for the conformance kit to hold the adapter against; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import asdict

import pika_async.provider as api
from pika_fal._signing import published, signed

_WORDS: Final = (
    "prompt negative_prompt seed aspect_ratio resolution duration ingredients_mode pikaffect image_url "
    "image_urls video_url modify_region transitions fal_webhook expand storage_type"
)
NAMES: Final = frozenset(_WORDS.split())
_UP: Final = 100 * 1024 * 1024
_RATIOS: Final = ("16:9", "9:16", "1:1", "4:5", "5:4", "3:2", "2:3")
_MEDIA: Final = api.Takes(inline=True, inline_limit=8192, uploads=True, upload_limit=_UP)
_STYLES: Final = (
    "Cake-ify Crumble Crush Decapitate Deflate Dissolve Explode Eye-pop Inflate Levitate Melt Peel Poke "
    "Squish Ta-da Tear"
)
DECLARED: Final = api.Capabilities(
    name="fal",
    styles=tuple(_STYLES.split()),
    key_variables=("FAL_KEY",),
    url_variable="FAL_BASE_URL",
    poll_batch=1,
    poll_rate=10,
    free_results=True,
    callbacks="optional",
    replay=None,
    refuses_by_body=False,
    echoes_token=False,
    media={"image": _MEDIA, "video": _MEDIA},
    models=("2.2", "2.1", "2-turbo"),
    choices={
        "model": ("2.2", "2.1", "2-turbo"),
        "resolution": ("720p", "1080p"),
        "aspect_ratio": _RATIOS,
    },
    private={"logs"},
    hosts={"rest.fal.ai": {"api_key"}, "api.fal.ai": {"api_key"}, "*": set()},
    kinds={api.Generate, api.Ingredients, api.Style, api.Edit},
    prompt_optional={api.Generate, api.Style},
    fields={"image", "last_image", "frames", "region", "mode", "duration", "resolution", "aspect_ratio"}
    | {"negative_prompt", "seed", "model"},
    lacks={
        api.Style: {"duration", "resolution", "aspect_ratio", "model"},
        api.Edit: {"duration", "resolution", "aspect_ratio", "model", "mask"},
        api.Ingredients: {"model"},
    },
)
LIMITS: Final[Mapping[str, object]] = asdict(DECLARED, recurse=False)
_MODERATED, _DETAIL = "content_policy_violation", "The content could not be processed."
MEANINGS: Final[Mapping[type[api.PikaError], tuple[tuple[int, Any], ...]]] = {
    api.AuthError: ((401, {"detail": "Authentication is required."}), (403, {"detail": "Forbidden"})),
    api.InsufficientBalance: ((403, {"detail": "User is locked. Reason: Exhausted balance."}),),
    api.ContentBlocked: ((422, {"detail": [{"loc": ["body"], "msg": _DETAIL, "type": _MODERATED}]}),),
    api.RateLimited: ((429, {"detail": "Too many requests"}),),
    api.SubmitRefused: (
        (422, {"detail": [{"loc": ["body"], "msg": "field required", "type": "value_error.missing"}]}),
        (400, {"detail": "Malformed request", "error_type": "bad_request"}),
        (404, {"detail": "Not Found"}),
        (413, {"detail": "Too large"}),
    ),
    api.SubmitUnknown: (
        (499, {"detail": "why", "error_type": "client_disconnected"}),
        (499, {"detail": "why", "error_type": "client_cancelled"}),
        (500, {"detail": "why", "error_type": "internal_error"}),
        (503, {"detail": "why", "error_type": "runner_scheduling_failure"}),
        (504, {"detail": "why", "error_type": "request_timeout"}),
        (409, {"detail": "why"}),
        (200, {}),
    ),
}
_BACK: Final = "https://callback.invalid/token"
_CALL: Final = api.Call(callback_url=api.Secret(_BACK), attempt_id="a", now=0.0)
_MUTE: Final = api.Call(callback_url=None, attempt_id="a", now=0.0)
_PICTURE, _CLIP, _SEA = "https://media.test/cat.png", "https://media.test/cat.mp4", "https://media.test/s.png"
_PLAIN: Final = api.Generate("A cat")
_T: Final = api.Task("t1")
_VIDEO: Final = "https://cdn.test/v.mp4"
_SERVERS: Final = (
    "request_timeout startup_timeout runner_scheduling_failure runner_connection_timeout runner_disconnected "
    "runner_connection_refused runner_connection_error runner_incomplete_response runner_server_error"
)


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must send and read."""
    yield from _submits(provider)
    yield from _refused()
    yield from _calls(provider)
    yield from _accepted()
    yield from _statuses()
    yield from _results()
    yield from _others(provider)
    yield from _pushes()


def refusals() -> Iterator[tuple[api.HttpResponse, type[api.PikaError]]]:
    for error, answers in MEANINGS.items():
        for status, body in answers:
            yield says(status, body), error


def says(status: int, body: Any, **headers: str) -> api.HttpResponse:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return api.HttpResponse(status=status, headers=named, body=json.dumps(body).encode())


def _call(provider: Any, method: Any, url: str, **more: Any) -> api.HttpRequest:
    headers = {"authorization": f"Key {provider.api_key.reveal()}", "accept": "application/json"}
    return api.HttpRequest(method=method, url=url, headers=headers, **more)


def _submits(provider: Any) -> Iterator[api.Example]:
    blob, inline = api.Blob(b"png", "image/png"), "data:image/png;base64,cG5n"
    between = (api.Frame(_PICTURE, seconds=3, prompt="dusk"), api.Frame(_SEA))
    cases: list[tuple[api.VideoRequest, str, dict[str, Any]]] = [
        (_PLAIN, "v2.2/text-to-video", {}),
        (
            api.Generate(
                "A cat",
                negative_prompt="blur",
                seed=0,
                aspect_ratio="9:16",
                resolution="720p",
                duration=10,
            ),
            "v2.2/text-to-video",
            {
                "negative_prompt": "blur",
                "seed": 0,
                "aspect_ratio": "9:16",
                "resolution": "720p",
                "duration": 10,
            },
        ),
        (api.Generate("A cat", model="2.1"), "v2.1/text-to-video", {}),
        (api.Generate("A cat", model="2-turbo"), "v2/turbo/text-to-video", {}),
        (
            api.Generate("A cat", image=_PICTURE, duration=5),
            "v2.2/image-to-video",
            {"image_url": _PICTURE, "duration": 5},
        ),
        (api.Generate("A cat", image=blob, model="2.1"), "v2.1/image-to-video", {"image_url": inline}),
        (
            api.Generate("A cat", image=_PICTURE, last_image=blob),
            "v2.2/pikaframes",
            {"image_urls": [_PICTURE, inline]},
        ),
        (
            api.Generate("A cat", image=_PICTURE, last_image=_SEA, duration=25, model="2.2"),
            "v2.2/pikaframes",
            {"image_urls": [_PICTURE, _SEA], "transitions": [{"duration": 25}]},
        ),
        (
            api.Generate("A cat", frames=(*between, api.Frame(_CLIP)), seed=3),
            "v2.2/pikaframes",
            {
                "image_urls": [_PICTURE, _SEA, _CLIP],
                "seed": 3,
                "transitions": [{"duration": 3, "prompt": "dusk"}, {}],
            },
        ),
        (
            api.Style("A cat", style="Ta-da", image=_PICTURE),
            "v1.5/pikaffects",
            {"pikaffect": "Ta-da", "image_url": _PICTURE},
        ),
        (
            api.Ingredients("A cat", (_PICTURE, blob), mode="precise", duration=10, aspect_ratio="1:1"),
            "v2.2/pikascenes",
            {
                "image_urls": [_PICTURE, inline],
                "ingredients_mode": "precise",
                "duration": 10,
                "aspect_ratio": "1:1",
            },
        ),
        (
            api.Edit("A cat", _CLIP, image=_PICTURE),
            "v2/pikadditions",
            {"video_url": _CLIP, "image_url": _PICTURE},
        ),
        (
            api.Edit("A cat", _CLIP, region="hat", image=_PICTURE),
            "v2/pikaswaps",
            {"video_url": _CLIP, "modify_region": "hat", "image_url": _PICTURE},
        ),
        (api.Generate("A cat", extra_body={"seed": 9}), "v2.2/text-to-video", {"seed": 9}),
    ]
    for request, path, body in cases:
        url = f"{provider.base_url}/fal-ai/pika/{path}"
        whole = api.Json({"prompt": "A cat", **body})
        sent = _call(provider, "POST", url, query={"fal_webhook": _BACK}, body=whole)
        yield api.Example("build_submit", (request, _CALL), sent)
    sent = _call(
        provider,
        "POST",
        f"{provider.base_url}/fal-ai/pika/v2.2/text-to-video",
        body=api.Json({"prompt": "A cat"}),
    )
    yield api.Example("build_submit", (_PLAIN, _MUTE), sent)


def _refused() -> Iterator[api.Example]:
    """Return requests that an endpoint cannot express, and the nearest that it can."""
    frames = tuple(api.Frame(_PICTURE) for _ in range(6))
    long = (api.Frame(_PICTURE, seconds=13), api.Frame(_SEA, seconds=13), api.Frame(_PICTURE))
    for wrong in (
        api.Style(style="Melt", video=_CLIP),
        api.Edit("A cat", _CLIP),
        api.Generate("A cat", frames=frames),
        api.Generate("A cat", frames=frames[:2], model="2.1"),
        api.Generate("A cat", frames=frames[:2], aspect_ratio="1:1"),
        api.Generate("A cat", frames=long),
        api.Generate("A cat", frames=(api.Frame(_PICTURE, seconds=2.5), api.Frame(_SEA))),
        api.Generate("A cat", frames=(api.Frame(_PICTURE), api.Frame(_SEA, seconds=3))),
        api.Generate("A cat", image=_PICTURE, last_image=_SEA, duration=26),
        api.Generate("A cat", duration=7),
        api.Generate("A cat", image=_PICTURE, aspect_ratio="1:1"),
        api.Generate(image=_PICTURE),
    ):
        yield api.Example("check_request", (wrong,), api.UnsupportedRequest)
    for right in (
        api.Generate("A cat", frames=frames[:5]),
        api.Generate("A cat", frames=(api.Frame(_PICTURE, seconds=25), api.Frame(_SEA))),
        api.Generate("A cat", image=_PICTURE, last_image=_SEA, duration=25),
        api.Edit("A cat", _CLIP, region="hat"),
    ):
        yield api.Example("check_request", (right,), None)


def _calls(provider: Any) -> Iterator[api.Example]:
    """Return calls about a task: to the addresses it was told, and to no host but ours."""
    home = f"{provider.base_url}/fal-ai/pika/requests/t1"
    told = {name: f"{home}/told/{name}" for name in ("status_url", "response_url", "cancel_url")}
    strange = {name: f"https://evil.test/{name}" for name in told}
    near = {name: f"{provider.base_url}.evil.test/{name}" for name in told}
    for locator, status, result, cancel in (
        ({}, f"{home}/status", home, f"{home}/cancel"),
        (told, told["status_url"], told["response_url"], told["cancel_url"]),
        (strange, f"{home}/status", home, f"{home}/cancel"),
        (near, f"{home}/status", home, f"{home}/cancel"),
    ):
        task = api.Task("t1", locator)
        done = api.Task("t1", {**locator, "completed": True})
        yield api.Example("build_poll", ([task],), _call(provider, "GET", status))
        yield api.Example("build_poll", ([done],), _call(provider, "GET", result))
        yield api.Example("build_cancel", (task,), _call(provider, "PUT", cancel))
    usual = _call(provider, "GET", "https://queue.fal.run/fal-ai/pika/requests/t1/status")
    yield api.Example("build_poll", ([_T],), usual, options={"base_url": None})
    odd = f"{provider.base_url}/fal-ai/pika/requests/a%2Fb/status"
    yield api.Example("build_poll", ([api.Task("a/b")],), _call(provider, "GET", odd))
    for default, rest, own in (
        (False, provider.base_url, provider.base_url),
        (True, "https://rest.fal.ai", "https://api.fal.ai"),
    ):
        options = {"base_url": "https://queue.fal.run"} if default else {}
        keys = api.HttpRequest(method="GET", url=f"{rest}/.well-known/jwks.json")
        yield api.Example("build_keys", (), keys, options=options)
        url = f"{own}/v1/account/billing"
        sent = _call(provider, "GET", url, query={"expand": "credits"})
        yield api.Example("build_balance", (), sent, options=options)
        url, query = f"{rest}/storage/auth/token", {"storage_type": "fal-cdn-v3"}
        sent = _call(provider, "POST", url, query=query, body=api.Json({}))
        blob = api.Blob(b"png", "image/png", "a b.png")
        yield api.Example("build_upload", (blob, api.Uploading()), sent, options=options)
        step = api.Uploading(told={"files": "https://up.test/files/upload", "ticket": api.Secret("Bearer x")})
        headers = {"authorization": "Bearer x", "x-fal-file-name": "a%20b.png"}
        sent = api.HttpRequest(method="POST", url="https://up.test/files/upload", headers=headers, body=blob)
        yield api.Example("build_upload", (blob, step), sent, options=options)


def _accepted() -> Iterator[api.Example]:
    urls = {
        "status_url": "https://q.test/s",
        "response_url": "https://q.test/r",
        "cancel_url": "https://q.test/c",
    }
    body = {"request_id": "t1", "status": "IN_QUEUE", "queue_position": 4, **urls}
    task = api.Task("t1", urls)
    queued = api.Pending(task=task, state=api.State.QUEUED, queue_position=4, trace_id="tr")
    for status in (200, 202, 422, 500):
        yield api.Example("read_submit", (says(status, body, x_fal_request_id="tr"), _PLAIN), queued)
    bare = api.Pending(task=_T, state=api.State.QUEUED)
    yield api.Example("read_submit", (says(200, {"request_id": "t1"}), _PLAIN), bare)
    for status, told, error in (
        (422, MEANINGS[api.ContentBlocked][0][1], api.ContentBlocked("", code=_MODERATED, trace_id="tr")),
        (
            500,
            {"detail": "x"},
            api.SubmitUnknown("look at fal's dashboard", code="internal_error", trace_id="tr"),
        ),
        (
            403,
            {"detail": "User is locked."},
            api.InsufficientBalance("", code="internal_error", trace_id="tr"),
        ),
    ):
        answer = says(status, told, x_fal_request_id="tr", x_fal_error_type="internal_error")
        yield api.Example("read_submit", (answer, _PLAIN), error)


def _statuses() -> Iterator[api.Example]:
    over = api.Pending(task=api.Task("t1", {"completed": True}), poll_after=0)
    gone = api.Failed(task=_T, message="gone", code="runner_disconnected", charged="no", trace_id="tr")
    ours = api.Failed(task=_T, message="why", code="client_cancelled", charged="unknown", trace_id="tr")
    inner = api.Failed(task=_T, message="why", code="internal_error", charged="no", trace_id="tr")
    cases: list[tuple[dict[str, Any], api.Snapshot]] = [
        (
            {"status": "IN_QUEUE", "queue_position": 2},
            api.Pending(task=_T, state=api.State.QUEUED, queue_position=2, trace_id="tr"),
        ),
        ({"status": "IN_PROGRESS"}, api.Pending(task=_T, trace_id="tr")),
        ({"status": "ANOTHER"}, api.Pending(task=_T, trace_id="tr")),
        ({"status": "COMPLETED", "request_id": "t1"}, over),
        ({"status": "COMPLETED", "error": "", "error_type": " "}, over),
        ({"status": "COMPLETED", "error": "gone", "error_type": "runner_disconnected"}, gone),
        ({"status": "COMPLETED", "error": "why", "error_type": "client_cancelled"}, ours),
        ({"status": "COMPLETED", "error": "why", "error_type": "internal_error"}, inner),
        ({"status": "COMPLETED", "error": "why"}, api.Failed(task=_T, message="why", trace_id="tr")),
    ]
    for told, snapshot in cases:
        answer = says(200, told, x_fal_request_id="tr")
        yield api.Example("read_poll", (answer, [_T]), {"t1": snapshot})
    done: Any = {"status": "COMPLETED", "metrics": {}}
    more = api.Pending(task=over.task, poll_after=0, raw=done)
    yield api.Example("read_poll", (says(200, {**done, "logs": []}), [_T]), {"t1": more})
    kept = api.Pending(task=_T, raw={"status": "IN_PROGRESS"})
    answer = says(202, {"status": "IN_PROGRESS", "logs": [{"message": "m"}]})
    yield api.Example("read_poll", (answer, [_T]), {"t1": kept})
    for nothing in (
        says(200, {"status": "COMPLETED", "request_id": "t9"}),
        says(404, {"detail": "Not Found"}),
    ):
        yield api.Example("read_poll", (nothing, [_T]), {})
    for status, body, kind in (
        (401, {"detail": "x"}, api.ProviderUnavailable),
        (401, {"detail": "x", "error_type": "unauthorized"}, api.AuthError),
        (429, {"detail": "x"}, api.RateLimited),
        (500, {"detail": "x"}, api.ProviderUnavailable),
        (404, {}, api.BadReply),
        (200, {}, api.BadReply),
    ):
        yield api.Example("read_poll", (says(status, body), [_T]), kind)


def _results() -> Iterator[api.Example]:
    """Return the second answer of a look-up in two steps: that of the model itself."""
    task = api.Task("t1", {"completed": True})
    video = api.VideoResult("t1", _VIDEO, None, None, api.State.SUCCEEDED)
    done = api.Succeeded(task=task, results=(video,))
    bad = [{"loc": ["body", "prompt"], "msg": _DETAIL, "type": _MODERATED}]
    blocked = api.Failed(task=task, reason="content", message=_DETAIL, code=_MODERATED)
    for status, body, told in (
        (200, {"video": {"url": _VIDEO}}, done),
        (200, {"videos": [{"url": _VIDEO}]}, done),
        (200, {"video": None}, api.Failed(task=task, reason="no_output")),
        (422, {"detail": bad}, blocked),
        (
            400,
            {"detail": "bad", "error_type": "bad_request"},
            api.Failed(task=task, message="bad", code="bad_request"),
        ),
    ):
        yield api.Example("read_poll", (says(status, body), [task]), {"t1": told})
    for code in _SERVERS.split():
        failed = api.Failed(task=task, message="why", code=code, charged="no")
        answer = says(500, {"detail": "why", "error_type": code})
        yield api.Example("read_poll", (answer, [task]), {"t1": failed})
    yield api.Example("read_poll", (says(404, {"detail": "Not Found"}), [task]), {})
    unread: tuple[tuple[int, Any, type[api.PikaError]], ...] = (
        (500, {"detail": "x", "error_type": "internal_error"}, api.ProviderUnavailable),
        (500, {"video": {"url": _VIDEO}}, api.ProviderUnavailable),
        (400, {"detail": "Request is still in progress"}, api.BadReply),
        (422, {}, api.BadReply),
        (200, [], api.BadReply),
    )
    for status, body, kind in unread:
        yield api.Example("read_poll", (says(status, body), [task]), kind)


def _others(provider: Any) -> Iterator[api.Example]:
    """Return answers to a cancellation, an upload and the question for the balance."""
    asked, late = api.Cancelled.REQUESTED, api.Cancelled.TOO_LATE
    for status, body, word in (
        (202, {"status": "CANCELLATION_REQUESTED"}, asked),
        (200, {"success": True}, asked),
        (400, {"status": "ALREADY_COMPLETED"}, late),
        (404, {"status": "NOT_FOUND"}, late),
        (200, {"success": False}, late),
        (500, {}, api.ProviderUnavailable),
        (500, {"status": "CANCELLATION_REQUESTED"}, api.ProviderUnavailable),
        (200, {}, api.BadReply),
    ):
        yield api.Example("read_cancel", (says(status, body), _T), word)
    blob = api.Blob(b"png", "image/png", "a.png")
    first, ticket = api.Uploading(), {"token": "x", "base_url": "https://up.test/"}
    home = provider.base_url
    told = api.Uploading(told={"files": f"{home}/files/upload", "ticket": api.Secret("Bearer x")})
    yield api.Example("read_upload", (says(200, ticket), blob, first), told)
    typed = api.Uploading(told={"files": "https://up.test/files/upload", "ticket": api.Secret("Own x")})
    default = {"base_url": "https://queue.fal.run"}
    answer = says(200, {**ticket, "token_type": "Own"})
    yield api.Example("read_upload", (answer, blob, first), typed, options=default)
    link = says(200, {"access_url": "https://up.test/a.png"})
    yield api.Example("read_upload", (link, blob, told), api.Uploaded("https://up.test/a.png"))
    for status, body, step, kind in (
        (200, {"base_url": "https://up.test"}, first, api.ProviderUnavailable),
        (200, {"token": "x"}, first, api.ProviderUnavailable),
        (401, {"detail": "x", **ticket}, first, api.AuthError),
        (413, {"detail": "x"}, told, api.SubmitRefused),
        (500, {"access_url": "https://up.test/a.png"}, told, api.ProviderUnavailable),
        (200, {"access_url": "no link"}, told, api.ProviderUnavailable),
    ):
        yield api.Example("read_upload", (says(status, body), blob, step), kind)
    for status, money, balance in (
        (200, {"current_balance": 12.5, "currency": "EUR"}, api.Balance(12.5, "EUR")),
        (200, {"current_balance": "3"}, api.Balance(3.0, "USD")),
        (200, {}, api.BadReply),
        (401, {"current_balance": 1}, api.AuthError),
        (403, {}, api.AuthError),
        (500, {"current_balance": 1}, api.ProviderUnavailable),
    ):
        yield api.Example("read_balance", (says(status, {"credits": money}),), balance)


def _pushes() -> Iterator[api.Example]:
    """Return signed webhooks, and the same with one thing wrong."""
    keys, at = json.dumps(published()).encode(), 1_800_000_000
    video = api.VideoResult("t1", _VIDEO, None, None, api.State.SUCCEEDED)
    bad = [{"loc": ["body"], "msg": _DETAIL, "type": _MODERATED}]
    ok: dict[str, Any] = {"request_id": "t1", "status": "OK"}
    broken = {"request_id": "t1", "status": "ERROR", "error": "Invalid status code: 422"}
    blocked: Any = {"reason": "content", "message": broken["error"], "code": _MODERATED}
    empty = {**ok, "payload": {"video": None}}
    cases: list[tuple[Any, api.Snapshot | None]] = [
        ({**ok, "payload": {"video": {"url": _VIDEO}}}, api.Succeeded(task=_T, results=(video,))),
        ({**empty, "logs": []}, api.Failed(task=_T, reason="no_output", raw=empty)),
        ({**broken, "payload": {"detail": bad}}, api.Failed(task=_T, **blocked)),
        ({**broken, "payload": None}, api.Failed(task=_T, message=broken["error"])),
        ({"status": "OK"}, None),
        ([], None),
    ]
    for told, snapshot in cases:
        body = json.dumps(told).encode()
        yield api.Example("read_callback", (body, signed(body, "t1", at), at, keys), snapshot)
    body = json.dumps(ok).encode()
    headers = signed(body, "t1", at)
    forged: tuple[tuple[bytes, Mapping[str, str], float, bytes | None], ...] = (
        (body + b" ", headers, at, keys),
        (body, {}, at, keys),
        (body, {**headers, "x-fal-webhook-request-id": "t2"}, at, keys),
        (body, headers, at + 3600, keys),
        (body, headers, at, None),
    )
    for one in forged:
        yield api.Example("read_callback", one, None)
