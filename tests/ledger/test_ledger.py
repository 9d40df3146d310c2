"""What every backend promises, told by the same tests."""

import pytest
from attrs import evolve

from pika_async._ledger.events import Cancel, Unknown
from pika_async._ledger.pacing import Obstacle
from pika_async._ledger.records import AttemptState, JobState, Usage
from pika_async.errors import LedgerError
from pika_async.results import Task
from tests.ledger.records import (
    ACCOUNT,
    OWNER,
    attempt,
    claim,
    counts,
    create,
    job,
    names,
    pending,
    refused,
    states,
    succeeded,
    told,
)

pytestmark = pytest.mark.anyio

NOW = 2000.0


async def test_a_job_goes_its_way(ledger):
    """Created, claimed, accepted, won; the counters follow."""
    await create(ledger, "a")
    assert await ledger.usage(ACCOUNT) == Usage()
    await ledger.apply("a", claim(1, "a"))
    await ledger.apply("a", told(1, pending(), job_id="a"))
    assert counts(await ledger.usage(ACCOUNT)) == (1, 1)
    won = (await ledger.apply("a", told(1, succeeded(), job_id="a"))).after
    assert won == await ledger.get("a")
    assert (won.state, *counts(await ledger.usage(ACCOUNT))) == (JobState.SUCCEEDED, 0, 1)
    assert await ledger.usage("another:default") == Usage(submits=1)


async def test_the_same_key_gives_the_same_job(ledger):
    """In every state, however it ended."""
    first = (await ledger.create(job(name="a", key="k"))).after
    assert (await ledger.create(job(name="b", key="k"))).after == first
    cancelled = (await ledger.apply("a", Cancel())).after
    assert (await ledger.create(job(name="b", key="k"))).after == cancelled
    assert await ledger.get("b") is None


async def test_refusals_alone_give_the_key_to_a_new_job(ledger):
    """An empty balance must not burn it; the new job then has it for good."""
    await ledger.create(job(name="a", key="k"))
    await ledger.apply("a", claim(1, "a"))
    await ledger.apply("a", refused(1, job_id="a"))
    second = (await ledger.create(job(name="b", key="k"))).after
    assert second.id == "b"
    assert (await ledger.create(job(name="c", key="k"))).after == second


async def test_a_job_that_gave_its_key_away_may_still_learn(ledger):
    """A process that did not hear of the other order tells what it knows; a late video is not lost."""
    await ledger.create(job(name="a", key="k"))
    await ledger.apply("a", claim(1, "a"))
    await ledger.apply("a", refused(1, job_id="a"))
    await ledger.create(job(name="b", key="k"))
    assert not (await ledger.apply("a", refused(1, job_id="a"))).moved
    found = (await ledger.apply("a", told(1, succeeded("late"), job_id="a"))).after
    assert ([extra.task.id for extra in found.extras], found.key) == (["late"], None)
    assert [j.id for j in await ledger.jobs()] == ["b", "a"]
    assert (await ledger.get("b")).key == "k"


async def test_a_second_create_gives_what_is_there(ledger):
    """A job adopted by its token may be here already."""
    await create(ledger, "a")
    claimed = (await ledger.apply("a", claim(1, "a"))).after
    assert (await ledger.create(job(name="a"))).after == claimed


async def test_an_adopted_job_counts_its_slot_and_owns_its_task(ledger):
    """Adoption reports reality; a second job cannot have the task."""
    running = {"state": AttemptState.RUNNING, "slot": True, "task": Task("t"), "claimed_at": None}
    await ledger.create(job(attempt(job_id="a", **running), name="a", request=None))
    assert counts(await ledger.usage(ACCOUNT)) == (1, 0)
    with pytest.raises(LedgerError, match="belongs to job a already"):
        await ledger.create(job(attempt(job_id="b", **running), name="b", key="k"))
    assert (await ledger.create(job(name="c", key="k"))).after.id == "c"


async def test_an_unknown_job_is_an_error(ledger):
    """It may be in another ledger."""
    with pytest.raises(LedgerError, match="does not know job x"):
        await ledger.apply("x", Cancel())


async def test_a_task_moves_to_the_row_whose_own_answer_names_it(ledger):
    """The row that a bare callback bound goes back to ambiguous, in the same transaction."""
    await create(ledger, "a", "b")
    for name in "ab":
        await ledger.apply(name, claim(1, name))
    await ledger.apply("a", Unknown(attempt="a-1", owner=OWNER))
    await ledger.apply("a", told(1, pending(), "callback", job_id="a"))
    taken = (await ledger.apply("b", told(1, pending(), job_id="b"))).after
    freed = await ledger.get("a")
    assert (states(taken), states(freed), freed.newest.task) == ("running", "ambiguous", None)
    assert states((await ledger.apply("a", told(1, pending("own"), job_id="a"))).after) == "running"


@pytest.mark.parametrize("places", [(1, 2), (2, 1)])
async def test_a_task_moves_inside_one_job(ledger, places):
    """From either attempt to the other, bound once at every moment."""
    wrong, right = places
    attempts = [
        attempt(number, job_id="a", state=AttemptState.AMBIGUOUS, superseded=number == 1) for number in (1, 2)
    ]
    await ledger.create(job(*attempts, name="a", key="k"))
    await ledger.apply("a", told(wrong, pending(), "callback", job_id="a"))
    record = (await ledger.apply("a", told(right, pending(), job_id="a"))).after
    assert record.attempts[right - 1].task == Task("t")
    assert record.attempts[wrong - 1].task is None
    assert (await ledger.apply("a", told(right, succeeded(), job_id="a"))).after.winner == f"a-{right}"


async def test_open_jobs_are_those_with_an_open_attempt(ledger):
    """All of them, those in some states, or those on one account; in the order of arrival."""
    await create(ledger, "c", "b", "a")
    other = evolve(attempt(job_id="d"), account="other:default")
    await ledger.create(job(other, name="d"))
    await ledger.apply("a", claim(1, "a"))
    await ledger.apply("b", Cancel())
    assert await names(ledger.open_jobs()) == "cad"
    assert await names(ledger.open_jobs({AttemptState.SUBMITTING})) == "a"
    assert await names(ledger.open_jobs({AttemptState.QUEUED})) == "cd"
    assert (
        await names(ledger.open_jobs({AttemptState.QUEUED, AttemptState.SUBMITTING}, account=ACCOUNT)) == "ca"
    )
    assert await names(ledger.open_jobs({AttemptState.UNRESOLVED})) == ""


async def test_open_jobs_are_read_page_by_page(ledger):
    """Whatever changes in between; a page that is not full is the last."""
    every = "gcedafb"
    await create(ledger, *every)
    pages, last = [], None
    while not pages or len(pages[-1]) == 3:
        pages.append(await names(ledger.open_jobs(after=last, limit=3)))
        last = pages[-1][-1]
        await ledger.apply("e", Cancel())
    assert pages == ["gce", "daf", "b"]
    assert await names(ledger.open_jobs(after="nobody")) == "gcdafb"


async def test_a_job_with_two_open_attempts_is_one_open_job(ledger):
    """An old doubt and the attempt that replaced it."""
    old = attempt(1, "a", state=AttemptState.UNRESOLVED, superseded=True)
    await ledger.create(job(old, attempt(2, "a"), name="a", key="k"))
    assert await names(ledger.open_jobs()) == "a"
    assert await names(ledger.open_jobs(limit=1, after="a")) == ""


async def test_a_first_event_is_decided_with_its_job(ledger, clock):
    """Create and claim are one change: the slot is taken, and a key is held by the claimed job."""
    change = await ledger.create(job(name="a", key="k"), claim(1, "a", max_slots=1))
    assert (change.before, change.moved, change.at) == (None, True, NOW)
    assert (states(change.after), change.after.newest.claimed_at) == ("submitting", NOW)
    assert (change.usage.slots, change.usage.submits) == (1, 1)
    assert await ledger.get("a") == change.after
    refused_one = await ledger.create(job(name="b", key="l"), claim(1, "b", max_slots=1))
    assert (states(refused_one.after), refused_one.moved) == ("queued", True)
    assert refused_one.obstacle == Obstacle("slots")
    assert await ledger.get("b") == refused_one.after
    holder = await ledger.create(job(name="c", key="k"), claim(1, "c"))
    assert (holder.moved, holder.after) == (False, change.after)
    assert (await ledger.usage(ACCOUNT)).submits == 1
    told_of = [m.after for m in await ledger.history("a")]
    assert told_of == (["queued", "submitting"] if ledger.remembers else [])


async def test_any_event_may_be_the_first(ledger):
    """An order that is cancelled before anybody sees it; evidence about a task; a claim beside a task."""
    cancelled = await ledger.create(job(name="a"), Cancel())
    assert cancelled.after.state is JobState.CANCELLED
    adopted = job(attempt(job_id="b", state=AttemptState.AMBIGUOUS), name="b", key="k")
    won = await ledger.create(adopted, told(1, succeeded(), "echo", job_id="b"))
    assert (won.after.winner, await ledger.get("b")) == ("b-1", won.after)
    held = attempt(1, "c", state=AttemptState.UNRESOLVED, superseded=True, slot=True)
    beside = await ledger.create(job(held, attempt(2, "c"), name="c"), claim(2, "c", max_slots=1))
    assert states(beside.after) == "unresolved queued"
    assert (await ledger.usage(ACCOUNT)).slots == 1


async def test_a_change_says_what_was_before_and_after(ledger):
    """Whoever watches needs no second read."""
    await create(ledger, "a")
    change = await ledger.apply("a", claim(1, "a"))
    assert (states(change.before), states(change.after), change.moved) == ("queued", "submitting", True)
    assert (change.event, change.at, change.obstacle) == (claim(1, "a"), NOW, None)
    again = await ledger.apply("a", claim(1, "a"))
    assert (again.before, again.after, again.moved, again.obstacle) == (
        change.after,
        change.after,
        False,
        None,
    )


async def test_fallbacks_and_the_orders_own_receiver_are_kept(ledger):
    """Whoever takes the job over goes on as the order said."""
    for name, receiver in (("a", None), ("b", False), ("c", "https://me.example.com/hook")):
        made = job(name=name, key=name, fallbacks=("duomi:default",), callback_url=receiver)
        await ledger.create(made)
        assert await ledger.get(name) == made


async def test_links_of_uploads_that_are_over_are_pruned(ledger):
    """Those that are good still stay, and so does what else was learned."""
    now = ledger.now()
    for name, state in {
        "upload:a": f'["https://up.test/1", {now - 1}]',
        "upload:b": f'["https://up.test/2", {now + 1000}]',
        "upload:c": "null",
        ACCOUNT: "times",
    }.items():
        await ledger.learned(name, state)
    await ledger.prune(0.0)
    kept = [await ledger.learned(name) is not None for name in ("upload:a", "upload:b", "upload:c", ACCOUNT)]
    assert kept == [False, True, False, True]
