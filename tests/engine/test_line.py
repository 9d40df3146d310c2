"""How much an account may do at once and per second."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika_async._engine.limits import POSTS_AT_ONCE, Limits, retry_after

from pika_async import Generate
from pika_async.errors import RateLimited
from tests.engine.scripted import Scripted, capable, refusal, scene


def test_slots_are_counted():
    """No more jobs are started than slots are there, and a slot given back is free again."""
    limits = Limits(2)
    assert [limits.start(0.0) for _ in range(3)] == [True, True, False]
    assert limits.wait_until(0.0) is None
    limits.off_the_wire()
    limits.release()
    assert limits.start(0.0)


def test_posts_on_the_wire_are_bounded():
    """However many slots there are, the time from claim to first byte must stay short."""
    limits = Limits(10_000)
    assert sum(limits.start(0.0) for _ in range(10_000)) == POSTS_AT_ONCE
    limits.off_the_wire()
    assert limits.start(0.0)


def test_adopted_jobs_may_exceed_the_slots():
    """What runs already is reality; nothing new is started before it has ended."""
    limits = Limits(1)
    limits.adopt()
    limits.adopt()
    assert limits.in_flight == 2
    limits.release()
    assert not limits.start(0.0)
    limits.release()
    assert limits.start(0.0)


def submits_in(limits: Limits, start: float, seconds: float) -> int:
    """Count the submits that *limits* allows, with a caller who always wants one."""
    count = 0
    now = start
    while now < start + seconds:
        count += limits.start(now)
        now += 0.01
    return count


def test_a_429_halves_the_pace():
    """Whatever the rate was, the next second gets about half of it."""
    limits = Limits(100_000)
    limits.on_the_wire = -100_000
    for tick in range(300):
        limits.start(tick / 100)
        limits.start(tick / 100)
    limits.throttled(3.0, None)
    first = submits_in(limits, 3.0, 4.0) / 4.0
    assert 50 <= first <= 110


def test_refusals_of_one_moment_count_once():
    """Many POSTs under way are refused together: that is one sign, not many."""
    limits = Limits(100)
    for _ in range(10):
        limits.start(0.0)
    limits.throttled(0.5, None)
    spacing = limits.spacing
    for _ in range(9):
        limits.throttled(0.5, None)
    assert limits.spacing == spacing


def test_the_pace_grows_back():
    """Every accepted submit speeds up a little, until there is no pace left."""
    limits = Limits(100)
    limits.start(0.0)
    limits.throttled(0.0, None)
    spacings = [limits.spacing]
    for _ in range(200):
        limits.accepted()
        spacings.append(limits.spacing)
    assert spacings == sorted(spacings, reverse=True)
    assert spacings[1] > 0.9 * spacings[0]
    assert spacings[-1] == 0


def test_retry_after_is_obeyed():
    """Nothing goes before the time the provider gave, and the longest wish counts."""
    limits = Limits(100)
    limits.start(0.0)
    limits.throttled(1.0, 30.0)
    limits.throttled(1.0, 5.0)
    assert not limits.start(30.9)
    assert limits.wait_until(30.9) == 31.0
    assert limits.start(31.0)


@given(
    st.lists(st.tuples(st.sampled_from(["start", "end", "adopt", "refused"]), st.floats(0, 5)), max_size=200)
)
def test_slots_are_exact_whatever_happens(steps):
    """What is started or adopted minus what is given back is what is in flight; starts keep to the cap."""
    limits, running, now = Limits(5), 0, 0.0
    for step, seconds in steps:
        now += seconds
        if step == "start" and limits.start(now):
            running += 1
            assert running <= 5
            limits.off_the_wire()
        elif step == "adopt":
            limits.adopt()
            running += 1
        elif step == "end" and running:
            limits.release()
            running -= 1
        elif step == "refused":
            limits.throttled(now, None)
        assert limits.in_flight == running
        assert limits.on_the_wire == 0
        assert 0 <= limits.spacing <= 60


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("99999", 3600.0),
        (formatdate(1_000_030, usegmt=True), 30.0),
        (formatdate(999_000, usegmt=True), 0.0),
        (formatdate(9_000_000_000, usegmt=True), 3600.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("١٢", None),
        ("9" * 400, 3600.0),
    ],
)
def test_retry_after_is_read(header, seconds):
    """Seconds and dates, an hour at most; what cannot be read is no wish."""
    assert retry_after(header, 1_000_000.0) == seconds


@given(st.text())
def test_retry_after_never_fails(header):
    """Whatever a host writes there gives seconds or nothing."""
    seconds = retry_after(header, 0.0)
    assert seconds is None or 0.0 <= seconds <= 3600.0


@pytest.mark.anyio
async def test_waiting_callers_are_served_in_their_order():
    """First come, first served, whoever is cancelled in between."""
    async with scene(max_concurrency=2) as s:
        waits = [s.begin(s.pika.generate(f"{n:02}")) for n in range(12)]
        await s.clock.advance(1)
        for n in (3, 4, 7):
            waits[n].cancel()
        await s.clock.advance(200)
        assert list(s.host.billed) == [f"{n:02}" for n in range(12) if n not in {3, 4, 7}]


@pytest.mark.anyio
async def test_slots_are_exact_under_cancellation():
    """Cancelling callers at every moment neither leaks a slot nor frees one twice."""
    async with scene(max_concurrency=3) as s:
        s.host.render_time = 5
        for turns in range(12):
            waits = [s.begin(s.pika.generate(f"{turns}-{n}")) for n in range(4)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for wait in waits:
                wait.cancel()
            await s.clock.advance(0)
            assert 0 <= s.stats.in_flight <= 3
            await s.clock.advance(30)
            assert (s.stats.in_flight, s.stats.queued, s.stats.on_the_wire) == (0, 0, 0)
        assert max(s.host.billed.values(), default=1) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("said", ["20", "date"])
async def test_the_account_waits_as_long_as_the_provider_asks(said):
    """A refused job ends with the wish in its error; the next one is sent when that time has passed."""
    async with scene() as s:
        wish = formatdate(s.clock.wall() + 20, usegmt=True) if said == "date" else said
        s.host.at_submit.append(refusal("RateLimited", 429, retry_after=wish))
        with pytest.raises(RateLimited) as caught:
            await s.pika.generate("first")
        assert caught.value.retry_after == pytest.approx(20, abs=1)
        assert caught.value.retryable
        wait = s.begin(s.pika.submit(Generate("second")))
        await s.clock.advance(18)
        assert s.host.billed["second"] == 0
        assert s.stats.submit_spacing > 0
        assert s.stats.queued == 1
        await s.clock.advance(3)
        assert wait.done()
        assert s.host.billed["second"] == 1


@pytest.mark.anyio
async def test_accounts_do_not_share_their_limits():
    """One provider's 429 does not slow another down."""
    async with scene(Scripted(), Scripted(capabilities=capable("other"))) as s:
        s.host.at_submit.append(refusal("RateLimited", 429, retry_after="600"))
        await s.after(30, s.pika.generate("first"))
        assert s.hosts["other"].billed["first"] == 1
        assert s.pika.stats()["scripted:default"].submit_spacing > 0
        assert s.pika.stats()["other:default"].submit_spacing == 0


@pytest.mark.anyio
async def test_stats_tell_what_goes_on():
    """Slots, queue, POSTs on the wire and tasks under look-up, as they are now."""
    async with scene(max_concurrency=2) as s:
        s.host.hold()
        waits = [s.begin(s.pika.generate(str(n))) for n in range(5)]
        await s.clock.advance(0)
        assert (s.stats.queued, s.stats.in_flight, s.stats.on_the_wire, s.stats.polled) == (3, 2, 2, 0)
        s.host.gate.set()
        s.host.gate = None
        await s.clock.advance(0)
        assert (s.stats.queued, s.stats.in_flight, s.stats.on_the_wire, s.stats.polled) == (3, 2, 0, 2)
        await s.clock.advance(100)
        assert all(wait.done() for wait in waits)
        assert (s.stats.queued, s.stats.in_flight, s.stats.on_the_wire, s.stats.polled) == (0, 0, 0, 0)
