"""Callbacks really POSTed, whole and with each fault on demand."""

import time
from functools import partial

import pytest

from pika_acedata._emulator import AceDataEmulator
from pika_async.sandbox import CallbackFault, Sandbox
from pika_async.sandbox._callbacks import Callback, chooser, spoil
from pika_duomi._emulator import DuomiEmulator

pytestmark = pytest.mark.anyio

TOKEN = "/hook/attempt-1.0123456789abcdef"
EMULATORS = (AceDataEmulator(), DuomiEmulator())
sandbox_with = partial(Sandbox, render_time=0.04, emulators=EMULATORS)


async def submit_acedata(client, sandbox, url):
    async with client.post(
        f"{sandbox.url}/pika/videos",
        json={"action": "generate", "prompt": "moving", "model": "2.0", "callback_url": url},
        headers={"authorization": "Bearer sandbox"},
    ) as answer:
        return (await answer.json())["task_id"]


async def submit_duomi(client, sandbox, url):
    body = {"key": "sandbox", "callback_url": url, "prompt": "x", "ratio": "1:1", "options": {"frameRate": 8}}
    async with client.post(f"{sandbox.url}/api/video/pika/pro/generate", json=body) as answer:
        return (await answer.json())["data"]["task_id"]


async def test_acedata_calls_back_once_with_the_result(client, receiver):
    """The result arrives as JSON at the address that was given, when look-ups show it too."""
    async with sandbox_with() as sandbox:
        task_id = await submit_acedata(client, sandbox, receiver.url + TOKEN)
        path, content_type, body = await receiver.next()
        assert (path, content_type) == (TOKEN, "application/json")
        assert (body["success"], body["task_id"]) == (True, task_id)
        async with client.post(
            f"{sandbox.url}/pika/tasks", json={"id": task_id}, headers={"authorization": "Bearer sandbox"}
        ) as answer:
            assert (await answer.json())["response"] == body


async def test_duomi_calls_back_progress_then_the_end(client, receiver):
    """Duomi reports every change, flat."""
    async with sandbox_with() as sandbox:
        task_id = await submit_duomi(client, sandbox, receiver.url + TOKEN)
        bodies = await receiver.bodies(2)
    assert [(body["task_id"], body["status"]) for body in bodies] == [(task_id, "1"), (task_id, "3")]


async def test_lost_callbacks_are_not_sent(client, receiver):
    """The first of two is lost, the second arrives."""
    async with sandbox_with(callback_faults=[CallbackFault.LOST, None]) as sandbox:
        await submit_acedata(client, sandbox, receiver.url + "/first")
        await submit_acedata(client, sandbox, receiver.url + "/second")
        path, *_ = await receiver.next()
    assert (path, receiver.got.empty()) == ("/second", True)


async def test_late_callbacks_come_four_render_times_after_the_submit(client, receiver):
    """A late callback comes long after look-ups show the end."""
    async with sandbox_with(callback_faults=CallbackFault.LATE) as sandbox:
        began = time.monotonic()
        await submit_acedata(client, sandbox, receiver.url + TOKEN)
        await receiver.next()
    assert time.monotonic() - began >= 4 * 0.04


@pytest.mark.parametrize(("fault", "times"), [(CallbackFault.TWICE, 2), (CallbackFault.TEN_TIMES, 10)])
async def test_repeated_callbacks_are_all_the_same(client, receiver, fault, times):
    """A repeat bears the same body."""
    async with sandbox_with(callback_faults=fault) as sandbox:
        await submit_acedata(client, sandbox, receiver.url + TOKEN)
        bodies = await receiver.bodies(times)
    assert all(body == bodies[0] for body in bodies)


async def test_reordered_progress_comes_after_the_end(client, receiver):
    """The end overtakes the progress, which is sent all the same."""
    async with sandbox_with(callback_faults=CallbackFault.REORDERED) as sandbox:
        await submit_duomi(client, sandbox, receiver.url + TOKEN)
        bodies = await receiver.bodies(2)
    assert [body["status"] for body in bodies] == ["3", "1"]


@pytest.mark.parametrize(("submit", "count"), [(submit_acedata, 1), (submit_duomi, 2)])
async def test_callbacks_can_come_before_the_answer(client, receiver, submit, count):
    """The submit is answered only when its callbacks have been delivered."""
    async with sandbox_with(callback_faults=CallbackFault.BEFORE_ANSWER) as sandbox:
        task_id = await submit(client, sandbox, receiver.url + TOKEN)
        assert receiver.got.qsize() == count
        assert (await receiver.next())[2]["task_id"] == task_id


async def test_wrong_task(client, receiver):
    """The callback names a task that does not exist."""
    async with sandbox_with(callback_faults=CallbackFault.WRONG_TASK) as sandbox:
        task_id = await submit_acedata(client, sandbox, receiver.url + TOKEN)
        ((_, _, body),) = [await receiver.next()]
    assert body["task_id"] != task_id
    assert body["success"] is True


@pytest.mark.parametrize("end", ["AAAAAAAA", "89abcdef"])
async def test_wrong_token(client, receiver, end):
    """The callback goes to an address whose token's end was changed, and surely differs."""
    async with sandbox_with(callback_faults=CallbackFault.WRONG_TOKEN) as sandbox:
        await submit_acedata(client, sandbox, f"{receiver.url}/hook/token-{end}")
        path, *_ = await receiver.next()
    assert path.startswith("/hook/token-")
    assert path != f"/hook/token-{end}"


async def test_oversized(client, receiver):
    """The body is larger than any receiver should take."""
    async with sandbox_with(callback_faults=CallbackFault.OVERSIZED) as sandbox:
        await submit_acedata(client, sandbox, receiver.url + TOKEN)
        await receiver.next()
    ((size, _),) = receiver.sizes
    assert size > 2 * 1024 * 1024


async def test_slow(client, receiver):
    """The body comes in pieces, without a length in advance, and is whole in the end."""
    async with sandbox_with(render_time=0.01, callback_faults=CallbackFault.SLOW) as sandbox:
        task_id = await submit_acedata(client, sandbox, receiver.url + TOKEN)
        _, _, body = await receiver.next()
    assert body["task_id"] == task_id
    assert receiver.sizes[0][1] is None


async def test_form_encoded(client, receiver):
    """The body is urlencoded; null is empty."""
    async with sandbox_with(callback_faults=CallbackFault.FORM_ENCODED) as sandbox:
        task_id = await submit_duomi(client, sandbox, receiver.url + TOKEN)
        _, content_type, body = await receiver.next()
    assert content_type == "application/x-www-form-urlencoded"
    assert (body["task_id"], body["status"], body["video_url"]) == (task_id, "1", "")


async def test_enveloped(client, receiver):
    """The body lies in the `data` of an envelope."""
    async with sandbox_with(callback_faults=CallbackFault.ENVELOPED) as sandbox:
        task_id = await submit_duomi(client, sandbox, receiver.url + TOKEN)
        _, _, body = await receiver.next()
    assert (body["code"], body["data"]["task_id"]) == (200, task_id)


async def test_faults_can_be_chosen_by_the_body(client, receiver):
    """A function of the body chooses for each callback."""

    def lose_progress(body):
        return CallbackFault.LOST if body["status"] == "1" else None

    async with sandbox_with(callback_faults=lose_progress) as sandbox:
        await submit_duomi(client, sandbox, receiver.url + TOKEN)
        (body,) = await receiver.bodies(1)
    assert body["status"] == "3"


@pytest.mark.parametrize("fault", CallbackFault)
def test_every_fault_is_described_and_changes_something(fault):
    """No fault is a word without an effect; the one about the answer leaves the callback itself alone."""
    callback = Callback(url="http://h.test/hook/0123456789", body={"task_id": "a"}, at=0.5)
    spoilt = spoil(callback, fault, last=1.0, now=0.0, other="b")
    assert (spoilt == callback) == (fault is CallbackFault.BEFORE_ANSWER)
    assert fault.meaning


def test_no_fault_is_chosen_by_default():
    """Callbacks are sound unless asked otherwise."""
    assert chooser(None)({}) is None
