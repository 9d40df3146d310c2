"""Duomi's adapter: what reaches the wire, and what hostile answers amount to."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from attrs import fields
from hypothesis import given, settings
from hypothesis import strategies as st

from pika_async.provider import (
    AuthError,
    BadReply,
    Balance,
    Blob,
    Call,
    ConfigError,
    ContentBlocked,
    Failed,
    Generate,
    HttpResponse,
    Ingredients,
    InsufficientBalance,
    Json,
    Pending,
    PikaError,
    Provider,
    ProviderFactory,
    ProviderUnavailable,
    RateLimited,
    ReadsCallbacks,
    ReportsBalance,
    Secret,
    State,
    Style,
    SubmitRefused,
    SubmitUnknown,
    Succeeded,
    Task,
    UnsupportedRequest,
)
from pika_duomi import Duomi

DUO = Duomi(api_key="canary-key")
CALL = Call(callback_url=Secret("https://callback.invalid/token"), attempt_id="a", now=0.0)
LINK, IMAGE = "http://source.wike.cc/a.mp4", "https://media.example.test/cat.png"
VIDEO = "https://media.example.test/cat.mp4"

factory: ProviderFactory = Duomi
conforms: tuple[Provider, ReadsCallbacks, ReportsBalance] = (DUO, DUO, DUO)


def answer(body: object, status: int = 200) -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return HttpResponse(status=status, body=raw)


def says(code: object, msg: object = "", data: object = None) -> dict[str, object]:
    return {"code": code, "msg": msg, "data": data, "ip": "203.0.113.7"}


def sent(request: Any, duo: Duomi = DUO) -> dict[str, Any]:
    body = duo.build_submit(request, CALL).body
    assert isinstance(body, Json)
    return dict(body.value)


def submit(body: object, status: int = 200, duo: Duomi = DUO) -> Any:
    return duo.read_submit(answer(body, status), Generate("A cat"))


def poll(body: object, status: int = 200) -> Any:
    return DUO.read_poll(answer(body, status), [Task("t")])


def feed(**data: object) -> Any:
    return poll(says(200, "成功", {"task_id": "t", **data}))["t"]


TEXT = {
    "key": Secret("canary-key"),
    "callback_url": CALL.callback_url,
    "prompt": "A cat",
    "ratio": "16:9",
    "options": {"frameRate": 24},
}
MUTATIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "negative_prompt": ("ugly", {"options": {"frameRate": 24, "parameters": {"negativePrompt": "ugly"}}}),
    "seed": (0, {"options": {"frameRate": 24, "parameters": {"seed": 0}}}),
    "guidance_scale": (5, {"options": {"frameRate": 24, "parameters": {"guidanceScale": 5}}}),
    "motion": (0, {"options": {"frameRate": 24, "parameters": {"motion": 0}}}),
    "camera": ({"pan": "left"}, {"options": {"frameRate": 24, "camera": {"pan": "left"}}}),
    "frame_rate": (8, {"options": {"frameRate": 8}}),
    "model": ("1.5", {"model": 1.5}),
    "aspect_ratio": ("9:16", {"ratio": "9:16"}),
    "sound_effects": (False, {"sfx": False}),
    "extra_body": ({"options": {"frameRate": 9}}, {"options": {"frameRate": 9}}),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_declared_field_changes_the_wire(name):
    """Setting a field puts exactly its own wire field into the body."""
    value, change = MUTATIONS[name]
    request = Generate("A cat", **{name: value})
    DUO.capabilities.check(request)
    assert sent(Generate("A cat")) == TEXT
    assert sent(request) == {**TEXT, **change}


def test_media_choose_the_kind():
    """An image goes without ratio and options, a video brings what its kind requires."""
    bare = {name: value for name, value in TEXT.items() if name not in {"ratio", "options"}}
    assert sent(Generate("A cat", image=IMAGE)) == {**bare, "image": IMAGE}
    seeded = sent(Generate("A cat", image=IMAGE, seed=3))
    assert seeded["options"] == {"parameters": {"seed": 3}}
    assert sent(Style("A cat", style="melt", video=VIDEO)) == {
        **bare,
        "video": VIDEO,
        "style": "Melt",
        "sfx": False,
        "options": {"frameRate": 24},
    }


def test_every_field_is_declared_and_the_mutations_cover_them():
    """Duomi knows every field of the kinds it offers."""
    known = {a.name for kind in (Generate, Style) for a in fields(kind)} - {"prompt", "style", "extra_body"}
    known -= {"duration", "resolution", "last_image", "frames"}
    assert known == DUO.capabilities.fields
    assert set(MUTATIONS) == known - {"image", "video"} | {"extra_body"}
    for refuse in (DUO.capabilities.check, lambda request: DUO.build_submit(request, CALL)):
        with pytest.raises(UnsupportedRequest, match="Ingredients is not offered"):
            refuse(Ingredients("A cat", [IMAGE]))


@pytest.mark.parametrize("style", ["cake-ify", "CAKE-IFY", "Cake-ify"])
def test_styles_are_sent_as_documented(style):
    """Case does not matter to us; the wire gets the documented spelling."""
    assert sent(Style("A cat", style=style))["style"] == "Cake-ify"


@pytest.mark.parametrize(("model", "number"), [(1.5, 1.5), ("2.0", 2.0), ("2", 2)])
def test_models_are_numbers(model, number):
    """The wire wants a JSON number."""
    assert sent(Generate("A cat", model=model))["model"] == number


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (Generate("a", video=VIDEO), r"Style\(prompt, style=\.\.\., video=\.\.\.\)"),
        (Style("a", style="Melt", image=IMAGE, video=VIDEO), "image and video"),
        (Generate("a", image=IMAGE, aspect_ratio="1:1"), "aspect_ratio"),
        (Style("a", style="Melt", video=VIDEO, aspect_ratio="1:1"), "aspect_ratio"),
        (Generate("a", image=Blob(b"a")), "image"),
        (Generate("a", model="turbo"), "model"),
        (Generate("a", model="1_5"), "model"),
        (Generate("a", frame_rate=7), "frame_rate"),
        (Generate("a", frame_rate=25), "frame_rate"),
        (Generate("a", guidance_scale=4.9), "guidance_scale"),
        (Generate("a", guidance_scale=26), "guidance_scale"),
        (Generate("a", motion=5), "motion"),
        (Style("a", style="Bald Me"), "style"),
        (Generate("a", extra_body={"key": "other"}), "key"),
        (Generate("a", extra_body={"callback_url": "https://a.test"}), "callback_url"),
    ],
)
def test_impossible_requests_are_refused_by_name(request_, name):
    """What the wire cannot carry is named, never dropped."""
    with pytest.raises(UnsupportedRequest, match=name):
        DUO.build_submit(request_, CALL)


def test_a_callback_is_required():
    """Duomi's wire needs an address, so switching callbacks off is an error of configuration."""
    with pytest.raises(ConfigError, match="callback_url"):
        DUO.build_submit(Generate("a"), Call(callback_url=None, attempt_id="a", now=0.0))


def test_addresses_and_the_key():
    """The key is in the submit's body and bare in the look-up's header, and shows nowhere."""
    request, lookup = DUO.build_submit(Generate("a"), CALL), DUO.build_poll([Task("t")])
    assert request.url == "https://duomiapi.com/api/video/pika/pro/generate"
    assert (lookup.method, lookup.headers["Authorization"]) == ("GET", Secret("canary-key"))
    assert DUO.build_balance().url == "https://duomiapi.com/api/account/get"
    assert "canary" not in repr(DUO) + repr(request) + repr(lookup)
    assert "token" not in repr(request)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://localhost", "http://[::1]:1", "https://a.test"]
)
def test_safe_addresses_are_silent(url):
    """Https anywhere and http on this machine are fine."""
    assert Duomi(api_key="k", base_url=url).base_url == url.rstrip("/")


def test_plain_http_is_warned_of():
    """The key would travel in clear text."""
    with pytest.warns(UserWarning, match="clear text"):
        Duomi(api_key="k", base_url="http://duomiapi.com")


@pytest.mark.parametrize("options", [{"base_url": "duomiapi.com"}, {"api_key": "a\nb"}, {"api_key": ""}])
def test_bad_options_are_refused_at_once(options):
    """A key that only the look-up's header refuses must not come to light after the purchase."""
    with pytest.raises(ConfigError):
        Duomi(**{"api_key": "k", **options})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, says(400, "余额不足"), InsufficientBalance),
        (200, says("400", "KEY错误"), AuthError),
        (200, says(400, "权限不足"), AuthError),
        (200, says(400, "内容违规"), ContentBlocked),
        (200, says(400, "请求过于频繁"), RateLimited),
        (200, says(400, "参数错误"), SubmitRefused),
        (200, says(401), AuthError),
        (200, says(429), RateLimited),
        (200, says(404), SubmitRefused),
        (200, says(500, "点数不足"), SubmitUnknown),
        (200, says(200, "成功"), SubmitUnknown),
        (200, says(200, "成功", {"task_id": ""}), SubmitUnknown),
        (200, says(0, "成功"), SubmitUnknown),
        (200, says(1001, "?"), SubmitUnknown),
        (200, says(None), SubmitUnknown),
        (200, {"msg": "KEY不能为空"}, SubmitUnknown),
        (404, says(500, "?"), SubmitRefused),
        (200, {}, SubmitUnknown),
        (200, b"<html>", SubmitUnknown),
        (200, b"", SubmitUnknown),
        (401, says(400, "?"), AuthError),
        (401, {"msg": "请先登录"}, AuthError),
        (403, b"<html>", SubmitUnknown),
        (404, b"<html>", SubmitRefused),
        (404, b"", SubmitRefused),
        (404, says(200, "成功"), SubmitRefused),
        (429, {"msg": "slow"}, RateLimited),
        (429, b"slow", SubmitUnknown),
        (302, says(400, "KEY错误"), SubmitUnknown),
        (408, says(400, "KEY错误"), SubmitUnknown),
        (409, says(400, "KEY错误"), SubmitUnknown),
        (500, says(400, "点数不足"), SubmitUnknown),
        (502, b"<html>", SubmitUnknown),
    ],
)
def test_only_a_readable_refusal_is_a_refusal(status, body, kind):
    """A submit is refused by a 404 or by Duomi's own words and codes; everything else is unknown."""
    with pytest.raises(PikaError) as caught:
        submit(body, status)
    assert type(caught.value) is kind
    assert (caught.value.provider, caught.value.phase) == ("duomi", "submit")
    assert caught.value.charged == ("unknown" if kind is SubmitUnknown else "no")


@pytest.mark.parametrize("code", [200, "200", 400, 0, None, "x"])
@pytest.mark.parametrize("data", [{"task_id": "t"}, [{"task_id": "t"}]])
@pytest.mark.parametrize("status", [200, 404, 500])
def test_an_answer_that_names_a_task_is_never_a_refusal(code, data, status):
    """Whatever code and status say, a task id is evidence."""
    told = submit(says(code, "KEY", data), status)
    assert told == Pending(task=Task("t"), state=State.QUEUED, raw={"task_id": "t"})


def test_a_reseller_may_have_another_success_code():
    """0 is a good code only where the adapter was told so."""
    reseller = Duomi(api_key="k", success_codes=(0,))
    body = says(0, "ok", {"task_id": "t", "status": 1})
    assert isinstance(reseller.read_poll(answer(body), [Task("t")])["t"], Pending)
    with pytest.raises(SubmitUnknown):
        submit(says(0, "ok"), duo=reseller)


def test_errors_show_neither_key_nor_links():
    """What Duomi says is shown without our key and without links that bear tokens."""
    with pytest.raises(AuthError) as caught:
        submit(says(400, "KEY canary-key 错误 https://callback.invalid/token"))
    assert "KEY *** 错误 (link)" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "kind", "detail"),
    [
        ({"state": "succeeded", "status": "1", "video_url": LINK}, Succeeded, None),
        ({"state": "running", "status": 3.0, "video_url": LINK}, Succeeded, None),
        ({"state": "error", "status": "3", "video_url": LINK}, Succeeded, None),
        ({"state": " SUCCESS ", "video_url": LINK}, Succeeded, None),
        ({"status": "3", "video_url": None}, Failed, "no_output"),
        ({"state": "success", "video_url": "soon"}, Failed, "no_output"),
        ({"state": "running", "status": "3"}, Pending, State.RUNNING),
        ({"state": "pending", "status": "3"}, Pending, State.QUEUED),
        ({"state": "pending", "status": "1"}, Pending, State.RUNNING),
        ({"state": "pending", "status": "0"}, Pending, State.QUEUED),
        ({"state": "error", "status": "1"}, Failed, "provider"),
        ({"state": "running", "status": "2"}, Failed, "provider"),
        ({"status": "-1"}, Failed, "provider"),
        ({"status": 4}, Failed, "provider"),
        ({"status": "2", "video_url": LINK}, Failed, "provider"),
        ({"state": "running", "status": "2", "video_url": LINK}, Pending, State.RUNNING),
        ({"status": "2", "msg": "内容敏感"}, Failed, "content"),
        ({"state": "polishing", "status": "nonsense"}, Pending, State.RUNNING),
        ({"status": "7"}, Pending, State.RUNNING),
        ({"video_url": LINK}, Pending, State.RUNNING),
        ({}, Pending, State.RUNNING),
    ],
)
def test_states(data, kind, detail):
    """Two words decide together, and a link alone is no success (6.13, 6.14)."""
    told = feed(**data)
    assert isinstance(told, kind)
    assert getattr(told, "reason", getattr(told, "state", None)) == detail


@pytest.mark.parametrize(
    ("refund", "point", "msg", "charged"),
    [
        ("1", "300", "", "no"),
        ("0", "300", "", "yes"),
        ("0", "300", "已退还点数", "no"),
        ("0", "0", "", "unknown"),
        ("2", "300", "", "unknown"),
        (None, "300", "", "unknown"),
    ],
)
def test_what_a_failure_cost(refund, point, msg, charged):
    """Only a refund of 0 is documented and 1 assumed; other values leave the money open."""
    told = feed(status="2", refund=refund, point=point, msg=msg)
    assert (told.charged, told.cost) == (charged, float(point))


def test_a_result_has_a_cover_and_what_is_kept_is_as_on_the_wire():
    """The poster is the cover, else the preview; raw is the data, never the envelope with our address."""
    told = feed(status="3", video_url=LINK, image_url="http://a.test/b.webp", point="120")
    assert told.results[0].image_url == "http://a.test/b.webp"
    assert (told.results[0].id, told.results[0].duration, told.cost) == ("t", None, 120.0)
    assert told.raw["point"] == "120"
    assert "ip" not in told.raw


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (says(200, "成功", {"task_id": "other", "status": "3", "video_url": LINK}), 200),
        (says(200, "成功", {"status": "3", "video_url": LINK}), 200),
        (says(200), 200),
        (says(404, "任务不存在"), 200),
        (says("400"), 200),
        (b"", 404),
        (b"<html>", 404),
    ],
)
def test_a_task_may_be_unknown(body, status):
    """Another task's answer, no data and "not found" mean "not known now"."""
    assert poll(body, status) == {}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, says(400, "KEY错误"), AuthError),
        (401, b"", ProviderUnavailable),
        (403, b"<html>", ProviderUnavailable),
        (403, {"msg": "the token of this bot check is old"}, ProviderUnavailable),
        (403, says(403), AuthError),
        (401, says(400, "KEY错误"), AuthError),
        (429, b"", RateLimited),
        (200, says(400, "频率限制"), RateLimited),
        (200, says(500, "?"), ProviderUnavailable),
        (503, says(200, "", {"task_id": "t"}), ProviderUnavailable),
        (408, b"", ProviderUnavailable),
        (200, b"<html>", BadReply),
        (200, b"", BadReply),
        (200, says(0), BadReply),
        (302, says(200, "", {"task_id": "t"}), BadReply),
        (400, b"", BadReply),
    ],
)
def test_failed_lookups_raise(status, body, kind):
    """A look-up that was not answered says why, and never that the task is unknown."""
    with pytest.raises(PikaError) as caught:
        poll(body, status)
    assert type(caught.value) is kind
    assert (caught.value.phase, caught.value.status) == ("poll", status)


PUSH = {"task_id": "t", "status": "3", "video_url": LINK, "poster": "http://a.test/p.jpg"}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(PUSH).encode(),
        urlencode(PUSH).encode(),
        json.dumps(says(200, "", PUSH)).encode(),
        json.dumps(says(200, "", [PUSH])).encode(),
        urlencode({"code": "200", "data": json.dumps(PUSH)}).encode(),
    ],
)
def test_pushes_are_read_in_every_clothing(body):
    """JSON or form, flat or in the envelope."""
    told = DUO.read_callback(body, {}, 0.0, None)
    assert isinstance(told, Succeeded)
    assert told.results[0].video_url == LINK


@pytest.mark.parametrize("body", [b"", b"\xff", b"null", b"[]", b'{"status": 3}', b"hello=world"])
def test_other_pushes_are_ignored(body):
    """A body that names no task is not for us."""
    assert DUO.read_callback(body, {}, 0.0, None) is None


def test_the_balance_is_in_points():
    """Points come as text; an answer without them is no balance."""
    assert DUO.read_balance(answer(says(200, "", {"total": "5"}))) == Balance(5.0, "points")
    for body in (says(200, "", {"total": "many"}), says(200, "", 5), says(404)):
        with pytest.raises(BadReply):
            DUO.read_balance(answer(body))


NAMES = st.sampled_from(["code", "msg", "data", "task_id", "state", "status", "video_url", "total", "point"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["t", "3", LINK]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=5),
    max_leaves=12,
)
BODIES = st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())


@settings(max_examples=300)
@given(st.integers(100, 599), BODIES)
def test_whatever_comes_is_a_value_or_an_error_of_ours(status, body):
    """Arbitrary bytes and JSON with any status never escape as another exception."""
    response = HttpResponse(status=status, body=body)
    for read in (
        lambda: DUO.read_submit(response, Generate("a")),
        lambda: DUO.read_poll(response, [Task("t")]),
        lambda: DUO.read_balance(response),
        lambda: DUO.read_callback(body, {}, 0.0, None),
    ):
        try:
            value = read()
        except PikaError:
            continue
        assert value is None or isinstance(value, dict | Balance | Pending | Succeeded | Failed)
        if isinstance(value, dict):
            assert value.keys() <= {"t"}
