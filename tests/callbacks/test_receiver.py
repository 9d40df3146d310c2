"""The receiver between its shells and the inbox: when it may say yes, and what it never reads."""

import asyncio
import logging

import pytest

from pika_async import ConfigError, LedgerError
from pika_async.callbacks import Callbacks, Receiver, Reply
from tests.callbacks.conftest import ATTEMPT, KEY, TOKEN

pytestmark = pytest.mark.anyio


async def chunks(*parts):
    for part in parts:
        yield part


async def unread():
    pytest.fail("The body was read.")
    yield b""


def post(receiver, *parts, path=f"/pika/{TOKEN}"):
    return receiver.answer("POST", path, {"content-type": "application/json"}, chunks(*parts))


async def test_a_callback_is_in_the_inbox_when_it_is_answered(make_receiver, inbox):
    """Its parts are put together."""
    assert (await post(make_receiver(), b'{"a"', b"", b": 1}")).status == 200
    (event,) = inbox.events
    assert (event.attempt_id, event.body) == (ATTEMPT, b'{"a": 1}')


async def test_yes_is_said_only_after_the_commit(make_receiver, inbox):
    """As long as the inbox works on it, the provider waits."""
    inbox.busy = asyncio.Event()
    answer = asyncio.create_task(post(make_receiver(), b"{}"))
    await inbox.asked.wait()
    assert not answer.done()
    inbox.busy.set()
    assert (await answer).status == 200


async def test_a_repeat_gets_the_same_answer(make_receiver, inbox):
    """The inbox knows repeats; the provider need not."""
    receiver = make_receiver()
    first, second = await post(receiver, b"{}"), await post(receiver, b"{}")
    assert first == second
    assert len(inbox.events) == 2


async def test_what_cannot_be_committed_is_asked_for_again(make_receiver, inbox, caplog):
    """The provider hears 503, the log says why, and neither holds the token."""
    inbox.error = LedgerError("The disk is full; free some space.")
    reply = await post(make_receiver(), b"{}")
    assert (reply, reply.headers) == (Reply(503), {"Retry-After": "5"})
    assert f"attempt {ATTEMPT}: a callback could not be kept: The disk is full" in caplog.text
    assert TOKEN not in caplog.text


async def test_a_forged_callback_is_refused_unread(make_receiver, inbox):
    """Its body costs nothing."""
    reply = await make_receiver().answer("POST", "/pika/a.b", {}, unread())
    assert reply == Reply(404)
    assert inbox.events == []


async def test_reading_stops_at_the_limit(make_receiver, inbox):
    """A body without end is not read to its end."""

    async def endless():
        while True:
            yield b"x" * 10

    body = endless()
    assert await make_receiver(max_body=100).answer("POST", TOKEN, {}, body) == Reply(413)
    assert body.ag_frame is None
    assert inbox.events == []


async def test_a_slow_body_is_given_up(make_receiver, inbox):
    """Nobody keeps a connection busy for long."""

    async def stalling():
        yield b"{"
        await asyncio.Event().wait()

    reply = await make_receiver(body_timeout=0.01).answer("POST", TOKEN, {}, stalling())
    assert reply == Reply(408)
    assert inbox.events == []


async def test_half_a_body_is_none(make_receiver, inbox):
    """A body that breaks off is not received."""

    async def breaking():
        yield b"{"
        raise ConnectionError

    assert await make_receiver().answer("POST", TOKEN, {}, breaking()) == Reply(400)
    assert inbox.events == []


async def test_before_and_after_its_client_it_asks_for_patience(inbox):
    """Applications are built before the client opens; whoever calls then may call again."""
    receiver = Receiver(Callbacks(public_url="https://app.test/pika"))
    assert await post(receiver, b"{}") == Reply(503)
    receiver.open(inbox, [KEY])
    assert (await post(receiver, b"{}")).status == 200
    receiver.close()
    assert await post(receiver, b"{}") == Reply(503)
    assert len(inbox.events) == 1


async def test_another_event_loop_is_refused_in_plain_words(make_receiver, inbox):
    """The client belongs to one loop, and so does what it receives."""
    receiver = make_receiver()

    def elsewhere():
        return asyncio.run(post(receiver, b"{}"))

    with pytest.raises(ConfigError, match="another event loop"):
        await asyncio.to_thread(elsewhere)
    assert inbox.events == []


def told(caplog):
    return [record.message for record in caplog.records if record.name == "pika_async"]


async def test_the_first_callback_is_told_and_all_are_counted(make_receiver, inbox, caplog):
    """So whoever wonders whether providers reach the receiver can see it; forgeries do not count."""
    caplog.set_level(logging.INFO, "pika_async")
    receiver = make_receiver()
    await post(receiver, b"{}", path="/pika/a.b")
    await receiver.answer("GET", f"/pika/{TOKEN}", {}, chunks())
    assert (receiver.received, told(caplog)) == (0, [])
    for _ in range(3):
        await post(receiver, b"{}")
    assert receiver.received == 3
    assert told(caplog) == ["the first callback has arrived, so providers reach this receiver"]


async def test_a_callback_that_cannot_be_kept_has_arrived(make_receiver, inbox):
    """The count is about the network, not about the ledger."""
    inbox.error = LedgerError("The disk is full; free some space.")
    receiver = make_receiver()
    await post(receiver, b"{}")
    assert receiver.received == 1
