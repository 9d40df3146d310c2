"""Words for a person."""

import doctest

from hypothesis import given
from hypothesis import strategies as st

from pika_async.cli import _terminal


def test_the_examples_are_true():
    """The module's own examples hold."""
    assert doctest.testmod(_terminal).failed == 0


@given(st.text())
def test_nothing_printable_steers_a_terminal(text):
    """Whatever a provider says, no control character and no line break comes through."""
    assert _terminal.printable(text).isprintable()
