"""How the pace of an account follows what happens on it; the same for all processes of a ledger."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pika_async._ledger.events import Cancel, Refused
from pika_async._ledger.pacing import PAUSE, Obstacle, obstacle, paced
from pika_async._ledger.records import Refusal, Usage
from tests.ledger.records import OWNER, claim, pending, told

NOW = 1000.0


def throttled(retry_after: float | None = None, error: str = "RateLimited", code: str | None = None):
    refusal = Refusal(error=error, message="Top up.", retry_after=retry_after, code=code)
    return Refused(attempt="j-1", owner=OWNER, refusal=refusal)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(), None),
        (Usage(slots=1, submits=8), None),
        (Usage(slots=2), Obstacle("slots")),
        (Usage(submits=9), Obstacle("cap")),
        (Usage(next_submit_at=NOW + 1), Obstacle("pace", NOW + 1)),
        (Usage(next_submit_at=NOW), None),
        (Usage(paused_until=NOW + 5, paused_why="Top up."), Obstacle("paused", NOW + 5, "Top up.")),
        (Usage(slots=2, next_submit_at=NOW + 1, paused_until=NOW + 5), Obstacle("paused", NOW + 5)),
        (Usage(slots=2, submits=9, paused_until=NOW + 5), Obstacle("cap")),
    ],
)
def test_what_stands_in_the_way_of_a_claim(usage, expected) -> None:
    """The reason that lasts longest is the one that is told."""
    assert obstacle(claim(max_slots=2, max_submits=9), usage, NOW) == expected


def test_an_order_with_another_provider_does_not_wait_for_a_pause() -> None:
    """It is refused at once, and goes on there."""
    assert obstacle(claim(despite_pause=True), Usage(paused_until=NOW + 5), NOW) is None


def test_a_first_429_halves_the_pace_that_led_to_it() -> None:
    """Ten submits in the last second become five a second."""
    usage = Usage()
    for _ in range(10):
        usage = paced(usage, claim(), NOW)
    assert usage.recent == 10.0
    usage = paced(usage, throttled(), NOW)
    assert (usage.spacing, usage.next_submit_at) == (0.2, NOW + 0.2)


def test_429s_that_were_under_way_together_count_once() -> None:
    """A burst of thirty refusals is one piece of news."""
    usage = paced(Usage(recent=10.0), throttled(), NOW)
    for _ in range(29):
        usage = paced(usage, throttled(), NOW + 0.01)
    assert usage.spacing == 0.2


def test_the_providers_own_wish_is_obeyed_within_reason() -> None:
    """Retry-After counts, up to an hour; a past one is none."""
    assert paced(Usage(), throttled(30.0), NOW).next_submit_at == NOW + 30
    assert paced(Usage(), throttled(1e9), NOW).next_submit_at == NOW + 3600
    assert paced(Usage(), throttled(-5.0), NOW).next_submit_at == NOW
    assert paced(Usage(next_submit_at=NOW + 60), throttled(1.0), NOW).next_submit_at == NOW + 60


def test_each_claim_books_the_next_ones_time() -> None:
    """While an account is slowed, claims of all processes stand in one line."""
    usage = paced(Usage(spacing=2.0, next_submit_at=NOW), claim(), NOW)
    assert usage.next_submit_at == NOW + 2
    assert paced(Usage(next_submit_at=NOW - 5), claim(), NOW).next_submit_at == NOW - 5


def test_the_rate_fades_within_a_second() -> None:
    """What was submitted long ago says nothing about a 429 now."""
    usage = paced(Usage(recent=8.0, recent_at=NOW), claim(), NOW + 0.5)
    assert (usage.recent, usage.recent_at) == (5.0, NOW + 0.5)
    assert paced(usage, claim(), NOW + 60).recent == 1.0


def test_acceptances_speed_an_account_up_until_it_is_free() -> None:
    """A little with each submit that is taken; then there is no pace at all."""
    usage = Usage(spacing=1.0)
    accepted = 0
    while usage.spacing:
        usage = paced(usage, told(1, pending()), NOW)
        accepted += 1
    assert 100 < accepted < 200
    assert paced(usage, told(1, pending()), NOW) is usage


def test_an_empty_balance_pauses_the_account_until_a_submit_is_taken() -> None:
    """With the provider's words; our own spending cap is not the provider's."""
    empty = throttled(error="InsufficientBalance")
    usage = paced(Usage(), empty, NOW)
    assert (usage.paused_until, usage.paused_why) == (NOW + PAUSE, "Top up.")
    assert paced(usage, told(1, pending()), NOW) == Usage()
    assert paced(Usage(), throttled(error="InsufficientBalance", code="max_submits"), NOW) == Usage()


@pytest.mark.parametrize(
    "event", [Cancel(), throttled(error="AuthError"), told(1, pending(), "echo"), told(1, pending())]
)
def test_other_events_leave_a_free_account_alone(event) -> None:
    """The very same object, so nothing is written."""
    usage = Usage(slots=3, submits=4)
    assert paced(usage, event, NOW) is usage


events = st.one_of(
    st.just(claim()),
    st.just(told(1, pending())),
    st.builds(throttled, st.none() | st.floats(-10, 1e6)),
    st.just(throttled(error="InsufficientBalance")),
)


@given(st.lists(st.tuples(events, st.floats(0, 100)), max_size=30))
def test_an_account_always_comes_free_again(happened) -> None:
    """Whatever happens, the wait is bounded, spacing is too, and counts are left to the ledger."""
    usage, now = Usage(slots=2, submits=5), NOW
    for event, seconds in happened:
        now += seconds
        usage = paced(usage, event, now)
        assert 0.0 <= usage.spacing <= 60.0
        assert usage.next_submit_at <= now + 60.0 * len(happened) + 3600.0
        assert usage.paused_until <= now + PAUSE
        assert evolve(usage, slots=2, submits=5) == usage
