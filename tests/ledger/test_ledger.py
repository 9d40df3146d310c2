"""What every backend promises, told by the same tests."""

import pytest

from pika_async._ledger.events import Abandon, Cancel, Unknown
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import CALLBACKS_PER_ATTEMPT, AttemptState, JobState, Usage
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.errors import LedgerError
from pika_async.results import Task
from tests.ledger.records import (
    ACCOUNT,
    OWNER,
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
async def ledger(request, tmp_path):
    opened = MemoryLedger() if request.param == "memory" else SqliteLedger(tmp_path / "jobs.db")
    await opened.open()
    yield opened
    await opened.aclose()


async def create(ledger, *names: str, **fields) -> None:
    """Keep one queued job for each name; a key keeps memory from forgetting it."""
    for name in names:
        await ledger.create(job(name=name, key=f"key of {name}", **fields))


async def test_a_job_goes_its_way(ledger):
    """Created, claimed, accepted, won; the counters follow."""
    await create(ledger, "a")
    assert await ledger.usage(ACCOUNT) == Usage()
    await ledger.apply("a", claim(1, "a"), NOW)
    await ledger.apply("a", told(1, pending(), job_id="a"), NOW)
    assert await ledger.usage(ACCOUNT) == Usage(slots=1, submits=1)
    won = await ledger.apply("a", told(1, succeeded(), job_id="a"), NOW)
    assert won == await ledger.get("a")
    assert (won.state, await ledger.usage(ACCOUNT)) == (JobState.SUCCEEDED, Usage(submits=1))
    assert await ledger.usage("another:default") == Usage(submits=1)


async def test_the_same_key_gives_the_same_job(ledger):
    """In every state, however it ended."""
    first = await ledger.create(job(name="a", key="k"))
    assert await ledger.create(job(name="b", key="k")) == first
    cancelled = await ledger.apply("a", Cancel(), NOW)
    assert await ledger.create(job(name="b", key="k")) == cancelled
    assert await ledger.get("b") is None


async def test_refusals_alone_give_the_key_to_a_new_job(ledger):
    """An empty balance must not burn it; the new job then has it for good."""
    await ledger.create(job(name="a", key="k"))
    await ledger.apply("a", claim(1, "a"), NOW)
    await ledger.apply("a", refused(1, job_id="a"), NOW)
    second = await ledger.create(job(name="b", key="k"))
    assert second.id == "b"
    assert await ledger.create(job(name="c", key="k")) == second


async def test_a_second_create_gives_what_is_there(ledger):
    """A job adopted by its token may be here already."""
    await create(ledger, "a")
    claimed = await ledger.apply("a", claim(1, "a"), NOW)
    assert await ledger.create(job(name="a")) == claimed


async def test_an_adopted_job_counts_its_slot_and_owns_its_task(ledger):
    """Adoption reports reality; a second job cannot have the task."""
    running = {"state": AttemptState.RUNNING, "slot": True, "task": Task("t"), "claimed_at": None}
    await ledger.create(job(attempt(job_id="a", **running), name="a", request=None))
    assert await ledger.usage(ACCOUNT) == Usage(slots=1)
    with pytest.raises(LedgerError, match="belongs to job a already"):
        await ledger.create(job(attempt(job_id="b", **running), name="b", key="k"))
    assert (await ledger.create(job(name="c", key="k"))).id == "c"


async def test_an_unknown_job_is_an_error(ledger):
    """It may be in another ledger."""
    with pytest.raises(LedgerError, match="does not know job x"):
        await ledger.apply("x", Cancel(), NOW)


async def test_a_task_moves_to_the_row_whose_own_answer_names_it(ledger):
    """The row that a bare callback bound goes back to ambiguous, in the same transaction."""
    await create(ledger, "a", "b")
    for name in "ab":
        await ledger.apply(name, claim(1, name), NOW)
    await ledger.apply("a", Unknown(attempt="a-1", owner=OWNER), NOW)
    await ledger.apply("a", told(1, pending(), "callback", job_id="a"), NOW)
    taken = await ledger.apply("b", told(1, pending(), job_id="b"), NOW)
    freed = await ledger.get("a")
    assert (states(taken), states(freed), freed.newest.task) == ("running", "ambiguous", None)
    assert states(await ledger.apply("a", told(1, pending("own"), job_id="a"), NOW)) == "running"


@pytest.mark.parametrize("places", [(1, 2), (2, 1)])
async def test_a_task_moves_inside_one_job(ledger, places):
    """From either attempt to the other, bound once at every moment."""
    wrong, right = places
    attempts = [
        attempt(number, job_id="a", state=AttemptState.AMBIGUOUS, superseded=number == 1) for number in (1, 2)
    ]
    await ledger.create(job(*attempts, name="a", key="k"))
    await ledger.apply("a", told(wrong, pending(), "callback", job_id="a"), NOW)
    record = await ledger.apply("a", told(right, pending(), job_id="a"), NOW)
    assert record.attempts[right - 1].task == Task("t")
    assert record.attempts[wrong - 1].task is None
    assert (await ledger.apply("a", told(right, succeeded(), job_id="a"), NOW)).winner == f"a-{right}"


async def test_unfinished_is_what_has_an_open_attempt(ledger):
    """All of them, or those in some states."""
    await create(ledger, "a", "b", "c")
    await ledger.apply("a", claim(1, "a"), NOW)
    await ledger.apply("b", Cancel(), NOW)
    assert [j.id for j in await ledger.unfinished()] == ["a", "c"]
    assert [j.id for j in await ledger.unfinished({AttemptState.SUBMITTING})] == ["a"]
    assert list(await ledger.unfinished({AttemptState.UNRESOLVED})) == []


async def test_jobs_are_listed_newest_first(ledger):
    """By page, and by the state of the job or of an open attempt."""
    await create(ledger, "a", "b", "c", "d")
    await ledger.apply("b", claim(1, "b"), NOW)
    await ledger.apply("c", Cancel(), NOW)

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


async def test_history_tells_what_happened(ledger):
    """Attempt by attempt, with times and reasons; memory keeps none."""
    await create(ledger, "a")
    await ledger.apply("a", claim(1, "a"), NOW)
    await ledger.apply("a", refused(1, following=2, job_id="a"), NOW + 1)
    await ledger.apply("a", Cancel(), NOW + 2)
    moves = [(m.subject, m.at, m.before, m.after, m.note) for m in await ledger.history("a")]
    told_of = [
        ("a-1", 1.0, None, "queued", "created"),
        ("a-1", NOW, "queued", "submitting", f"Claim {OWNER}"),
        ("a-1", NOW + 1, "submitting", "refused", "Refused RateLimited: Too many requests."),
        ("a-2", NOW + 1, None, "queued", "Refused RateLimited: Too many requests."),
        ("a", NOW + 2, "open", "cancelled", "Cancel"),
        ("a-2", NOW + 2, "queued", "cancelled", "Cancel"),
    ]
    assert moves == (told_of if ledger.durable else [])
    assert list(await ledger.history("nobody")) == []


async def test_prune_forgets_what_is_settled_and_old(ledger):
    """With its key; never what may have cost money unseen, and never the count of submits."""
    await create(ledger, "old", "open", "doubt")
    await ledger.create(job(name="young", key="young", request=None))
    for name in ("old", "doubt"):
        await ledger.apply(name, claim(1, name), NOW)
    await ledger.apply("old", told(1, succeeded(), job_id="old"), NOW)
    await ledger.apply("doubt", Unknown(attempt="doubt-1", owner=OWNER), NOW)
    await ledger.apply("doubt", nothing(1, None, "doubt"), 1e9)
    await ledger.apply("doubt", Abandon(), NOW)
    assert await ledger.prune(1.0) == 0
    assert await ledger.prune(2.0) == 1
    assert await ledger.get("old") is None
    assert [j.id for j in await ledger.jobs()] == ["young", "doubt", "open"]
    assert (await ledger.usage(ACCOUNT)).submits == 2
    assert (await ledger.create(job(name="again", key="key of old"))).id == "again"


async def test_pruning_goes_through_many_jobs(ledger):
    """In several transactions, whatever lies between them."""
    for i in range(1100):
        await create(ledger, f"j{i}")
    for i in range(0, 1100, 2):
        await ledger.apply(f"j{i}", Cancel(), NOW)
    assert await ledger.prune(NOW) == 550
    assert len(await ledger.jobs(limit=2000)) == 550


async def test_the_secret_and_the_name_stay(ledger):
    """Made once."""
    assert await ledger.secret() == await ledger.secret()
    assert len(await ledger.secret()) == 32
    assert ledger.id


async def test_version_stays_while_only_this_process_writes(ledger):
    """It is there to wake for others' news."""
    version = await ledger.version()
    await create(ledger, "a")
    assert await ledger.version() == version


async def test_a_callback_is_kept_until_dealt_with(ledger):
    """A repeat is the same row, before and after."""
    assert await ledger.inbox_put("a-1", b"one", JSON, NOW)
    assert not await ledger.inbox_put("a-1", b"one", JSON, NOW + 1)
    assert await ledger.inbox_put("a-1", b"two", TEXT, NOW + 2)
    assert await ledger.inbox_put("a-2", b"one", JSON, NOW + 3)
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
    assert not await ledger.inbox_put("a-1", b"one", JSON, NOW + 4)


async def test_the_inbox_takes_only_so_much_for_one_attempt(ledger):
    """Whoever knows a token can change the body for ever."""
    kept = [await ledger.inbox_put("a-1", str(i).encode(), TEXT, NOW) for i in range(40)]
    assert sum(kept) == CALLBACKS_PER_ATTEMPT
    assert await ledger.inbox_put("a-2", b"0", TEXT, NOW)
