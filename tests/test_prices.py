"""Prices of the user's own file: which one is meant, and what is said of a file that is none."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async import ConfigError, Generate
from pika_async._prices import VARIABLE, Price, price_of, read_prices


def test_the_price_that_says_most_is_meant():
    """A price for a model goes before one for all of them."""
    prices = [
        Price(provider="pika", amount=1),
        Price(provider="pika", amount=2, model="2.5", resolution="720p"),
    ]
    assert price_of(prices, "pika", Generate("A cat", model="2.5", resolution="720p")).amount == 2
    assert price_of(prices, "pika", Generate("A cat", model="2.5")).amount == 1
    assert price_of(prices, "fal", Generate("A cat")) is None


def test_a_price_per_second_needs_the_seconds():
    """Nobody knows how long a video becomes that was ordered without a duration."""
    prices = [Price(provider="pika", amount=0.04, per="second")]
    assert price_of(prices, "pika", Generate("A cat", duration=10)).amount == pytest.approx(0.4)
    assert price_of(prices, "pika", Generate("A cat")) is None


def test_a_price_of_a_kind_is_for_that_kind():
    """An effect may cost something else."""
    prices = [Price(provider="pika", amount=1, kind="style")]
    assert price_of(prices, "pika", Generate("A cat")) is None


def test_the_file_is_read(tmp_path):
    """It is named by an option or by the environment; without a name there are no prices."""
    file = tmp_path / "prices.toml"
    file.write_text('[[price]]\nprovider = "duomi"\namount = 3\nunit = "CNY"\ndate = "2026-11-26"\n')
    (price,) = read_prices(file, {})
    assert read_prices(None, {VARIABLE: str(file)}) == (price,)
    assert read_prices(None, {}) == ()
    estimate = price.of(Generate("A cat"))
    assert (estimate.amount, estimate.unit, estimate.date) == (3.0, "CNY", "2026-11-26")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[[price]]",
        "price = 3",
        '[[price]]\nprovider = "a"\namount = -1',
        '[[price]]\nprovider = "a"\namount = "much"',
        '[[price]]\nprovider = "a"\namount = true',
        '[[price]]\nprovider = "a"\namount = 1\nper = "minute"',
        '[[price]]\nprovider = "a"\namount = 1\ncolour = "red"',
        "not toml",
    ],
)
def test_a_file_that_holds_no_prices_is_refused(tmp_path, text):
    """The sentence names the file."""
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"prices\.toml"):
        read_prices(file, {})


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """A wrong name must not pass for a file without prices."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_prices(tmp_path / "none.toml", {})


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(tmp_path_factory, data):
    """Whatever bytes it holds."""
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(data)
    with contextlib.suppress(ConfigError):
        read_prices(file, {})
