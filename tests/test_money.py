"""Amounts of money: exact, and never of two units at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async._money import Money


@pytest.mark.parametrize(
    ("amount", "micros"),
    [(0.1 * 3, 300_000), (1.1 * 1.1, 1_210_000), ("0.0000004", 1), (0, 0), (1e9, 10**15), (5, 5_000_000)],
)
def test_an_amount_is_whole_millionths(amount, micros):
    """The noise of a float costs nothing, and what is finer rounds up: a cap must hold."""
    assert Money.of(amount, "USD").micros == micros


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), 1e10, "much", "", "1,5", "-0.1"])
def test_what_is_no_amount_is_refused(amount):
    """Before it is counted."""
    with pytest.raises(ValueError, match=r"amount|between"):
        Money.of(amount, "USD")


@pytest.mark.parametrize("unit", ["", " USD", "a\0b", "\ud800"])
def test_what_is_no_unit_is_refused(unit):
    """A ledger must be able to keep it."""
    with pytest.raises(ValueError, match="no unit"):
        Money.of(1, unit)


@given(st.integers(0, 10**15), st.sampled_from(["USD", "credits", "Duomi points"]))
def test_what_is_said_is_read_again(micros, unit):
    """No digit is lost on the way to people and back."""
    money = Money(micros, unit)
    assert Money.read(str(money)) == money
