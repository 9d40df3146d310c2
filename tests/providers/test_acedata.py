"""AceData's adapter: what reaches the wire, and what hostile answers amount to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import fields
from hypothesis import given, settings
from hypothesis import strategies as st

from pika_acedata import AceData
from pika_async.provider import (
    AuthError,
    BadReply,
    Blob,
    Call,
    ConfigError,
    ContentBlocked,
    Failed,
    Finds,
    Generate,
    HttpResponse,
    Ingredients,
    InsufficientBalance,
    Json,
    Page,
    Pending,
    PikaError,
    Provider,
    ProviderFactory,
    ProviderUnavailable,
    RateLimited,
    ReadsCallbacks,
    Secret,
    State,
    Style,
    SubmitRefused,
    SubmitUnknown,
    Succeeded,
    Task,
    UnsupportedRequest,
)

ACE = AceData(api_key="sk-canary")
CALL = Call(callback_url=Secret("https://callback.invalid/token"), attempt_id="a", now=0.0)
LINK, COVER = "https://cdn.pika.art/v1/a.mp4", "https://cdn.pika.art/v1/a.jpg"
IMAGE, VIDEO = "https://media.example.test/cat.png", "https://media.example.test/cat.mp4"
DONE = {"id": "v", "video_url": LINK, "image_url": COVER, "duration": 5.04, "state": "succeeded"}

factory: ProviderFactory = AceData
conforms: tuple[Provider, ReadsCallbacks, Finds] = (ACE, ACE, ACE)


def answer(body: object, status: int = 200, **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status=status, headers=headers, body=raw)


def error(code: object, message: object = "why") -> dict[str, object]:
    return {"error": {"code": code, "message": message}, "trace_id": "trace"}


def sent(request: Any, ace: AceData = ACE, call: Call = CALL) -> dict[str, Any]:
    body = ace.build_submit(request, call).body
    assert isinstance(body, Json)
    return dict(body.value)


def submit(body: object, status: int = 200, request: Any = None, **headers: str) -> Any:
    return ACE.read_submit(answer(body, status, **headers), request or Generate("A cat"))


def poll(body: object, status: int = 200, ids: tuple[str, ...] = ("t",)) -> Any:
    return ACE.read_poll(answer(body, status), [Task(id_) for id_ in ids])


def record(response: object, **more: object) -> dict[str, object]:
    return {"id": "t", "request": {"prompt": "A cat"}, "response": response, **more}


MUTATIONS: dict[str, dict[str, object]] = {
    "negative_prompt": {"negative_prompt": "ugly"},
    "model": {"model": "1.5"},
    "aspect_ratio": {"aspect_ratio": "9:16"},
    "image": {"image_url": [IMAGE]},
    "video": {"video_url": VIDEO},
    "mode": {"ingredients_mode": "creative"},
    "extra_body": {"mirror": True},
}
VALUES: dict[str, Any] = {
    "negative_prompt": "ugly",
    "model": 1.5,
    "aspect_ratio": "9:16",
    "image": IMAGE,
    "video": VIDEO,
    "mode": "creative",
    "extra_body": {"mirror": True},
    "duration": 5,
    "resolution": "1080p",
    "last_image": IMAGE,
    "frames": [IMAGE, IMAGE],
    "seed": 1,
    "frame_rate": 20,
    "guidance_scale": 9,
    "motion": 1,
    "camera": {"pan": "left"},
    "sound_effects": True,
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_declared_field_changes_the_wire(name):
    """Setting a field puts exactly its own wire field into the body."""
    start: Any = Ingredients("A cat", images=[IMAGE]) if name == "mode" else Generate("A cat")
    given_ = {"prompt": start.prompt, **({"images": start.images} if name == "mode" else {})}
    request = type(start)(**given_, **{name: VALUES[name]})
    ACE.capabilities.check(request)
    assert sent(request) == {**sent(start), **MUTATIONS[name]}


@pytest.mark.parametrize("name", sorted(VALUES.keys() - MUTATIONS.keys()))
def test_each_other_field_is_refused_by_name(name):
    """What the wire cannot say is refused before anything is sent."""
    beside = {"image": IMAGE} if name == "last_image" else {}
    with pytest.raises(UnsupportedRequest, match=name):
        ACE.capabilities.check(Generate("A cat", **{name: VALUES[name]}, **beside))


def test_the_two_tables_cover_every_field():
    """No field of any request is left out of the two tests above."""
    known = {a.name for kind in (Generate, Style, Ingredients) for a in fields(kind)}
    assert known == VALUES.keys() | {"prompt", "images", "style"}
    assert set(MUTATIONS) == ACE.capabilities.fields | {"extra_body"}


def test_styles_and_blobs_reach_the_wire():
    """A style is an effect; files travel inline as data links, images always as a list."""
    blob = Blob(b"\x89PNG", "image/png", "cat.png")
    body = sent(Style("A cat", style="Bald Me", image=blob, video=Blob(b"mp4", "video/mp4")))
    assert body["effect"] == "Bald Me"
    assert body["image_url"] == ["data:image/png;base64,iVBORw=="]
    assert body["video_url"] == "data:video/mp4;base64,bXA0"
    assert "Video Templates" not in ACE.capabilities.styles
    assert len(set(ACE.capabilities.styles)) == 46


@pytest.mark.parametrize(
    ("request_", "model"),
    [
        (Generate("a"), "2.0"),
        (Generate("a", image=IMAGE), "2.0"),
        (Generate("a", video=VIDEO), "2.0"),
        (Style("a", style="Melt"), "1.5"),
        (Style("a", style="Melt", image=IMAGE), "1.5"),
        (Style("a", style="Melt", video=VIDEO), "2.0"),
        (Ingredients("a", [IMAGE]), "2.0"),
        (Generate("a", model="pika-2.2"), "pika-2.2"),
    ],
)
def test_default_models(request_, model):
    """Each kind has its default model; words we do not know pass through."""
    assert sent(request_)["model"] == model


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (Ingredients("a", [IMAGE], model="1.5"), "model"),
        (Generate("a", video=VIDEO, model="1.5"), "model"),
        (Generate("a", image=IMAGE, aspect_ratio="1:1"), "aspect_ratio"),
        (Style("a", style="Melt", video=VIDEO, aspect_ratio="1:1"), "aspect_ratio"),
        (Ingredients("a", [IMAGE], aspect_ratio="1:1"), "aspect_ratio"),
        (Generate("a", extra_body={"callback_url": "https://a.test"}), "callback_url"),
        (Generate("a", image=b"raw"), "image"),
    ],
)
def test_impossible_combinations_are_refused_by_name(request_, name):
    """A field that does not go with another is named, never dropped."""
    with pytest.raises(UnsupportedRequest, match=name):
        ACE.build_submit(request_, CALL)


def test_three_ways_to_be_answered():
    """With a callback and without one the answer comes at once; a held one asks for neither."""
    silent = Call(callback_url=None, attempt_id="a", now=0.0)
    assert sent(Generate("a")) == {**sent(Generate("a"), call=silent), "callback_url": CALL.callback_url}
    assert sent(Generate("a"), call=silent)["async"] is True
    held = AceData(api_key="sk-canary", held=True)
    assert sent(Generate("a"), held).keys() == {"action", "prompt", "model"}
    assert held.build_submit(Generate("a"), CALL).held


def test_addresses_and_the_key():
    """Every call goes under base_url with the key as a bearer token, which stays secret."""
    ace = AceData(api_key="sk-canary", base_url="http://127.0.0.1:8080/")
    request = ace.build_submit(Generate("a"), CALL)
    assert (request.method, request.url) == ("POST", "http://127.0.0.1:8080/pika/videos")
    assert request.headers["authorization"] == Secret("Bearer sk-canary")
    assert "sk-canary" not in repr(ace) + repr(request)
    assert "token" not in repr(request)
    assert ace.build_poll([Task("t")]).url == "http://127.0.0.1:8080/pika/tasks"


@pytest.mark.parametrize("options", [{"base_url": "ftp://a"}, {"api_key": "a\nb"}, {"api_key": ""}])
def test_bad_options_are_refused_at_once(options):
    """An address or a key that HTTP cannot carry is refused when the adapter is made."""
    with pytest.raises(ConfigError):
        AceData(**{"api_key": "sk", **options})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, error("used_up"), InsufficientBalance),
        (400, {"error": "used_up"}, InsufficientBalance),
        (200, error("something_new"), SubmitUnknown),
        (200, error("api_error"), SubmitUnknown),
        (200, {}, SubmitUnknown),
        (200, {"success": True}, SubmitUnknown),
        (200, None, SubmitUnknown),
        (200, b"<html>ok</html>", SubmitUnknown),
        (400, error("something_new"), SubmitRefused),
        (400, {"error": "plain text"}, SubmitRefused),
        (400, {"error": {"message": {"message": "deep"}}}, SubmitRefused),
        (400, {"error": None}, SubmitUnknown),
        (400, {"detail": "?"}, SubmitUnknown),
        (400, error("busy"), SubmitUnknown),
        (400, error("duplication"), SubmitUnknown),
        (401, error("disabled"), AuthError),
        (401, error("something_new"), AuthError),
        (401, b"<html>login</html>", SubmitUnknown),
        (402, {"x402Version": 1, "accepts": []}, InsufficientBalance),
        (402, b"<html>", SubmitUnknown),
        (403, error("disabled"), AuthError),
        (403, error("not_applied"), AuthError),
        (403, error("something_new"), AuthError),
        (404, error("no_api"), ProviderUnavailable),
        (404, error("something_new"), SubmitRefused),
        (408, error("bad_request"), SubmitUnknown),
        (409, error("duplication"), SubmitUnknown),
        (413, error("request_too_large"), SubmitRefused),
        (429, {"error": "slow down"}, RateLimited),
        (429, b"Too Many Requests", SubmitUnknown),
        (307, error("no_token"), SubmitUnknown),
        (500, error("used_up"), SubmitUnknown),
        (500, error("busy"), SubmitUnknown),
        (502, b"<html>502</html>", SubmitUnknown),
    ],
)
def test_only_a_readable_refusal_is_a_refusal(status, body, kind):
    """A submit is refused by AceData's own words, by code first; everything else is unknown."""
    with pytest.raises(PikaError) as caught:
        submit(body, status)
    assert type(caught.value) is kind
    assert caught.value.charged == ("unknown" if kind is SubmitUnknown else "no")
    assert caught.value.retryable == (kind is RateLimited)


def test_an_offer_in_a_header_is_an_empty_balance():
    """The x402 offer may be in a header alone."""
    with pytest.raises(InsufficientBalance):
        submit(b"", 402, **{"payment-required": "e30="})


def test_errors_show_neither_key_nor_links():
    """What AceData says is shown on one line, without our key and without links that bear tokens."""
    told = error("bad_request", "key sk-canary\nbad\tcallback_url https://callback.invalid/token")
    with pytest.raises(SubmitRefused) as caught:
        submit(told, 400)
    assert "sk-canary" not in str(caught.value)
    assert "invalid/token" not in str(caught.value)
    assert "key *** bad callback_url (link)" in str(caught.value)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 429, 500, 504])
def test_an_answer_that_names_a_task_is_never_a_refusal(status):
    """Whatever the status, a task id is evidence."""
    assert submit({"task_id": "t", "trace_id": "r"}, status) == Pending(
        task=Task("t"), trace_id="r", raw={"task_id": "t", "trace_id": "r"}
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "bad_request"), (403, "forbidden"), (200, "used_up"), (422, "new"), (504, "timeout"), (500, "x")],
)
@pytest.mark.parametrize("named", [{"task_id": "t"}, {"data": [{"id": "t", "state": "failed"}]}])
def test_a_task_beside_an_error_is_looked_at_before_the_error_is_believed(status, code, named):
    """The video may exist: neither a refusal nor a failure is concluded without one look."""
    told = submit({**named, **error(code)}, status)
    assert told == Pending(task=Task("t"), trace_id="trace", raw={**named, **error(code)})


@pytest.mark.parametrize("more", [{"success": False, "finished_at": 1.0}, {"data": [{"state": "failed"}]}])
def test_a_failure_that_a_submit_tells_is_looked_at_too(more):
    """The record of the task decides, not the answer that named it."""
    assert isinstance(submit({"task_id": "t", **more}), Pending)


def test_a_held_answer_may_know_only_its_video():
    """Without a task id the first video's id names the task."""
    told = submit({"success": True, "data": [DONE]})
    assert told.task == Task("v")
    assert told.results[0].duration == pytest.approx(5.04)


@pytest.mark.parametrize(
    ("response", "more", "kind", "reason"),
    [
        (None, {}, Pending, None),
        ("text", {}, Pending, None),
        ({"success": False}, {}, Pending, None),
        ({"success": False}, {"finished_at": 1.0}, Failed, "provider"),
        ({"success": True}, {"finished_at": 1.0}, Failed, "no_output"),
        ({"success": True, "data": DONE}, {}, Succeeded, None),
        ({"data": [DONE, "junk", None]}, {}, Succeeded, None),
        ({"data": [{**DONE, "state": " SUCCESS "}]}, {}, Succeeded, None),
        ({"data": [{**DONE, "state": "polishing"}]}, {}, Pending, None),
        ({"data": [{**DONE, "state": "processing"}]}, {"finished_at": 1.0}, Pending, None),
        ({"data": [{**DONE, "video_url": None}]}, {}, Failed, "no_output"),
        ({"data": [{**DONE, "video_url": "soon"}]}, {}, Failed, "no_output"),
        ({"data": [{**DONE, "duration": "five", "image_url": 7}]}, {}, Succeeded, None),
        ({"data": [DONE, {"state": "queued"}]}, {}, Pending, None),
        ({"data": [DONE, {"state": "failed"}]}, {}, Succeeded, None),
        ({"data": [{"state": "failed"}, {"state": "rejected"}]}, {}, Failed, "provider"),
        ({"data": [{"state": "pending"}], "error": "why"}, {}, Failed, "provider"),
        ({"data": [DONE], "error": "why"}, {}, Succeeded, None),
        ({"error": {"message": {"message": "Our moderators object"}}}, {}, Failed, "content"),
        ({"error": ""}, {}, Pending, None),
        ({"data": [{"video_url": LINK}]}, {}, Succeeded, None),
        ({"data": [{"video_url": LINK}], "success": False}, {}, Pending, None),
        ({"data": [{"video_url": LINK}]}, {"request": None}, Pending, None),
        ({"data": [{"video_url": LINK}]}, {"request": None, "finished_at": 1}, Succeeded, None),
        ({"data": [{"video_url": VIDEO}]}, {"request": {"video_url": VIDEO}}, Pending, None),
        ({"data": [{**DONE, "video_url": VIDEO}]}, {"request": {"video_url": VIDEO}}, Failed, "no_output"),
    ],
)
def test_states(response, more, kind, reason):
    """A task is pending while any output is open, done by a word and a link, else failed (1.6)."""
    told = poll(record(response, **more))["t"]
    assert isinstance(told, kind)
    assert getattr(told, "reason", None) == reason


def test_queued_is_told_apart_and_a_source_is_no_result():
    """Only outputs that all wait are queued; our own video coming back is no success."""
    assert poll(record({"data": [{"state": "queued"}]}))["t"].state is State.QUEUED
    echo = {"task_id": "t", "data": [{"video_url": VIDEO}]}
    assert isinstance(submit(echo, request=Generate("a", video=VIDEO)), Pending)
    assert isinstance(submit({**echo, "data": [{"video_url": LINK}]}), Succeeded)


def test_raw_bears_no_token():
    """What is kept of a record lacks the echoed request and every callback address."""
    body = record({"task_id": "t", "callback_url": "x"}, request={"callback_url": "https://a.test/token"})
    assert poll(body)["t"].raw == {"id": "t", "response": {"task_id": "t"}}
    deep: Any = {"id": "t"}
    for _ in range(100):
        deep = {"id": "t", "more": [deep]}
    assert isinstance(poll(deep)["t"], Pending)


def test_a_batch_is_read_item_by_item():
    """Any order, foreign ids and malformed items spoil nothing; both shapes are read."""
    good = record({"task_id": "t", "data": [DONE]})
    unnamed = {"response": {"task_id": "u"}}
    items = [7, None, {"id": 5}, {"id": "stranger"}, unnamed, {"id": "w", "response": [1]}, good]
    told = poll({"items": items, "count": 9}, ids=("t", "u", "w", "x"))
    assert {id_: type(value) for id_, value in told.items()} == {"u": Pending, "w": Pending, "t": Succeeded}
    assert poll(good, ids=("t", "u")).keys() == {"t"}
    assert poll({"items": [good]}).keys() == {"t"}


@pytest.mark.parametrize(
    ("body", "status"), [({}, 200), (None, 200), ({"items": []}, 200), (b"", 404), (error("x"), 404)]
)
def test_a_task_may_be_unknown(body, status):
    """Empty answers and a single 404 mean "not known now"."""
    assert poll(body, status) == {}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error("no_token"), AuthError),
        (401, b"", ProviderUnavailable),
        (403, error("forbidden"), AuthError),
        (403, error("used_up"), InsufficientBalance),
        (401, {"message": "Unauthorized"}, ProviderUnavailable),
        (403, {"error": "plain text"}, ProviderUnavailable),
        (403, b"<html>bot check</html>", ProviderUnavailable),
        (404, error("no_api"), ProviderUnavailable),
        (408, b"", ProviderUnavailable),
        (429, b"slow down", RateLimited),
        (500, error("used_up"), ProviderUnavailable),
        (503, b"", ProviderUnavailable),
        (200, error("api_error"), ProviderUnavailable),
        (200, b"<html>", BadReply),
        (200, b"", BadReply),
        (200, [1], BadReply),
        (200, {"items": 5}, BadReply),
        (200, {"hello": "world"}, BadReply),
        (302, record({"data": [DONE]}), BadReply),
        (400, error("bad_request"), BadReply),
    ],
)
def test_failed_lookups_raise(status, body, kind):
    """A look-up that was not answered says why, and never that the task is unknown."""
    with pytest.raises(PikaError) as caught:
        poll(body, status)
    assert type(caught.value) is kind
    assert (caught.value.phase, caught.value.status) == ("poll", status)
    withdrawn = caught.value.code == "no_api"
    assert caught.value.retryable == (kind in {RateLimited, ProviderUnavailable} and not withdrawn)


def test_a_404_for_many_is_no_answer():
    """Only a single task can be unknown by status."""
    with pytest.raises(BadReply):
        poll(b"", 404, ids=("t", "u"))


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"task_id": "t", "data": [DONE]}).encode(),
        json.dumps({"code": 200, "data": {"task_id": "t", "data": [DONE]}}).encode(),
        json.dumps({"response": {"task_id": "t", "data": [DONE]}}).encode(),
        b"task_id=t&success=true&data=" + json.dumps([DONE]).encode(),
    ],
)
def test_pushes_are_read_in_every_clothing(body):
    """JSON or form, bare or wrapped, a push is the sync answer."""
    told = ACE.read_callback(body, {}, 0.0, None)
    assert isinstance(told, Succeeded)
    assert (told.task.id, told.results[0].video_url) == ("t", LINK)


@pytest.mark.parametrize("body", [b"", b"\xff", b"null", b"[]", b'{"task_id": 5}', b"hello=world", b"{}"])
def test_other_pushes_are_ignored(body):
    """A body that names no task is not for us."""
    assert ACE.read_callback(body, {}, 0.0, None) is None


def test_a_push_without_a_word_proves_nothing():
    """The echoed request is not at hand, so a bare link may be our own."""
    body = json.dumps({"task_id": "t", "data": [{"video_url": LINK}]}).encode()
    assert isinstance(ACE.read_callback(body, {}, 0.0, None), Pending)


def history(shown: int, count: int, newest: float = 1000.0, step: float = 1.0) -> Page:
    items = [
        {"id": f"t{n}", "created_at": newest - n * step, "request": {"callback_url": f"https://a.test/{n}"}}
        for n in range(shown)
    ]
    return ACE.read_find(answer({"items": items, "count": count}))


def test_history_is_walked_by_time():
    """A page that is full, or that counts more, leads on from its oldest time; else it is the last."""
    page = history(50, 50)
    assert page.found[3].callback_url == Secret("https://a.test/3")
    assert page.found[3].snapshot.task.id == "t3"
    request = ACE.build_find(10.0, 2000.0, page.next_cursor)
    assert isinstance(request.body, Json)
    assert request.body.value == {
        "action": "retrieve_batch",
        "type": "videos",
        "limit": 50,
        "offset": 0,
        "created_at_min": 10.0,
        "created_at_max": 951.0,
    }
    assert history(49, 49).next_cursor is None
    assert history(0, 999).next_cursor is None
    assert history(20, 999).next_cursor == "981.0"
    assert float(history(50, 50, step=0.0).next_cursor or 0) < 1000.0


def test_history_that_cannot_be_walked_is_an_error():
    """A full page without times must not pass for the whole history."""
    with pytest.raises(BadReply):
        ACE.read_find(answer({"items": [{"id": "t"}] * 50}))
    assert ACE.read_find(answer({"items": [{}, 5]})) == Page(found=(), next_cursor=None)
    with pytest.raises(BadReply):
        ACE.read_find(answer(b"", 404))


NAMES = st.sampled_from(
    [
        "id",
        "task_id",
        "data",
        "response",
        "error",
        "items",
        "state",
        "video_url",
        "request",
        "code",
        "message",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=5),
    max_leaves=12,
)
BODIES = st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())


@settings(max_examples=300)
@given(st.integers(100, 599), BODIES)
def test_whatever_comes_is_a_value_or_an_error_of_ours(status, body):
    """Arbitrary bytes and JSON with any status never escape as another exception."""
    response = HttpResponse(status=status, body=body)
    asked = [Task("t"), Task("0")]
    for read in (
        lambda: ACE.read_submit(response, Generate("a")),
        lambda: ACE.read_poll(response, asked[:1]),
        lambda: ACE.read_poll(response, asked),
        lambda: ACE.read_find(response),
        lambda: ACE.read_callback(body, {}, 0.0, None),
    ):
        try:
            value = read()
        except PikaError:
            continue
        assert value is None or isinstance(value, dict | Page | Pending | Succeeded | Failed)
        if isinstance(value, dict):
            assert value.keys() <= {"t", "0"}


def test_moderation_before_work_is_told_from_a_wrong_key():
    """403 is money, moderation or the account, by its code (6.7)."""
    with pytest.raises(ContentBlocked, match="change the prompt"):
        submit(error("forbidden"), 403)
