"""Free calls of one account: within its budget, to its own host, and with one kind of failure."""

from __future__ import annotations

import pytest
from attrs import evolve

import pika_async.provider as api
from pika_async._transport import SendError
from pika_async.errors import AuthError, BadReply, ConfigError, ProviderUnavailable
from pika_async.results import Task
from tests.engine.scripted import Historian, Scripted, answer, capable, scene

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


async def test_a_refused_key_makes_no_call():
    """Until a person has corrected it."""
    async with scene() as s:
        s.engine.desk.accounts["scripted:default"].refused_look = AuthError("no")
        with pytest.raises(SendError, match="no calls"):
            await ask(s)
        assert not s.host.asked


async def test_no_call_is_made_once_the_client_closes():
    """Nor does any wait for its turn then."""
    async with scene() as s:
        s.engine.desk.accounts["scripted:default"].stop()
        with pytest.raises(SendError, match="no calls"):
            await ask(s)


async def test_who_took_a_place_in_the_budget_needs_no_other():
    """The look-ups take theirs with the tasks."""
    async with scene(poll_rate=0.001) as s:
        account = s.engine.desk.accounts["scripted:default"]
        await ask(s)
        assert await account.look_up((Task("t1"),), budgeted=False) == {}
        assert len(s.host.asked) == 2


async def test_a_caller_who_gives_up_leaves_no_turn_behind():
    """Neither its timer nor its place among those who wait."""
    async with scene(poll_rate=0.1) as s:
        await ask(s)
        wait = s.begin(ask(s))
        await s.clock.advance(1)
        timers = [timer for _, _, timer in s.clock._timers if timer.callback is not None]
        wait.cancel()
        await s.clock.advance(0)
        assert not s.engine.desk.accounts["scripted:default"]._turns
        left = [timer for _, _, timer in s.clock._timers if timer.callback is not None]
        assert len(left) == len(timers) - 1


async def test_a_submit_that_is_no_post_is_refused():
    """HTTP stacks replay the other methods."""

    class Putting(Scripted):
        def build_submit(self, request, call, /):
            return evolve(Scripted.build_submit(self, request, call), method="PUT")

    async with scene(Putting()) as s:
        with pytest.raises(ConfigError, match="PUT"):
            await s.pika.generate("a cat")
        assert not s.wire.submits


async def test_an_adapter_that_fails_to_build_sends_nothing():
    """The error names its class alone, because its text may hold the request."""

    class Broken(Scripted):
        def build_submit(self, request, call, /):
            raise KeyError(request.prompt)

    async with scene(Broken()) as s:
        with pytest.raises(ConfigError, match="KeyError") as caught:
            await s.pika.generate("a secret cat")
        assert "secret cat" not in str(caught.value)


@pytest.mark.parametrize(
    ("adapter", "searches"),
    [(Scripted(), False), (Historian(), True), (Historian(capabilities=capable()), False)],
    ids=["no history", "echoes", "a history that echoes nothing"],
)
async def test_a_history_is_searched_where_it_echoes_our_tokens(adapter, searches):
    """Nothing else tells our tasks from others."""
    async with scene(adapter) as s:
        (account,) = s.engine.desk.accounts.values()
        assert account.searches is searches
