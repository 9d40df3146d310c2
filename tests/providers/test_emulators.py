"""What the emulators of both providers answer, as pure functions: no sockets, no time."""

import json

import pytest
from attrs import define, evolve

from pika_acedata._emulator import AceDataEmulator
from pika_async.emulator import Held, Outcome, World
from pika_async.provider import Form, HttpRequest, HttpResponse, Json
from pika_duomi._emulator import DuomiEmulator

HOST = "http://sandbox.test"


@define
class FakeWorld:
    """A world whose time the test sets, and whose ids count upwards."""

    now: float = 1000.0
    render_time: float = 60.0
    tasks: dict = None
    billed: list = None
    callbacks: list = None
    ids: int = 0

    def __attrs_post_init__(self):
        self.tasks, self.billed, self.callbacks = {}, [], []

    def new_id(self):
        self.ids += 1
        return f"00000000-0000-4000-8000-{self.ids:012}"

    def media_url(self, name, task_id, /):
        return f"{HOST}/media/{task_id}/{name}"

    def bill(self, prompt, /):
        self.billed.append(prompt)

    def call_back(self, url, body, /, *, at):
        self.callbacks.append((at, url, body))


def acedata(world: World, body=None, path="/pika/videos", key="Bearer sandbox-key", method="POST"):
    """Ask AceData's emulator; give status and JSON, or the `Held`."""
    headers = {} if key is None else {"authorization": key}
    request = HttpRequest(method=method, url=HOST + path, headers=headers, body=body and Json(body))
    return read(AceDataEmulator().answer(request, world))


def duomi(world: World, body=None, path="/api/video/pika/pro/generate", method="POST", key=None, **query):
    """Ask Duomi's emulator; give status and JSON, or the `Held`."""
    headers = {} if key is None else {"authorization": key}
    body = body if body is None or isinstance(body, Form) else Json(body)
    request = HttpRequest(method=method, url=HOST + path, headers=headers, query=query, body=body)
    return read(DuomiEmulator().answer(request, world))


def read(answer):
    return answer if isinstance(answer, Held) else (answer.status, json.loads(answer.body))


ACE = {"action": "generate", "prompt": "moving", "model": "2.0"}
DUO = {
    "key": "sandbox-key",
    "callback_url": "https://callback.invalid/t",
    "ratio": "16:9",
    "prompt": "一只小猫",
    "options": {"frameRate": 24},
}
SEED_DUO = {
    "key": "sandbox-key",
    "callback_url": "http://127.0.0.1:9/hook",
    "style": "Inflate",
    "ratio": "16:9",
    "prompt": "一只小猫",
    "sfx": True,
    "model": 1.5,
    "options": {
        "frameRate": 20,
        "camera": {"pan": "right", "tilt": "up", "rotate": "cw", "zoom": "in"},
        "parameters": {"guidanceScale": 16, "motion": 2, "negativePrompt": "ugly", "seed": 144124},
    },
}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (None, (400, "no_token")),
        ("Bearer stolen", (401, "invalid_token")),
        ("sandbox-key", (401, "invalid_token")),
    ],
)
def test_acedata_refuses_keys(key, expected):
    """AceData tells a missing token from a wrong one."""
    status, body = acedata(FakeWorld(), ACE, key=key)
    assert (status, body["error"]["code"]) == expected
    assert body["trace_id"]
    assert "success" not in body


@pytest.mark.parametrize(
    "change",
    [
        {"action": "animate"},
        {"action": None},
        {"prompt": ""},
        {"prompt": ["x"]},
        {"model": 2.0},
        {"image_url": 7},
        {"image_url": [""]},
        {"video_url": "http://m.test/v.mp4", "model": "1.5"},
        {"ingredients": True},
        {"ingredients": True, "image_url": "http://m.test/i.png"},
        {"ingredients": True, "image_url": ["http://m.test/i.png"], "model": "1.5"},
        {"ingredients": "yes"},
        {"ingredients_mode": ["precise"]},
        {"ingredients_mode": "wild"},
        {"callback_url": "hook"},
        {"callback_url": 1},
        {"async": "true"},
        {"negative_prompt": 1},
        {"effect": 1},
        {"aspect_ratio": ["16:9"]},
        {"aspect_ratio": True},
    ],
    ids=str,
)
def test_acedata_refuses_malformed_submits(change):
    """A submit against the field table is `400 bad_request`, and nothing is billed."""
    world = FakeWorld()
    status, body = acedata(world, {**ACE, **change})
    assert (status, body["error"]["code"]) == (400, "bad_request")
    assert (world.tasks, world.billed) == ({}, [])


@pytest.mark.parametrize(
    "change",
    [
        {"image_url": ["http://m.test/i.png", "data:image/png;base64,AA=="], "ingredients": True},
        {"image_url": "http://m.test/i.png"},
        {"image_url": []},
        {"video_url": "http://m.test/v.mp4"},
        {"model": "1.5", "effect": "Inflate", "negative_prompt": "ugly", "aspect_ratio": "16:9"},
        {"aspect_ratio": 1.7777777777777777},
        {"unknown": 1},
    ],
    ids=str,
)
def test_acedata_accepts_documented_submits(change):
    """Every documented shape of a submit is taken."""
    assert acedata(FakeWorld(), {**ACE, **change, "async": True})[0] == 200


@pytest.mark.parametrize(
    ("path", "method"), [("/pika/music", "POST"), ("/pika/videos", "GET"), ("/pika/tasks", "DELETE")]
)
def test_acedata_knows_two_endpoints(path, method):
    """Any other path or method is `404 no_api`."""
    status, body = acedata(FakeWorld(), ACE, path=path, method=method)
    assert (status, body["error"]["code"]) == (404, "no_api")


@pytest.mark.parametrize(
    "body", [None, {}, {"id": "x", "action": "explode"}, {"action": "retrieve_batch", "limit": -1}]
)
def test_acedata_refuses_malformed_look_ups(body):
    """A look-up without sense is `400 bad_request`."""
    status, answer = acedata(FakeWorld(), body, path="/pika/tasks")
    assert (status, answer["error"]["code"]) == (400, "bad_request")


def test_acedata_holds_the_line_until_the_video_is_there():
    """Without callback and `async` the answer comes with the video."""
    world = FakeWorld()
    held = acedata(world, ACE)
    assert held.until == 1060.0
    status, body = read(held.answer())
    (task_id,) = world.tasks
    assert status == 200
    assert body == {
        "success": True,
        "task_id": task_id,
        "trace_id": body["trace_id"],
        "data": [
            {
                "id": body["data"][0]["id"],
                "video_url": f"{HOST}/media/{task_id}/video.mp4",
                "image_url": f"{HOST}/media/{task_id}/poster.jpg",
                "duration": 5,
                "state": "succeeded",
            }
        ],
    }
    assert len({task_id, body["trace_id"], body["data"][0]["id"]}) == 3


@pytest.mark.parametrize("mode", [{"async": True}, {"callback_url": "http://h.test/t"}])
def test_acedata_answers_at_once(mode):
    """With `async` or a callback the answer is the task id alone."""
    world = FakeWorld()
    status, body = acedata(world, {**ACE, **mode})
    assert (status, body) == (200, {"task_id": next(iter(world.tasks))})


def test_acedata_calls_back_with_the_look_ups_response():
    """The callback's body is what look-ups show as `response`, at the end of the render."""
    world = FakeWorld()
    _, accepted = acedata(world, {**ACE, "callback_url": "http://h.test/t"})
    ((at, url, body),) = world.callbacks
    world.now = at
    _, record = acedata(world, {"id": accepted["task_id"]}, path="/pika/tasks")
    assert (at, url) == (1060.0, "http://h.test/t")
    assert record["response"] == body


def test_acedata_task_object_has_no_status():
    """A task bears the documented fields, echoes the request, and gets `response` when it has ended."""
    world = FakeWorld()
    sent = {**ACE, "callback_url": "http://h.test/secret", "async": True}
    _, accepted = acedata(world, sent)
    look_up = {"action": "retrieve", "id": accepted["task_id"]}
    _, pending = acedata(world, look_up, path="/pika/tasks")
    fields = {"_id", "id", "api_id", "application_id", "created_at", "credential_id", "request", "trace_id"}
    assert pending.keys() == fields | {"user_id"}
    assert pending["request"] == sent
    assert pending["created_at"] == 1000.0
    world.now = 1060.0
    _, done = acedata(world, look_up, path="/pika/tasks")
    assert done.keys() == pending.keys() | {"response"}


def test_acedata_batches_come_in_any_order_and_without_unknown_ids():
    """A batch is answered in another order than asked and omits what is not known."""
    world = FakeWorld()
    ids = [acedata(world, {**ACE, "async": True})[1]["task_id"] for _ in range(3)]
    _, body = acedata(
        world, {"action": "retrieve_batch", "ids": [ids[0], "nobody", ids[1]]}, path="/pika/tasks"
    )
    assert [item["id"] for item in body["items"]] == [ids[1], ids[0]]
    assert body["count"] == 2


def test_acedata_does_not_know_a_foreign_id():
    """A single unknown id is answered with an empty object."""
    assert acedata(FakeWorld(), {"id": "nobody"}, path="/pika/tasks") == (200, {})


def test_acedata_finds_by_trace_and_deletes():
    """The sibling services' look-up by trace id works, and so does deleting the record."""
    world = FakeWorld()
    _, accepted = acedata(world, {**ACE, "async": True})
    _, record = acedata(world, {"id": accepted["task_id"]}, path="/pika/tasks")
    _, again = acedata(world, {"trace_id": record["trace_id"]}, path="/pika/tasks")
    assert again == record
    delete = {"action": "delete", "id": accepted["task_id"]}
    assert acedata(world, delete, path="/pika/tasks")[1] == {"id": accepted["task_id"], "deleted": True}
    assert acedata(world, {"id": accepted["task_id"]}, path="/pika/tasks") == (200, {})


def test_acedata_history_is_paged_newest_first():
    """History is bounded by time, limit and offset, and says how many there are."""
    world = FakeWorld()
    ids = []
    for second in range(5):
        world.now = 1000.0 + second
        ids.append(acedata(world, {**ACE, "async": True})[1]["task_id"])
    history = {"action": "retrieve_batch", "created_at_min": 1001, "created_at_max": 1003, "type": "videos"}
    _, body = acedata(world, history, path="/pika/tasks")
    assert ([item["id"] for item in body["items"]], body["count"]) == ([ids[3], ids[2], ids[1]], 3)
    _, page = acedata(world, {**history, "limit": 2, "offset": 2}, path="/pika/tasks")
    assert [item["id"] for item in page["items"]] == [ids[1]]
    _, other = acedata(world, {**history, "type": "images"}, path="/pika/tasks")
    assert other == {"items": [], "count": 0}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "KEY不能为空"),
        ({"key": ""}, "KEY不能为空"),
        ({"key": "stolen"}, "KEY错误"),
    ],
)
def test_duomi_refuses_keys(body, message):
    """Duomi refuses a missing or wrong key with code 400 under HTTP 200."""
    without = {name: value for name, value in DUO.items() if name != "key"}
    status, answer = duomi(FakeWorld(), {**without, **body})
    assert (status, answer["code"], answer["msg"], answer["data"]) == (200, 400, message, None)
    assert duomi(FakeWorld(), key="Bearer sandbox", method="GET", path="/api/account/get")[1]["code"] == 400


def test_duomi_takes_the_key_in_the_header_too():
    """Newer pages send the raw key in the header of a submit."""
    without = {name: value for name, value in DUO.items() if name != "key"}
    assert duomi(FakeWorld(), without, key="sandbox-key")[1]["code"] == 200


LINK = "https://m.test/x"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"callback_url": None}, "callback_url"),
        ({"callback_url": "hook"}, "callback_url"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"ratio": None}, "ratio"),
        ({"ratio": "wide"}, "ratio"),
        ({"options": None}, "options"),
        ({"options": []}, "options"),
        ({"options": "fast"}, "options"),
        ({"options": {"seed": 1}}, "options"),
        ({"options": {"frameRate": 7}}, "frameRate"),
        ({"options": {"frameRate": 25}}, "frameRate"),
        ({"options": {"frameRate": 20.5}}, "frameRate"),
        ({"options": {"frameRate": "20"}}, "frameRate"),
        ({"options": {"frameRate": 20, "camera": {"pan": "up"}}}, "pan"),
        ({"options": {"frameRate": 20, "camera": "left"}}, "options"),
        ({"options": {"frameRate": 20, "parameters": {"guidanceScale": 40}}}, "guidanceScale"),
        ({"options": {"frameRate": 20, "parameters": {"motion": 9}}}, "motion"),
        ({"options": {"frameRate": 20, "parameters": {"seed": "x"}}}, "seed"),
        ({"style": "inflate"}, "style"),
        ({"model": "1.5"}, "model"),
        ({"model": True}, "model"),
        ({"sfx": "yes"}, "sfx"),
        ({"image": "cat.png"}, "image"),
        ({"video": LINK}, "style"),
        ({"video": LINK, "style": "Melt"}, "sfx"),
    ],
    ids=str,
)
def test_duomi_refuses_malformed_submits(change, field):
    """A submit against the table of its kind is code 400 naming the field, and nothing is billed."""
    world = FakeWorld()
    body = {name: value for name, value in {**DUO, **change}.items() if value is not None}
    status, answer = duomi(world, body)
    assert (status, answer["code"]) == (200, 400)
    assert field in answer["msg"] or (field == "options" and "frameRate" in answer["msg"])
    assert (world.tasks, world.billed) == ({}, [])


@pytest.mark.parametrize(
    "body",
    [
        SEED_DUO,
        DUO,
        {"key": "sandbox", "callback_url": LINK, "prompt": "x", "image": LINK},
        {"key": "sandbox", "callback_url": LINK, "prompt": "x", "video": LINK, "style": "Melt", "sfx": False},
    ],
    ids=["seed", "text", "image", "video"],
)
def test_duomi_accepts_each_kind(body):
    """Text needs ratio and frame rate, an image neither, a video its style and sound switch."""
    world = FakeWorld()
    status, answer = duomi(world, body)
    assert (status, answer["code"], answer["msg"]) == (200, 200, "成功")
    assert answer.keys() == {"code", "msg", "data", "exec_time", "ip"}
    assert answer["data"] == {"task_id": next(iter(world.tasks))}
    assert world.billed == [body["prompt"]]


def test_duomi_feed_tells_numbers_as_strings():
    """The feed goes 0, 1, 3 with all numbers as strings."""
    world = FakeWorld()
    task_id = duomi(world, DUO)[1]["data"]["task_id"]
    seen = []
    for now in (1000.0, 1030.0, 1060.9):
        world.now = now
        _, body = duomi(world, method="GET", path="/api/video/pika/feed", key="sandbox", task_id=task_id)
        seen.append((body["data"]["status"], body["data"]["state"]))
    assert seen == [("0", "pending"), ("1", "running"), ("3", "succeeded")]
    assert body["data"] == {
        "task_id": task_id,
        "state": "succeeded",
        "prompt": "一只小猫",
        "video_url": f"{HOST}/media/{task_id}/video.mp4",
        "image_url": f"{HOST}/media/{task_id}/poster.jpg",
        "poster": f"{HOST}/media/{task_id}/poster.jpg",
        "msg": None,
        "point": "300",
        "refund": "0",
        "status": "3",
        "create_time": "1000",
        "update_time": "1060",
    }


@pytest.mark.parametrize("wrap", [dict, Form])
def test_duomi_still_answers_the_older_feed(wrap):
    """The POST with key and task id in the body gives the same as the GET."""
    world = FakeWorld()
    task_id = duomi(world, DUO)[1]["data"]["task_id"]
    older = wrap({"key": "sandbox", "task_id": task_id})
    newer = duomi(world, method="GET", path="/api/video/pika/feed", key="sandbox", task_id=task_id)
    assert duomi(world, older, path="/api/video/pika/feed") == newer


@pytest.mark.parametrize("query", [{}, {"task_id": "nobody"}])
def test_duomi_feed_of_nobody_is_code_400(query):
    """A feed without a known task is code 400 without data."""
    _, body = duomi(FakeWorld(), method="GET", path="/api/video/pika/feed", key="sandbox", **query)
    assert (body["code"], body["data"]) == (400, None)


def test_duomi_calls_back_at_half_time_and_at_the_end():
    """Callbacks are flat, one for progress and one for the end."""
    world = FakeWorld()
    task_id = duomi(world, SEED_DUO)[1]["data"]["task_id"]
    empty = {"task_id": task_id, "status": "1", "msg": None, "video_url": None, "poster": None}
    done = {
        "status": "3",
        "video_url": f"{HOST}/media/{task_id}/video.mp4",
        "poster": f"{HOST}/media/{task_id}/poster.jpg",
    }
    url = SEED_DUO["callback_url"]
    assert world.callbacks == [(1030.0, url, empty), (1060.0, url, {**empty, **done})]


def test_duomi_tells_the_balance():
    """The balance is a string of points that falls with each video."""
    world = FakeWorld()
    before = duomi(world, method="GET", path="/api/account/get", key="sandbox")[1]["data"]["total"]
    duomi(world, DUO)
    after = duomi(world, method="GET", path="/api/account/get", key="sandbox")[1]["data"]["total"]
    assert int(before) - int(after) == 300


def test_duomi_knows_no_other_path():
    """Another path is 404 in the envelope too."""
    status, body = duomi(FakeWorld(), DUO, path="/api/music")
    assert (status, body["code"]) == (404, 404)


REFUSED, UNREADABLE, CUT, BILLED = "refused", "unreadable", "cut", "billed"

OUTCOMES = {
    # outcome: what becomes of the submit, AceData's answer, Duomi's answer
    Outcome.RENDER_FAILS: (BILLED, (200, None), (200, 200)),
    Outcome.MODERATED: (REFUSED, (403, "forbidden"), (200, 400)),
    Outcome.MODERATED_LATE: (BILLED, (200, None), (200, 200)),
    Outcome.NO_LINK: (BILLED, (200, None), (200, 200)),
    Outcome.NEVER_FINISHES: (BILLED, (200, None), (200, 200)),
    Outcome.RATE_LIMITED: (REFUSED, (429, "too_many_requests"), (429, 429)),
    Outcome.RETRY_AFTER: (REFUSED, (429, "too_many_requests"), (429, 429)),
    Outcome.NO_BALANCE: (REFUSED, (403, "used_up"), (200, 400)),
    Outcome.SERVER_ERROR: (REFUSED, (500, "api_error"), (500, 500)),
    Outcome.HTML: (UNREADABLE, (502, None), (502, None)),
    Outcome.DROPPED: (CUT, None, None),
}


def submit_raw(emulator, outcome, world):
    prompt = f"A cat {outcome.upper()} surfing"
    if isinstance(emulator, AceDataEmulator):
        url, body = f"{HOST}/pika/videos", {**ACE, "prompt": prompt, "async": True}
    else:
        url, body = f"{HOST}/api/video/pika/pro/generate", {**DUO, "prompt": prompt}
    headers = {"authorization": "Bearer sandbox"} if isinstance(emulator, AceDataEmulator) else {}
    return emulator.answer(HttpRequest(method="POST", url=url, headers=headers, body=Json(body)), world)


def test_the_table_of_outcomes_is_whole():
    """This table, which drives the tests below, names every outcome there is."""
    assert OUTCOMES.keys() == set(Outcome)
    assert all(outcome.meaning and outcome.value.startswith("sandbox-") for outcome in Outcome)


@pytest.mark.parametrize("emulator", [AceDataEmulator(), DuomiEmulator()], ids=["acedata", "duomi"])
@pytest.mark.parametrize("outcome", Outcome)
def test_both_emulators_follow_the_table(outcome, emulator):
    """Each word in the prompt has the meaning the table says, in the provider's own wire."""
    kind, *answers = OUTCOMES[outcome]
    expected = answers[isinstance(emulator, DuomiEmulator)]
    world = FakeWorld()
    answer = submit_raw(emulator, outcome, world)
    is_billed = kind in {BILLED, CUT}
    assert (len(world.billed), len(world.tasks)) == (is_billed, is_billed)
    assert is_billed == outcome.meaning.startswith("accepted")
    if kind == CUT:
        assert answer == Held(until=world.now)
        return
    assert isinstance(answer, HttpResponse)
    assert answer.status == expected[0]
    assert answer.headers.get("retry-after") == ("2" if outcome is Outcome.RETRY_AFTER else None)
    if kind == UNREADABLE:
        assert answer.body.startswith(b"<html>")
        return
    body = json.loads(answer.body)
    code = body.get("error", {}).get("code") if isinstance(emulator, AceDataEmulator) else body["code"]
    assert code == expected[1]


ACE_ENDS = {
    Outcome.RENDER_FAILS: ("api_error", None),
    Outcome.MODERATED_LATE: ("forbidden", None),
    Outcome.NO_LINK: (None, {"state": "succeeded", "video_url": None}),
    Outcome.DROPPED: (None, {"state": "succeeded"}),
}


@pytest.mark.parametrize("outcome", ACE_ENDS)
def test_acedata_ends_accepted_tasks_as_chosen(outcome):
    """What was accepted ends, for look-ups and callbacks alike, as the word says."""
    code, item = ACE_ENDS[outcome]
    world = FakeWorld()
    acedata(world, {**ACE, "prompt": f"x {outcome}", "callback_url": "http://h.test/t"})
    world.now = 2000.0
    _, body = acedata(world, {"id": next(iter(world.tasks))}, path="/pika/tasks")
    response = body["response"]
    assert (response.get("error") or {}).get("code") == code
    assert response["success"] is (code is None)
    if item is not None:
        assert response["data"][0].items() >= item.items()
    assert [callback for *_, callback in world.callbacks] == [response]


@pytest.mark.parametrize(
    ("outcome", "status"), [(Outcome.RENDER_FAILS, 500), (Outcome.MODERATED_LATE, 403)], ids=str
)
def test_acedata_names_the_task_in_a_held_failure(outcome, status):
    """A held answer that ends badly has an error's status and still names the paid task."""
    world = FakeWorld()
    got, body = read(acedata(world, {**ACE, "prompt": f"x {outcome}"}).answer())
    assert (got, body["success"], body["task_id"]) == (status, False, next(iter(world.tasks)))


def test_acedata_lets_the_gateway_give_up_on_a_held_line():
    """A held line of a render that never ends is answered `504 timeout` after ten render times."""
    world = FakeWorld()
    held = acedata(world, {**ACE, "prompt": f"x {Outcome.NEVER_FINISHES}"})
    status, body = read(held.answer())
    assert (held.until, status, body["error"]["code"]) == (1600.0, 504, "timeout")


DUOMI_ENDS = {
    Outcome.RENDER_FAILS: ("2", "error", "0", "生成失败"),
    Outcome.MODERATED_LATE: ("2", "error", "1", "内容违规,已退还点数"),
    Outcome.NO_LINK: ("3", "succeeded", "0", None),
    Outcome.NEVER_FINISHES: ("1", "running", "0", None),
    Outcome.DROPPED: ("3", "succeeded", "0", None),
}


@pytest.mark.parametrize("outcome", DUOMI_ENDS)
def test_duomi_ends_accepted_tasks_as_chosen(outcome):
    """What was accepted ends, for the feed and the last callback alike, as the word says."""
    world = FakeWorld()
    duomi(world, {**DUO, "prompt": f"x {outcome}"})
    world.now = 2000.0
    (task_id,) = world.tasks
    _, body = duomi(world, method="GET", path="/api/video/pika/feed", key="sandbox", task_id=task_id)
    data = body["data"]
    assert (data["status"], data["state"], data["refund"], data["msg"]) == DUOMI_ENDS[outcome]
    assert (data["video_url"] is not None) == (outcome is Outcome.DROPPED)
    last = world.callbacks[-1][2]
    assert (last["status"], last["msg"], last["video_url"]) == (
        data["status"],
        data["msg"],
        data["video_url"],
    )


def test_emulators_state_their_prefixes():
    """The server routes by prefixes that do not overlap."""
    assert (AceDataEmulator().paths, DuomiEmulator().paths) == (("/pika/",), ("/api/",))


@pytest.mark.parametrize("emulator", [AceDataEmulator(), DuomiEmulator()], ids=["acedata", "duomi"])
def test_a_body_that_is_neither_json_nor_form_is_refused(emulator):
    """A submit without a readable body is refused in the provider's own words."""
    request = HttpRequest(
        method="POST",
        url=HOST
        + ("/pika/videos" if isinstance(emulator, AceDataEmulator) else "/api/video/pika/pro/generate"),
        headers={"authorization": "Bearer sandbox" if isinstance(emulator, AceDataEmulator) else "sandbox"},
    )
    world = FakeWorld()
    answer = emulator.answer(evolve(request, body=None), world)
    body = json.loads(answer.body)
    assert (body.get("code") or body["error"]["code"]) in {400, "bad_request"}
    assert world.billed == []
