"""Signing keys: fetched when needed, kept, and doubted once."""

from __future__ import annotations

import json

import pytest
from attrs import Factory, define, frozen

import pika_async.provider as api
from pika_async._transport import SendError
from tests.engine.pushes.pushing import (
    DONE,
    Pusher,
    push,
    scene_with,
)
from tests.engine.scripted import answer, snapshot

pytestmark = pytest.mark.anyio


@frozen(kw_only=True)
class Signer(Pusher):
    """Signs with a word that its keys have to hold."""

    def build_keys(self):
        return api.HttpRequest(method="GET", url=f"{self.base_url}/keys")

    def read_callback(self, body, headers, received_at, keys, /):
        if headers.get("signature") not in keys.decode().split():
            return None
        return snapshot(json.loads(body))


@define(eq=False)
class Keys:
    """The address of the signing keys: what it answers, and how often it was asked."""

    answers: list = Factory(list)
    asked: int = 0

    def __call__(self):
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def signing(keys):
    """Open a client of a provider that signs; *keys* answers the address of its keys."""
    context = scene_with(Signer())

    class Opened:
        async def __aenter__(self):
            s = await context.__aenter__()
            script = s.wire.script
            s.wire.script = lambda request: keys() if request.url.endswith("/keys") else script(request)
            return s

        async def __aexit__(self, *error):
            return await context.__aexit__(*error)

    return Opened()


def keyed(text):
    return api.HttpResponse(status=200, headers={}, body=text.encode())


async def test_signing_keys_are_fetched_once():
    """The first callback fetches them; they are kept for an hour, for all jobs."""
    keys = Keys([keyed("ours")])
    async with signing(keys) as s:
        for n in range(5):
            wait = s.begin(s.pika.generate(str(n)))
            await s.clock.advance(5)
            s.host.tasks[f"t{n + 1}"]["done_at"] = 0
            await push(s, s.host.tell(f"t{n + 1}"), signature="ours")
            await s.clock.advance(0.2)
            assert wait.result().id == f"t{n + 1}"
        assert keys.asked == 1
        await s.clock.advance(3600)
        wait = s.begin(s.pika.generate("later"))
        await s.clock.advance(5)
        s.host.tasks["t6"]["done_at"] = 0
        await push(s, s.host.tell("t6"), signature="ours")
        await s.clock.advance(0.2)
        assert wait.done()
        assert keys.asked == 2


async def test_a_wrong_signature_is_no_hint():
    """Nothing is looked up because of it, and the keys are not asked for every time."""
    keys = Keys([keyed("ours")])
    async with signing(keys) as s:
        s.host.render_time = 100
        s.begin(s.pika.generate("a cat")).add_done_callback(lambda task: task.exception())
        await s.clock.advance(1)
        for n in range(20):
            await push(s, {"id": "t1", **DONE, "n": n}, signature="forged")
            await s.clock.advance(0.1)
        assert not s.host.asked
        assert keys.asked == 1
        assert await s.engine.desk.ledger.inbox_pending() == []


async def test_rotated_keys_are_fetched_anew():
    """A signature that does not fit is tried with fresh keys, at most once a minute."""
    keys = Keys([keyed("old"), keyed("old new")])
    async with signing(keys) as s:
        s.host.render_time = 1000
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        await push(s, {"id": "t1", "state": "running", "progress": 0.1}, signature="old")
        await s.clock.advance(100)
        s.host.tasks["t1"]["done_at"] = 0
        await push(s, s.host.tell("t1"), signature="new")
        await s.clock.advance(0.2)
        assert wait.result().id == "t1"
        assert keys.asked == 2


@pytest.mark.parametrize("trouble", [SendError("no route", sent=False), answer(500, {}), ValueError("odd")])
async def test_a_callback_waits_for_keys_that_cannot_be_fetched(trouble):
    """An answer that is no 200 is no key either."""
    keys = Keys([trouble, trouble, keyed("ours")])
    async with signing(keys) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        s.host.tasks["t1"]["done_at"] = 0
        await push(s, s.host.tell("t1"), signature="ours")
        await s.clock.advance(4)
        assert (wait.done(), keys.asked) == (False, 1)
        await s.clock.advance(8)
        assert wait.result().id == "t1"
        assert keys.asked == 3
