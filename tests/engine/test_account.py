"""Free calls of one account: within its budget, to its own host, and with one kind of failure."""

from __future__ import annotations

import pytest

import pika_async.provider as api
from pika_async._transport import SendError
from pika_async.errors import BadReply, ConfigError, ProviderUnavailable
from tests.engine.scripted import answer, scene

pytestmark = pytest.mark.anyio


def ask(s, *, url="https://scripted.test/videos", read=lambda response: response.status, **parts):
    """Make a free call of the first account."""
    request = api.HttpRequest(method="GET", url=url, query={"ids": "t1"}, **parts)
    account = s.engine.desk.accounts["scripted:default"]
    return account.ask(lambda: request, read)


async def test_an_answer_is_read():
    """Whatever its status."""
    async with scene() as s:
        assert await ask(s) == 200


async def test_calls_wait_for_the_budget():
    """One a second unless told otherwise."""
    async with scene(poll_rate=1.0) as s:
        waits = [s.begin(ask(s)) for _ in range(3)]
        await s.clock.advance(0)
        assert [wait.done() for wait in waits] == [True, False, False]
        await s.clock.advance(2)
        assert all(wait.done() for wait in waits)


async def test_no_key_goes_to_a_foreign_host():
    """A defect of the adapter."""
    async with scene() as s:
        with pytest.raises(ConfigError, match="secret"):
            await ask(s, url="https://evil.test/", headers={"authorization": api.Secret("k" * 12)})


async def test_what_the_adapter_breaks_is_a_bad_reply():
    """The error names its author, not its text."""
    async with scene() as s:
        with pytest.raises(BadReply, match="author") as caught:
            await ask(s, read=lambda response: {}["missing"])
        assert caught.value.phase == "poll"


async def test_an_adapters_error_is_completed():
    """With provider, phase and status."""

    def refuses(response):
        raise ProviderUnavailable("busy")

    async with scene() as s:
        s.host.at_poll.append(answer(503, {}))
        with pytest.raises(ProviderUnavailable) as caught:
            await ask(s, read=refuses)
        assert (caught.value.provider, caught.value.phase, caught.value.status) == ("scripted", "poll", 503)


async def test_a_transport_that_breaks_is_no_answer():
    """As when the line is cut."""
    async with scene() as s:
        s.host.at_poll.append(KeyError("a defect"))
        with pytest.raises(SendError):
            await ask(s)


async def test_closing_lets_nobody_wait_for_the_budget():
    """The call is not made."""
    async with scene(poll_rate=0.001) as s:
        await ask(s)
        wait = s.begin(ask(s))
        await s.clock.advance(1)
        await s.pika.aclose()
        await s.clock.advance(0)
        assert isinstance(wait.exception(), SendError)
