"""What becomes of an order that is not sent: left in the ledger, tried again, or ended."""

from __future__ import annotations

import pytest

from pika_async._engine import posts
from pika_async._engine.expectation import Stage
from pika_async._ledger.records import AttemptState, JobState
from pika_async.errors import (
    AuthError,
    InsufficientBalance,
    LedgerError,
    PikaError,
)
from tests.engine.deaf import hold_back, shared_by_two
from tests.engine.ledgers import KeptLedger, WatchedLedger
from tests.engine.scripted import scene
from tests.ledger.records import attempt, job

pytestmark = pytest.mark.anyio


async def test_a_defect_before_the_claim_ends_the_order_unsent(monkeypatch, caplog):
    """The error says so, and that nothing was bought."""

    async def broken(*_):
        raise KeyError("a defect")

    ledger = WatchedLedger()
    async with scene(ledger=ledger) as s:
        monkeypatch.setattr(posts, "with_blobs", broken)
        with pytest.raises(PikaError, match="report it") as caught:
            await s.pika.generate("a cat", image=b"GIF89a")
        assert caught.value.charged == "no"
        assert not s.wire.submits
        assert s.stats.in_flight == 0
    assert "before the claim" in caplog.text


async def test_an_order_with_a_key_is_not_burned_by_the_spending_cap():
    """Whoever raises the cap and asks again with the key gets it bought; one without a key is over."""
    ledger = WatchedLedger()
    async with scene(ledger=ledger, max_submits=0) as s:
        for key in (None, "k"):
            with pytest.raises(InsufficientBalance, match="max_submits"):
                await s.pika.generate("a cat", idempotency_key=key)
            await s.clock.advance(0)
        states = {record.key: record.state for record in ledger.last.values()}
        assert states["k"] is JobState.OPEN
        assert states[None] is not JobState.OPEN


async def test_what_is_left_unsent_says_what_an_earlier_attempt_may_have_cost():
    """The job is no longer under way here."""
    async with scene(ledger=KeptLedger()) as s:
        (account,) = s.engine.desk.accounts
        doubtful = attempt(state=AttemptState.AMBIGUOUS, account=account, superseded=True)
        record = job(doubtful, attempt(2, account=account))
        flight = s.engine.desk.take_up(record)
        wait = s.begin(flight.wait(Stage.ENDED))
        await s.clock.advance(0)
        error = AuthError("no", charged="no")
        s.engine._dispatch._unsent.leave(flight, error)
        assert error.charged == "unknown"
        assert flight.error is error
        assert flight.id not in s.engine.desk.flights
        await s.clock.advance(0)
        assert wait.done()


async def test_a_ledger_that_fails_for_a_minute_ends_the_wait_and_not_the_order():
    """The error is the ledger's; the order is sent for whoever asks again."""
    ledger = KeptLedger()
    async with scene(ledger=ledger) as s:
        ledger.failing = True
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(55)
        assert not wait.done()
        assert "ledger fails" in s.stats.paused
        await s.clock.advance(15)
        assert isinstance(wait.exception(), LedgerError)
        ledger.failing = False
        assert (await s.after(40, wait.exception().job.wait())).id == "t1"
        assert s.stats.paused is None


@pytest.mark.parametrize("what", ["given up", "refused", "drained"])
async def test_an_order_that_another_process_sent_is_not_called_free(what):
    """Here it still waits in its line, and what goes wrong here says nothing about that POST."""
    async with shared_by_two(shop_works=True) as (shop, worker):
        hold_back(shop)
        wait = shop.begin(shop.pika.generate("a cat", idempotency_key="k"))
        await shop.clock.advance(1)
        worker.host.render_time = 50
        bought = worker.begin(worker.pika.generate("a cat", idempotency_key="k"))
        await shop.clock.advance(1)
        (flight,) = shop.engine.desk.flights.values()
        line = shop.engine._lines["scripted:default"]
        match what:
            case "given up":
                line.clear()
                await shop.engine._dispatch._unsent.give_up(flight, PikaError("The upload failed."))
            case "refused":
                line.refused(AuthError("The key is wrong."), shop.engine.desk.ledger.now())
                line.opens_at = 0.0
                shop.engine._dispatch.pump(line)
            case _:
                await shop.pika.drain()
        await shop.clock.advance(1)
        error = wait.exception()
        assert error.charged == "yes"
        assert "nothing was bought" not in error.message
        await shop.clock.advance(60)
        assert bought.result().id == "t1"
