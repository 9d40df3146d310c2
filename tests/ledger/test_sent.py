"""What a POST was sent with is kept with the mark at the fence, and only while it may be sent again."""

from __future__ import annotations

import pytest
from attrs import evolve

from pika_async._ledger.events import LeaseOver, Replaying, ReplayOver, Sending, Sent, Unknown
from pika_async._ledger.machine import step
from pika_async._ledger.records import AttemptState, Replayable
from tests.ledger.records import OWNER, after, attempt, claim, create, job, nothing, pending, refused, told

pytestmark = pytest.mark.anyio

DATA = b"POST\n\0\xff" * 1000
SENT = Sent(within=600.0, key="of-k1", data=DATA)


async def sent(ledger):
    """Bring a job past the fence; returns the id of its attempt."""
    await create(ledger, "a")
    claimed = (await ledger.apply("a", claim(1, "a"))).after
    change = await ledger.apply("a", Sending(attempt="a-1", owner=OWNER, sent=SENT))
    assert change.moved
    replay = change.after.newest.replay
    assert replay == Replayable(until=claimed.newest.claimed_at + 600.0, key="of-k1")
    return "a-1"


async def test_it_is_kept_from_the_fence_on(ledger):
    """In one commit with the mark, byte by byte; the record says until when, and under which key."""
    assert await ledger.sent("a-1") is None
    assert await ledger.sent(await sent(ledger)) == DATA
    assert (await ledger.get("a")).newest.replay.key == "of-k1"


@pytest.mark.parametrize(
    "event",
    [
        told(1, pending(), job_id="a"),
        refused(1, job_id="a"),
        Unknown(attempt="a-1", owner=OWNER),
    ],
    ids=lambda event: type(event).__name__,
)
async def test_it_is_forgotten_once_there_is_an_answer(ledger, event):
    """Also with one that proves nothing: its owner knows then that nothing is sent again."""
    id_ = await sent(ledger)
    assert (await ledger.apply("a", event)).moved
    assert await ledger.sent(id_) is None
    assert (await ledger.get("a")).newest.replay is None


async def test_a_mark_that_is_not_granted_keeps_nothing(ledger):
    """Another process holds the claim."""
    await create(ledger, "a")
    await ledger.apply("a", claim(1, "a"))
    assert not (await ledger.apply("a", Sending(attempt="a-1", owner="another", sent=SENT))).moved
    assert await ledger.sent("a-1") is None


def dead(**replay):
    """Return a job whose process died after the first byte, at 5.0."""
    kept = Replayable(**{"until": 605.0, "key": "of-k1", **replay})
    return job(attempt(state=AttemptState.AMBIGUOUS, lease_until=80.0, resolve_after=800.0, replay=kept))


def replaying(key="of-k1", owner="heir"):
    """Return the wish of another process to send the same bytes again."""
    return Replaying(attempt="j-1", owner=owner, within=600.0, key=key, lease=76.0)


def test_an_heir_takes_over_for_a_while():
    """It is the owner then, and the next one may follow when its own lease is over."""
    after_one = step(dead(), replaying(), 100.0)
    assert (after_one.newest.owner, after_one.newest.lease_until) == ("heir", 176.0)
    assert step(after_one, replaying(owner="third"), 176.0) is after_one
    assert step(after_one, replaying(owner="third"), 177.0).newest.owner == "third"
    assert step(after_one, replaying(), 150.0).newest.lease_until == 226.0


@pytest.mark.parametrize(
    ("event", "now", "record"),
    [
        (replaying(key="of-k2"), 100.0, dead()),
        (replaying(key=None), 100.0, dead()),
        (replaying(key=None, owner=OWNER), 606.0, dead()),
        (replaying(), 80.0, dead()),
        (replaying(), 606.0, dead()),
        (replaying(), 100.0, dead(kept=False)),
        (replaying(), 100.0, evolve(dead(), cancel_requested=True)),
        (replaying(), 100.0, job(evolve(dead().newest, state=AttemptState.SENDING))),
        (replaying(), 100.0, job(evolve(dead().newest, superseded=True))),
        (replaying(), 100.0, job(evolve(dead().newest, replay=None))),
    ],
    ids=[
        "another key",
        "no key",
        "its late owner",
        "within the lease",
        "after T",
        "bytes gone",
        "cancelled",
        "under way",
        "superseded",
        "nothing kept",
    ],
)
def test_nobody_else_sends_it(event, now, record):
    """Only under the same key, within T, once its process is silent, and while the job wants it."""
    assert step(record, event, now) is record


def test_a_late_owner_stops_once_another_has_taken_over():
    """Two processes do not ask beside each other."""
    taken = step(dead(), replaying(), 100.0)
    assert step(taken, Replaying(attempt="j-1", owner=OWNER, within=600.0), 101.0) is taken


def test_the_record_says_that_nobody_asked_in_time():
    """The bytes go after T, and the doubt says why it is one."""
    assert step(dead(), ReplayOver(attempt="j-1"), 605.0).newest.replay.kept
    over = step(dead(), ReplayOver(attempt="j-1"), 606.0)
    assert over.newest.replay == Replayable(until=605.0, key="of-k1", kept=False)
    lost = after(over, nothing(sent_at=1e9), nothing(sent_at=1e9))
    assert (lost.newest.state, lost.newest.replay.kept) == (AttemptState.UNRESOLVED, False)


def test_an_answer_that_forbids_it_ends_it_for_all():
    """Only its owner of the moment can say so."""
    taken = step(dead(), replaying(), 100.0)
    assert step(taken, ReplayOver(attempt="j-1", owner=OWNER), 101.0) is taken
    assert step(taken, ReplayOver(attempt="j-1", owner="heir"), 101.0).newest.replay is None


def test_a_lease_that_is_over_keeps_the_bytes():
    """They are for whoever comes after."""
    flying = job(evolve(dead().newest, state=AttemptState.SENDING))
    assert step(flying, LeaseOver(attempt="j-1"), 81.0).newest.replay.kept
