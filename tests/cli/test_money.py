"""What a video would cost, and what was spent: told without buying anything."""

import asyncio
import json
import re

import pytest

from pika_async import Generate
from pika_async._ledger.events import Claim, Evidence
from pika_async._ledger.records import Attempt, JobRecord
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.ledger import Money
from pika_async.results import Failed, State, Succeeded, Task, VideoResult
from tests.cli.ledgers import ORDERED, write

PRICES = '[[price]]\nprovider = "acedata"\namount = 0.25\ndate = "2026-11-26"\n'


@pytest.fixture
def prices(monkeypatch, tmp_path):
    """Have a file of prices in the environment."""
    file = tmp_path / "prices.toml"
    file.write_text(PRICES)
    monkeypatch.setenv("PIKA_ASYNC_PRICES", str(file))


def test_a_quote_tells_price_source_and_date(run, prices):
    """One line a provider."""
    told = run("quote", "A cat", "--sandbox").stdout
    assert told == "acedata: 0.25 USD (your own prices, read on 2026-11-26)\n"


def test_a_quote_says_that_no_price_is_published(run):
    """Nothing is guessed."""
    assert run("quote", "A cat", "--sandbox").stdout == "acedata: no price is published\n"
    (quote,) = json.loads(run("quote", "A cat", "--sandbox", "--json").stdout)["quotes"]
    assert quote == {"provider": "acedata", "estimate": None, "unsupported": None}


def test_a_quote_says_what_a_provider_cannot_do(run):
    """The reason names the field."""
    told = run("quote", "A cat", "--seed", 7, "--sandbox").stdout
    assert told == "acedata: cannot do this: seed cannot be expressed\n"


def test_a_dry_run_tells_the_price_of_each_row_and_the_sum(run, prices, tmp_path):
    """A list can be priced before it is bought."""
    (tmp_path / "list.txt").write_text("A cat\nA dog\n")
    told = run("batch", tmp_path / "list.txt", "--out", tmp_path / "videos", "--sandbox", "--dry-run")
    assert [json.loads(line)["price"]["amount"] for line in told.stdout.splitlines()] == [0.25, 0.25]
    assert "They would cost 0.5 USD, where a price is known." in told.stderr


def test_spend_counts_what_was_charged(run, ledger):
    """By provider: charged, not charged, unknown, and the cost where the provider tells it."""
    write(ledger, ("aaaa", "succeeded"), ("bbbb", "refused"), ("cccc", "unresolved"))
    told = json.loads(run("spend", "--json").stdout)["providers"]["acedata"]
    assert told["charged"] == {"yes": 1, "no": 1, "unknown": 1}
    assert run("spend").stdout == (
        "acedata: 1 charged, 1 not charged, 1 unknown\n"
        "  without a price: 2 orders\n"
        "  the provider tells no cost\n"
    )


def test_spend_tells_money_that_went_apart_from_what_may_go_and_what_came_back(run, ledger):
    """By the price at the claim, and by what the provider told; a refund is no cost."""
    task = Task("1")
    videos = (VideoResult("v", "https://cdn.example.com/v.mp4", None, 5.0, State.SUCCEEDED),)
    priced(
        ledger,
        {
            "paid": Succeeded(task=task, results=videos, cost=120.0),
            "dear": Succeeded(task=Task("2"), results=videos, cost=80.0),
            "back": Failed(task=Task("3"), charged="no", cost=120.0),
            "doubt": None,
        },
    )
    told = json.loads(run("spend", "--json").stdout)
    assert told["counted"] == {"CNY": 0.6}
    assert told["providers"]["duomi"] == {
        "charged": {"yes": 2, "no": 1, "unknown": 1},
        "estimated": {"CNY": 0.4},
        "may_be_charged": {"CNY": 0.2},
        "refunded": {"CNY": 0.2},
        "refunds": 1,
        "unpriced": 0,
        "cost": 200.0,
        "costs_told": 2,
        "cost_unit": "points",
    }
    assert run("spend").stdout == (
        "duomi: 2 charged, 1 not charged, 1 unknown\n"
        "  by prices: 0.4 CNY\n"
        "  may be charged: 0.2 CNY\n"
        "  not charged after a failure: 1 order, 0.2 CNY by prices\n"
        "  as the provider tells: 200 points, for 2 orders\n"
        "The ledger counts 0.6 CNY towards --max-cost.\n"
    )
    assert "price    0.2 CNY" in re.sub(" +(?=0.2)", "    ", run("job", "paid").stdout)


def priced(path, outcomes):
    """Write jobs at Duomi that were claimed for 0.2 yuan each, and what became of them."""

    async def written():
        ledger = SqliteLedger(path)
        await ledger.open(lambda: ORDERED)
        for name, outcome in outcomes.items():
            attempt = Attempt(id=f"{name}-1", job_id=name, number=1, account="duomi:default")
            await ledger.create(
                JobRecord(id=name, request=Generate("A cat"), created_at=ORDERED, attempts=(attempt,))
            )
            await ledger.apply(name, Claim(attempt=attempt.id, owner="o", price=Money.of(0.2, "CNY")))
            if outcome is not None:
                await ledger.apply(name, Evidence(attempt=attempt.id, snapshot=outcome, source="answer"))
        await ledger.aclose()

    path.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(written())


def test_a_balance_is_told_where_the_provider_has_one(run):
    """Duomi tells its points; AceData tells none."""
    assert run("balance", "--provider", "duomi", "--sandbox").stdout.endswith(" points\n")
    told = json.loads(run("balance", "--sandbox", "--json").stdout)
    assert told == {"balances": [{"provider": "acedata", "balance": None, "problem": None}]}
    assert run("balance", "--sandbox").stdout == "acedata: it tells no balance\n"


def test_spend_leaves_older_jobs_out(run, ledger):
    """The jobs of the test's ledger are from 2023."""
    write(ledger, ("aaaa", "succeeded"))
    assert json.loads(run("spend", "--since", "30d", "--json").stdout)["providers"] == {}


def test_spend_without_jobs(run):
    """A ledger that is not there yet is no error."""
    assert "There are no jobs yet." in run("spend").stderr
