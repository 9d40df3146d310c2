"""What every backend promises, told by the same tests."""

import asyncio

import pytest
from attrs import evolve

from pika_async._ledger.events import Abandon, Cancel, Unknown
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.pacing import PAUSE, Obstacle
from pika_async._ledger.records import CALLBACKS_PER_ATTEMPT, AttemptState, JobState, Refusal, Usage
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.errors import LedgerError
from pika_async.requests import Generate
from pika_async.results import Task
from tests.ledger.records import (
    ACCOUNT,
    OWNER,
    REFUSAL,
    attempt,
    claim,
    job,
    nothing,
    pending,
    refused,
    states,
    succeeded,
    told,
)

pytestmark = pytest.mark.anyio

NOW = 2000.0
JSON = {"content-type": "application/json"}
TEXT = {"content-type": "text/plain"}


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(request, tmp_path, clock):
    opened = MemoryLedger() if request.param == "memory" else SqliteLedger(tmp_path / "jobs.db")
    await opened.open(clock)
    yield opened
    await opened.aclose()


async def create(ledger, *names: str, **fields) -> None:
    """Keep one queued job for each name; a key keeps memory from forgetting it."""
    for name in names:
        await ledger.create(job(name=name, key=f"key of {name}", **fields))


def counts(usage: Usage) -> tuple[int, int]:
    return usage.slots, usage.submits


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


async def names(listed) -> str:
    return "".join(j.id for j in await listed)


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


async def test_jobs_are_listed_newest_first(ledger):
    """By page, and by the state of the job or of an open attempt."""
    await create(ledger, "a", "b", "c", "d")
    await ledger.apply("b", claim(1, "b"))
    await ledger.apply("c", Cancel())

    async def listed(*args, **options) -> str:
        return "".join(j.id for j in await ledger.jobs(*args, **options))

    assert await listed() == "dcba"
    assert await listed(limit=2) == "dc"
    assert await listed(limit=2, before="c") == "ba"
    assert await listed("open") == "dba"
    assert await listed("submitting") == "b"
    assert await listed("cancelled") == "c"
    assert await listed("open", before="d", limit=1) == "b"


async def test_jobs_are_found_by_id_attempt_or_unique_start(ledger):
    """An ambiguous start finds nothing: the wrong job could be resolved."""
    await create(ledger, "abc", "abd", "x")
    assert (await ledger.find("abc")).id == "abc"
    assert (await ledger.find("abd-1")).id == "abd"
    assert (await ledger.find("x")).id == "x"
    for text in ("ab", "", "abc-7", "zz", "\U0001f63a"):
        assert await ledger.find(text) is None
    assert (await ledger.find("abd")).id == "abd"
    assert (await ledger.find("x-1")).id == "x"


async def test_history_tells_what_happened(ledger, clock):
    """Attempt by attempt, with times and reasons; memory keeps none."""
    await create(ledger, "a")
    await ledger.apply("a", claim(1, "a"))
    clock.now += 1
    await ledger.apply("a", refused(1, following=2, job_id="a"))
    clock.now += 1
    await ledger.apply("a", Cancel())
    moves = [(m.subject, m.at, m.before, m.after, m.note) for m in await ledger.history("a")]
    told_of = [
        ("a-1", 1.0, None, "queued", "created"),
        ("a-1", NOW, "queued", "submitting", f"Claim {OWNER}"),
        ("a-1", NOW + 1, "submitting", "refused", "Refused RateLimited: Too many requests."),
        ("a-2", NOW + 1, None, "queued", "Refused RateLimited: Too many requests."),
        ("a", NOW + 2, "open", "cancelled", "Cancel"),
        ("a-2", NOW + 2, "queued", "cancelled", "Cancel"),
    ]
    assert moves == (told_of if ledger.remembers else [])
    assert list(await ledger.history("nobody")) == []


async def test_prune_forgets_what_is_settled_and_old(ledger, clock):
    """Never what may have cost money unseen, and never the count of submits."""
    await create(ledger, "open", "doubt")
    await ledger.create(job(name="old"))
    await ledger.create(job(name="young"))
    for name in ("old", "doubt"):
        await ledger.apply(name, claim(1, name))
    await ledger.apply("old", told(1, succeeded(), job_id="old"))
    await ledger.apply("doubt", Unknown(attempt="doubt-1", owner=OWNER))
    clock.now = 1e9
    await ledger.apply("doubt", nothing(1, None, "doubt"))
    await ledger.apply("doubt", Abandon())
    assert await ledger.prune(1.0) == 0
    assert await ledger.prune(2.0) == 1
    assert await ledger.get("old") is None
    assert sorted([j.id for j in await ledger.jobs()]) == ["doubt", "open", "young"]
    assert (await ledger.usage(ACCOUNT)).submits == 2
    assert await ledger.prune(2.0) == 0


async def test_a_pruned_key_is_not_bought_again(ledger):
    """Key, digest and outcome stay: a nightly prune must not order last month's videos once more."""
    request = Generate("A secret prompt", image=b"image")
    await ledger.create(job(name="old", key="k", digest="d", request=request, files={"a": "b"}))
    await ledger.apply("old", claim(1, "old"))
    won = (await ledger.apply("old", told(1, succeeded(), job_id="old"))).after
    assert await ledger.prune(2.0) == 1
    again = await ledger.create(job(name="again", key="k", digest="d"), claim(1, "again"))
    left = again.after
    assert (again.moved, left.id, left.key, left.digest, left.winner) == (False, "old", "k", "d", "old-1")
    assert (left.request, left.files, left.state) == (None, None, JobState.SUCCEEDED)
    assert left.newest.outcome.results == won.newest.outcome.results
    assert await ledger.get("old") == left
    assert list(await ledger.jobs()) == []
    assert await ledger.prune(2.0) == 0
    assert (await ledger.usage(ACCOUNT)).submits == 1


async def test_a_key_that_only_refusals_held_is_pruned_with_its_job(ledger):
    """It is free anyway, so nothing is left behind."""
    await create(ledger, "a")
    await ledger.apply("a", claim(1, "a"))
    await ledger.apply("a", refused(1, job_id="a"))
    assert await ledger.prune(2.0) == 1
    assert await ledger.get("a") is None
    assert (await ledger.create(job(name="b", key="key of a"))).after.id == "b"


async def test_pruning_goes_through_many_jobs(ledger):
    """In several transactions, whatever lies between them."""
    for i in range(1100):
        await create(ledger, f"j{i}")
    for i in range(0, 1100, 2):
        await ledger.apply(f"j{i}", Cancel())
    assert await ledger.prune(NOW) == 550
    assert len(await ledger.jobs(limit=2000)) == 550


async def test_the_secret_and_the_name_stay(ledger):
    """Made once."""
    assert await ledger.secret() == await ledger.secret()
    assert len(await ledger.secret()) == 32
    assert ledger.id


async def test_what_this_process_changed_is_no_news(ledger):
    """It is there to wake for others'."""
    assert list(await ledger.news()) == []
    await create(ledger, "a")
    assert list(await ledger.news()) == []


async def test_what_is_known_is_read_without_waiting(ledger):
    """Open and ended jobs; nothing for what nobody knows."""
    await create(ledger, "a")
    won = (await ledger.apply("a", claim(1, "a"))).after
    assert ledger.known("a") == won
    ended = (await ledger.apply("a", told(1, succeeded(), job_id="a"))).after
    assert ledger.known("a") == ended
    assert ledger.known("b") is None


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


async def test_a_429_slows_all_claims_of_the_account_down(ledger, clock):
    """The ledger keeps the pace; what a refused submit asked for, each later claim obeys."""
    await create(ledger, "a", "b")
    await ledger.apply("a", claim(1, "a"))
    told_off = evolve(refused(1, job_id="a"), refusal=evolve(REFUSAL, retry_after=30.0))
    await ledger.apply("a", told_off)
    early = await ledger.apply("b", claim(1, "b"))
    assert (early.moved, early.obstacle) == (False, Obstacle("pace", NOW + 30))
    assert (await ledger.usage(ACCOUNT)).next_submit_at == NOW + 30
    clock.now = NOW + 30
    assert (await ledger.apply("b", claim(1, "b"))).moved
    assert (await ledger.usage("other:default")).next_submit_at == 0.0


async def test_an_empty_balance_pauses_the_account(ledger, clock):
    """With the provider's words; the next acceptance ends it."""
    await create(ledger, "a", "b")
    await ledger.apply("a", claim(1, "a"))
    empty = evolve(refused(1, job_id="a"), refusal=Refusal(error="InsufficientBalance", message="Top up."))
    await ledger.apply("a", empty)
    assert (await ledger.apply("b", claim(1, "b"))).obstacle == Obstacle("paused", NOW + PAUSE, "Top up.")
    assert (await ledger.usage(ACCOUNT)).paused_why == "Top up."
    clock.now += PAUSE
    await ledger.apply("b", claim(1, "b"))
    await ledger.apply("b", told(1, pending(), job_id="b"))
    usage = await ledger.usage(ACCOUNT)
    assert (usage.paused_until, usage.paused_why) == (0.0, None)


async def test_a_lease_has_one_owner_until_it_is_over_or_given_back(ledger, clock):
    """By the ledger's clock."""
    assert await ledger.lease("poll", "one", 15)
    assert not await ledger.lease("poll", "two", 15)
    assert await ledger.lease("sweep", "two", 15)
    clock.now += 14
    assert await ledger.lease("poll", "one", 15)
    clock.now += 14
    assert not await ledger.lease("poll", "two", 15)
    clock.now += 1
    assert await ledger.lease("poll", "two", 15)
    assert await ledger.lease("poll", "two", 0)
    assert await ledger.lease("poll", "one", 15)


async def test_what_pollers_learned_is_kept_by_account(ledger):
    """As text of theirs."""
    assert await ledger.learned(ACCOUNT) is None
    assert await ledger.learned(ACCOUNT, "90 s") == "90 s"
    assert await ledger.learned(ACCOUNT, "91 s") == "91 s"
    assert await ledger.learned(ACCOUNT) == "91 s"
    assert await ledger.learned("other:default") is None


async def test_fallbacks_and_the_orders_own_receiver_are_kept(ledger):
    """Whoever takes the job over goes on as the order said."""
    for name, receiver in (("a", None), ("b", False), ("c", "https://me.example.com/hook")):
        made = job(name=name, key=name, fallbacks=("duomi:default",), callback_url=receiver)
        await ledger.create(made)
        assert await ledger.get(name) == made


async def test_calls_take_effect_in_the_order_in_which_they_are_made(ledger):
    """Also where nobody waited for the one before."""
    made = asyncio.gather(
        ledger.create(job(name="a")),
        ledger.get("a"),
        ledger.apply("a", claim(1, "a")),
        ledger.get("a"),
        ledger.usage(ACCOUNT),
        ledger.open_jobs(),
    )
    _, first, _, second, usage, listed = await made
    assert first is not None
    assert states(second) == "submitting"
    assert usage.slots == 1
    assert [j.id for j in listed] == ["a"]


async def test_errors_say_that_nothing_was_recorded(ledger):
    """Before anything is written, this is sure."""
    with pytest.raises(LedgerError) as caught:
        await ledger.apply("x", Cancel())
    assert caught.value.recorded is False


async def test_a_callback_is_kept_until_dealt_with(ledger):
    """A repeat is the same row, before and after."""
    assert await ledger.inbox_put("a-1", b"one", JSON)
    assert not await ledger.inbox_put("a-1", b"one", JSON)
    assert await ledger.inbox_put("a-1", b"two", TEXT)
    assert await ledger.inbox_put("a-2", b"one", JSON)
    first, *others = await ledger.inbox_pending()
    assert (first.attempt_id, first.body, first.headers, first.received_at) == (
        "a-1",
        b"one",
        JSON,
        NOW,
    )
    await ledger.inbox_done(first.id)
    assert await ledger.inbox_pending() == others
    assert await ledger.inbox_pending(limit=1) == others[:1]
    assert await ledger.inbox_pending(after=others[0].id) == others[1:]
    assert not await ledger.inbox_put("a-1", b"one", JSON)


async def test_the_inbox_takes_only_so_much_for_one_attempt(ledger):
    """Whoever knows a token can change the body for ever."""
    kept = [await ledger.inbox_put("a-1", str(i).encode(), TEXT) for i in range(40)]
    assert sum(kept) == CALLBACKS_PER_ATTEMPT
    assert await ledger.inbox_put("a-2", b"0", TEXT)
