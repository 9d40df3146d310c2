"""The cap on money: counted with the claim, over all that may be billed, and given back once."""

import asyncio
import signal
import sqlite3
import sys
import time
from contextlib import closing

import anyio
import pytest
from attrs import evolve

from pika_async._ledger.events import Abandon, Cancel, LeaseOver, Unknown
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import AttemptState, Refusal
from pika_async._ledger.spending import added, counts, total
from pika_async._ledger.sqlite import SqliteLedger
from pika_async._money import Money
from pika_async.ledger import LedgerView
from tests.ledger.records import (
    ACCOUNT,
    OWNER,
    attempt,
    claim,
    create,
    failed,
    job,
    nothing,
    pending,
    refused,
    resubmit,
    sending,
    succeeded,
    told,
)

pytestmark = pytest.mark.anyio

CAP = Money.of(1, "USD")
PRICE = Money.of(0.4, "USD")


def capped(name: str, number: int = 1, **fields):
    """Make a claim under the tests' cap."""
    return claim(number, name, **{"price": PRICE, "max_cost": CAP, **fields})


async def spent(ledger) -> dict[str, int]:
    """Return the sums of the ledger."""
    return dict((await ledger.usage(ACCOUNT)).spent)


async def test_the_claim_that_would_pass_the_cap_is_not_granted(ledger):
    """The order stays queued, and nothing is counted for it."""
    await create(ledger, "a", "b", "c")
    for name in "ab":
        assert (await ledger.apply(name, capped(name))).moved
    change = await ledger.apply("c", capped("c"))
    assert (change.moved, change.obstacle.reason) == (False, "cost")
    assert change.after.newest.state is AttemptState.QUEUED
    assert (await spent(ledger), (await ledger.get("a")).newest.price) == ({"USD": 800_000}, PRICE)
    assert (await ledger.apply("c", capped("c", price=Money.of("0.2", "USD")))).moved
    assert await spent(ledger) == {"USD": 1_000_000}


async def test_all_accounts_share_the_cap(ledger):
    """It is about the user's money, and so is the ledger's."""
    await create(ledger, "a")
    await ledger.create(job(attempt(1, "b", account="duomi:default"), name="b"))
    await ledger.apply("a", capped("a", max_cost=PRICE))
    assert (await ledger.apply("b", capped("b", max_cost=PRICE))).obstacle.reason == "cost"
    assert (await ledger.usage("duomi:default")).spent == {"USD": 400_000}


async def test_units_are_not_added_together(ledger):
    """Credits are no dollars: a price in another unit than the cap's is as none at all."""
    await create(ledger, "a", "b")
    credit = Money.of(20, "credits")
    assert (await ledger.apply("a", capped("a", price=credit))).obstacle.reason == "unpriced"
    assert (await ledger.apply("a", capped("a", price=None))).obstacle.reason == "unpriced"
    assert (await ledger.apply("a", capped("a", price=credit, max_cost=Money.of(25, "credits")))).moved
    assert (await ledger.apply("b", capped("b"))).moved
    assert await spent(ledger) == {"credits": 20_000_000, "USD": 400_000}


async def test_who_has_no_cap_is_counted_for_those_who_have(ledger):
    """A claim without a cap is granted, and leaves less for the others."""
    await create(ledger, "a", "b")
    assert (await ledger.apply("a", capped("a", price=CAP, max_cost=None))).moved
    assert (await ledger.apply("b", capped("b"))).obstacle.reason == "cost"


@pytest.mark.parametrize(
    ("events", "left"),
    [
        ([], 400_000),
        ([refused(1, job_id="a")], 0),
        ([refused(1, job_id="a"), refused(1, job_id="a")], 0),
        ([LeaseOver(attempt="a-1")], 0),
        ([sending(1, "a"), LeaseOver(attempt="a-1")], 400_000),
        ([Unknown(attempt="a-1", owner=OWNER)], 400_000),
        ([Unknown(attempt="a-1", owner=OWNER), nothing(1, None, "a"), Abandon()], 400_000),
        ([told(1, pending(), job_id="a"), Cancel()], 400_000),
        ([told(1, succeeded(), job_id="a")], 400_000),
        ([told(1, failed(), job_id="a")], 400_000),
        ([told(1, evolve(failed(), charged="no"), job_id="a")], 0),
        ([told(1, evolve(failed(), charged="yes"), job_id="a")], 400_000),
        ([refused(1, job_id="a"), told(1, pending(), "echo", job_id="a")], 400_000),
    ],
    ids=str,
)
async def test_what_is_proven_unbilled_gives_its_money_back(ledger, clock, events, left):
    """Refusals, what was never sent, and failures that the provider refunds; a doubt does not."""
    await create(ledger, "a")
    await ledger.apply("a", capped("a"))
    for event in events:
        clock.now += 10_000 if isinstance(event, LeaseOver) or event == nothing(1, None, "a") else 0
        await ledger.apply("a", event)
    assert await spent(ledger) == ({"USD": left} if left else {})
    assert await LedgerView(ledger).check() == []


async def test_a_word_after_a_doubt_costs_once_more(ledger, clock):
    """Whoever resubmits accepts that the first attempt may be billed as well."""
    await create(ledger, "j")
    await ledger.apply("j", capped("j"))
    await ledger.apply("j", Unknown(attempt="j-1", owner=OWNER))
    clock.now += 10_000
    await ledger.apply("j", nothing(1, None))
    await ledger.apply("j", resubmit(2))
    await ledger.apply("j", capped("j", 2))
    assert await spent(ledger) == {"USD": 800_000}


async def test_a_job_that_is_forgotten_stays_paid(ledger):
    """Neither forgetting nor pruning leaves room under the cap."""
    await create(ledger, "a")
    await ledger.apply("a", capped("a"))
    await ledger.apply("a", told(1, succeeded(), job_id="a"))
    assert await ledger.prune(2.0) == 1
    assert await spent(ledger) == {"USD": 400_000}


async def test_our_own_cap_pauses_no_account(ledger):
    """The provider's account has money; only the provider's word pauses it."""
    await create(ledger, "a")
    await ledger.apply("a", capped("a"))
    refusal = Refusal(error="InsufficientBalance", message="The cap.", code="max_cost")
    await ledger.apply("a", evolve(refused(1, job_id="a"), refusal=refusal))
    assert (await ledger.usage(ACCOUNT)).paused_until == 0.0


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
async def test_two_ledgers_share_one_cap(backend, request, tmp_path, clock):
    """Forty claims by two processes at once, room for ten: ten are granted, and each counted once."""

    def opened():
        if backend == "sqlite":
            return SqliteLedger(tmp_path / "jobs.db")
        from pika_async._ledger.postgres import PostgresLedger

        return PostgresLedger(request.getfixturevalue("dsn"), wall=clock)

    both = [opened(), opened()]
    for one in both:
        await one.open(clock)
    names = [f"j{number}" for number in range(40)]
    await create(both[0], *names)
    price, cap = Money.of("0.1", "USD"), Money.of(1, "USD")
    changes = await asyncio.gather(
        *(
            both[number % 2].apply(name, capped(name, price=price, max_cost=cap))
            for number, name in enumerate(names)
        )
    )
    granted = [change for change in changes if change.moved]
    assert len(granted) == 10
    assert {change.obstacle.reason for change in changes if not change.moved} == {"cost"}
    await both[0].apply(granted[0].after.id, refused(1, job_id=granted[0].after.id))
    assert await spent(both[1]) == {"USD": 900_000}
    for one in both:
        await one.aclose()
    again = opened()
    await again.open(clock)
    assert await spent(again) == {"USD": 900_000}
    await again.aclose()


_CLAIMS = """
import asyncio, os, signal, sys
from pathlib import Path
from pika_async._ledger.sqlite import SqliteLedger
from tests.ledger.records import job
from tests.ledger.test_spending import capped

async def main():
    ledger = SqliteLedger(Path(sys.argv[1]))
    await ledger.open()
    await ledger.create(job(name="a"))
    await ledger.apply("a", capped("a"))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_process_killed_between_claim_and_send_counts_until_it_is_settled(path):
    """Its order may be billed, as far as anyone knows, until its lease is over and no byte has left."""
    died = await anyio.run_process([sys.executable, "-c", _CLAIMS, str(path)], check=False)
    assert died.returncode == -signal.SIGKILL
    ledger = SqliteLedger(path)
    await ledger.open(lambda: time.time() + 600)
    assert await spent(ledger) == {"USD": 400_000}
    await ledger.apply("a", LeaseOver(attempt="a-1"))
    assert await spent(ledger) == {}
    await ledger.aclose()


async def test_damaged_sums_are_counted_anew(path, ledgers, caplog):
    """From the attempts, as slots and submits are."""
    ledger = await ledgers(path)
    await create(ledger, "a", "b", "c")
    for name in "abc":
        await ledger.apply(name, claim(1, name, price=PRICE))
    await ledger.apply("b", refused(1, job_id="b"))
    await ledger.aclose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE spending SET micros = 'much'")
        connection.execute("UPDATE job_attempts SET price = 'much' WHERE id = 'c-1'")
        connection.commit()
    again = await ledgers(path)
    assert await spent(again) == {"USD": 400_000}
    assert "the sums of prices are damaged" in caplog.text
    assert (await again.get("c")).newest.price is None


async def test_a_sum_that_is_too_small_is_told():
    """Whoever checks a ledger hears of it."""
    ledger = MemoryLedger()
    await create(ledger, "a")
    await ledger.apply("a", capped("a"))
    ledger._accounts.spent = {}
    assert await LedgerView(ledger).check() == [
        "The ledger counts 0 USD as spent, and its attempts may cost 0.4 USD."
    ]


def test_a_change_adds_what_it_makes_count():
    """Once when the attempt is claimed, and back when it is proven unbilled."""
    queued, claimed = attempt(), attempt(state=AttemptState.SUBMITTING, price=PRICE)
    gone = evolve(claimed, state=AttemptState.REFUSED)
    assert (counts(queued), counts(claimed), counts(gone)) == (False, True, False)
    assert added(queued, claimed) == PRICE
    assert added(claimed, evolve(claimed, state=AttemptState.RUNNING)) is None
    assert added(claimed, gone) == Money(-400_000, "USD")
    assert added(gone, claimed) == PRICE
    assert added(None, queued) is None
    assert total({}, None) == {}
