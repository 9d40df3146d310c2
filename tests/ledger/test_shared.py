"""What every backend promises beside its jobs: accounts, leases, callbacks, lists, pruning."""

import asyncio

import pytest
from attrs import evolve

from pika_async._ledger.events import Abandon, Cancel, Unknown
from pika_async._ledger.pacing import PAUSE, Obstacle
from pika_async._ledger.records import CALLBACKS_PER_ATTEMPT, JobState, Refusal
from pika_async.errors import LedgerError
from pika_async.requests import Generate
from tests.ledger.records import (
    ACCOUNT,
    OWNER,
    REFUSAL,
    claim,
    create,
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
    for name in ("old", "older", "young"):
        await ledger.learned(f"copy:{name}:v", "a place")
    assert await ledger.prune(1.0) == 0
    assert await ledger.prune(2.0) == 1
    assert await ledger.get("old") is None
    copies = [await ledger.learned(f"copy:{name}:v") for name in ("old", "older", "young")]
    assert copies == ([None, "a place", "a place"] if ledger.remembers else ["a place"] * 3)
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


async def test_what_was_asked_for_is_forgotten_and_not_bought_again(ledger):
    """Prompt, media and raw answers go; key, task and video stay. What may still change stays whole."""
    request = Generate("A secret prompt", image=b"image")
    await ledger.create(job(name="a", key="k", digest="d", request=request, files={"a": "b"}))
    await ledger.create(job(name="c", key="l", request=request))
    assert not await ledger.forget("a")
    assert not await ledger.forget("nobody")
    await ledger.apply("a", claim(1, "a"))
    won = (await ledger.apply("a", told(1, succeeded(), job_id="a"))).after
    assert await ledger.forget("a", media_only=True)
    assert (await ledger.get("a")).request == Generate("A secret prompt")
    assert await ledger.forget("a")
    left = await ledger.get("a")
    assert (left.request, left.files, left.newest.outcome.raw) == (None, None, None)
    assert left.newest.outcome.results == won.newest.outcome.results
    assert (left.key, left.newest.task, left.winner) == ("k", won.newest.task, "a-1")
    assert [one.id for one in await ledger.jobs()] == (["c", "a"] if ledger.remembers else ["c"])
    again = await ledger.create(job(name="b", key="k", digest="d"), claim(1, "b"))
    assert (again.moved, again.after) == (False, left)
    assert (await ledger.get("c")).request == request


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
    await asyncio.gather(*(create(ledger, f"j{i}") for i in range(1100)))
    await asyncio.gather(*(ledger.apply(f"j{i}", Cancel()) for i in range(0, 1100, 2)))
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
