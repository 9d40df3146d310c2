"""What a video would cost, and what was spent: told without buying anything."""

import json

import pytest

from tests.cli.ledgers import write

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
    assert run("spend").stdout.startswith("acedata: 1 charged, 1 not charged, 1 unknown; ")


def test_spend_leaves_older_jobs_out(run, ledger):
    """The jobs of the test's ledger are from 2023."""
    write(ledger, ("aaaa", "succeeded"))
    assert json.loads(run("spend", "--since", "30d", "--json").stdout) == {"providers": {}}


def test_spend_without_jobs(run):
    """A ledger that is not there yet is no error."""
    assert "There are no jobs yet." in run("spend").stderr
