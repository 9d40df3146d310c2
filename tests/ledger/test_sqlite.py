"""The SQLite ledger at work: what survives, what waits together, what fails alone, who else may write."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import closing
from operator import attrgetter
from pathlib import Path

import pytest
from attrs import evolve

from pika_async._ledger.events import Cancel, Claim, Unknown
from pika_async._ledger.pacing import Obstacle
from pika_async._ledger.records import AttemptState, JobState, Usage
from pika_async._ledger.sqlite import SqliteLedger
from pika_async._ledger.sqlite import commit as plain_commit
from pika_async._ledger.sqlite.listing import open_query
from pika_async._ledger.standing import OPEN
from pika_async.errors import LedgerError
from pika_async.requests import Blob, Generate
from pika_async.results import Task
from tests.ledger.records import (
    ACCOUNT,
    OWNER,
    attempt,
    claim,
    job,
    pending,
    refused,
    states,
    succeeded,
    told,
)

pytestmark = pytest.mark.anyio

NOW = 2000.0


async def test_jobs_outlive_the_ledger_object(path, ledgers):
    """Whatever was answered is in the file: request, files, key, attempts, outcome, extras."""
    first = await ledgers(path)
    request = Generate("A cat", image=Path("cat.png"), video=b"bytes", extra_body={"a": [1]})
    made = job(request=request, files={"cat.png": "abc"}, key="k", digest="d")
    await first.create(made)
    await first.apply("j", claim())
    await first.apply("j", told(1, pending(where="here")))
    await first.apply("j", told(1, pending("t2"), "echo"))
    done = (await first.apply("j", told(1, succeeded()))).after
    assert await first.get("j") == done
    await first.aclose()
    second = await ledgers(path)
    assert await second.get("j") == done
    assert (done.request, done.extras, done.state) == (request, (pending("t2"),), JobState.SUCCEEDED)


async def test_an_unknown_job_is_said_to_be_unknown(path, ledgers):
    """Nothing is made up."""
    ledger = await ledgers(path)
    assert await ledger.get("nobody") is None
    with pytest.raises(LedgerError, match="does not know job nobody"):
        await ledger.apply("nobody", Cancel())


async def test_a_lock_that_is_held_too_long(path, ledgers, refusal):
    """Patience ends; later orders find the file again."""
    ledger = await ledgers(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another process keeps it locked"):
            await ledger.create(job())
        assert "another process keeps it locked" in await refusal(path)
        other.execute("ROLLBACK")
    assert (await ledger.create(job())).after == job()


async def test_a_full_disk_buys_nothing_and_heals(path, ledgers):
    """The order fails with the reason, and everything goes on when there is room."""

    def fill(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")
        plain_commit(connection)

    pages = 1 << 30
    ledger = await ledgers(path, commit=fill)
    await ledger.create(job())
    with closing(sqlite3.connect(path)) as other:
        pages = other.execute("PRAGMA page_count").fetchone()[0]
    big = Generate("A" * 100_000)
    await ledger.create(job(name="k"))
    with pytest.raises(LedgerError, match="the disk is full"):
        await ledger.create(job(name="l", request=big))
    assert await ledger.get("l") is None
    await ledger.apply("j", claim())
    pages = 1 << 30
    await ledger.apply("j", Unknown(attempt="j-1", owner=OWNER))
    assert (await ledger.create(job(name="l", request=big))).after.id == "l"


def counts(usage: Usage) -> tuple[int, int]:
    return usage.slots, usage.submits


class Disk:
    """A disk whose next commits do as they are told."""

    def __init__(self) -> None:
        self.then: list[Callable[[sqlite3.Connection], None]] = []
        self.commits = 0

    def __call__(self, connection: sqlite3.Connection) -> None:
        self.commits += 1
        (self.then.pop(0) if self.then else plain_commit)(connection)


def acknowledgement_lost(connection: sqlite3.Connection) -> None:
    """Commit, and say that it failed."""
    plain_commit(connection)
    raise sqlite3.OperationalError("disk I/O error")


def lost(connection: sqlite3.Connection) -> None:
    """Fail to commit."""
    raise sqlite3.OperationalError("disk I/O error")


async def test_a_durable_commit_without_acknowledgement_is_no_claim(path, ledgers):
    """Kill point 2: whoever ordered it is told of an error, and nobody does it twice."""
    disk = Disk()
    ledger = await ledgers(path, commit=disk)
    await ledger.create(job())
    disk.then = [acknowledgement_lost]
    with pytest.raises(LedgerError) as caught:
        await ledger.apply("j", claim())
    assert caught.value.recorded is None
    assert states(await ledger.get("j")) == "submitting"
    assert counts(await ledger.usage(ACCOUNT)) == (1, 1)
    assert states((await ledger.apply("j", refused())).after) == "refused"


async def test_a_lost_commit_leaves_nothing(path, ledgers):
    """Not in the file, and not in memory."""
    disk = Disk()
    ledger = await ledgers(path, commit=disk)
    await ledger.create(job())
    disk.then = [lost]
    with pytest.raises(LedgerError, match="disk I/O error"):
        await ledger.apply("j", claim())
    assert states(await ledger.get("j")) == "queued"
    assert await ledger.usage(ACCOUNT) == Usage()
    assert states((await ledger.apply("j", claim())).after) == "submitting"


async def test_what_waits_is_committed_together(path, ledgers):
    """One slow commit for the first, one for all others."""
    disk = Disk()
    ledger = await ledgers(path, commit=disk)
    disk.then = [lambda connection: (time.sleep(0.05), plain_commit(connection))[1]]
    await asyncio.gather(*(ledger.create(job(name=f"j{i}")) for i in range(600)))
    assert disk.commits <= 4
    assert len(await ledger.open_jobs(limit=1000)) == 600


async def test_a_failing_order_does_not_spoil_its_neighbours(path, ledgers):
    """One transaction holds a good claim, an unknown job, a conflict of tasks and text no file can hold."""
    ledger = await ledgers(path)
    for name in "abc":
        await ledger.create(job(name=name))
        await ledger.apply(name, claim(1, name))
    bad = chr(0xD800)
    results = await asyncio.gather(
        ledger.apply("a", told(1, pending("same"), job_id="a")),
        ledger.apply("nobody", Cancel()),
        ledger.apply("b", told(1, pending("same"), job_id="b")),
        ledger.create(job(name="d", key=bad)),
        ledger.apply("c", told(1, pending("other"), job_id="c")),
        return_exceptions=True,
    )
    assert [r if isinstance(r, LedgerError) else states(r.after) for r in results] == [
        "running",
        results[1],
        "submitting",
        results[3],
        "running",
    ]
    assert "does not know" in str(results[1])
    assert "it cannot hold this" in str(results[3])
    assert bad not in str(results[3])
    assert results[2].after.extras == (pending("same"),)


async def test_an_order_in_error_does_not_end_the_thread(path, ledgers):
    """A defect is told to whoever met it, and the next order is served."""
    ledger = await ledgers(path)
    for order in (attrgetter("write"), attrgetter("read")):
        with pytest.raises(LedgerError, match="cannot hold this"):
            await order(ledger._writer)(lambda batch: batch.nonsense)
    assert (await ledger.create(job())).after == job()


async def test_two_events_on_one_job_in_one_transaction(path, ledgers):
    """They are decided one after the other, each compared with what the other left."""
    ledger = await ledgers(path)
    await ledger.create(job())
    await asyncio.gather(
        ledger.apply("j", claim()), ledger.apply("j", Cancel()), ledger.apply("j", refused())
    )
    record = await ledger.get("j")
    assert (states(record), record.state, record.version) == ("refused", JobState.CANCELLED, 2)
    assert [move.after for move in await ledger.history("j")] == [
        "queued",
        "open",
        "cancelled",
        "submitting",
        "refused",
    ]


async def test_a_row_changed_behind_its_back_is_read_again(path, ledgers):
    """Compare-and-set: a decision on an old row is void, and taken again."""
    ledger = await ledgers(path)
    await ledger.create(job())
    await ledger.apply("j", claim())
    changed = job(attempt(state=AttemptState.SUBMITTING, version=7), version=7)
    ledger._writer._known.jobs["j"] = (1, changed)
    record = (await ledger.apply("j", told(1, pending()))).after
    assert record.newest.version == 2
    ledger._writer._known.jobs["j"] = (1, evolve(record, version=7))
    assert (await ledger.apply("j", Cancel())).after.version == 1


async def test_a_repeated_event_writes_nothing(path, ledgers):
    """A poll that finds what is known costs no commit."""
    disk = Disk()
    ledger = await ledgers(path, commit=disk)
    await ledger.create(job())
    await ledger.apply("j", claim())
    await ledger.apply("j", told(1, pending()))
    before = disk.commits
    await ledger.apply("j", told(1, pending()))
    assert disk.commits == before


async def test_a_cancelled_caller_leaves_the_thread_alone(path, ledgers):
    """What was ordered is done; nobody is answered who has gone."""
    ledger = await ledgers(path)
    order = asyncio.ensure_future(ledger.create(job()))
    await asyncio.sleep(0)
    order.cancel()
    assert (await ledger.create(job(name="k"))).after.id == "k"
    assert await ledger.get("j") == job()


async def test_a_second_create_gives_the_first_job(path, ledgers):
    """Whether it is known here, or another process has made it, or both at once."""
    ledger, other = await ledgers(path), await ledgers(path)
    await ledger.create(job())
    claimed = (await ledger.apply("j", claim())).after
    assert (await ledger.create(job())).after == claimed
    assert (await other.create(job())).after == claimed
    one, two = await asyncio.gather(ledger.create(job(name="k")), ledger.create(job(name="k", digest="d")))
    assert one.after == two.after


async def test_an_adopted_task_of_another_job_is_refused(path, ledgers):
    """One task, one job."""
    ledger = await ledgers(path)
    running = {"state": AttemptState.RUNNING, "task": Task("t"), "slot": True}
    await ledger.create(job(attempt(**running)))
    with pytest.raises(LedgerError, match="belongs to job j already"):
        await ledger.create(job(attempt(job_id="k", **running), name="k"))
    assert counts(await ledger.usage(ACCOUNT)) == (1, 1)


async def test_media_are_kept_once_and_pruned_with_their_last_job(path, ledgers):
    """Bytes lie beside the jobs, by hash."""
    ledger = await ledgers(path)
    request = Generate("A", image=b"same", video=Blob(b"same", "video/mp4", "v"))
    for name in "ab":
        await ledger.create(job(name=name, request=request))
    await ledger.apply("a", Cancel())

    def blobs(batch) -> int:
        return batch.connection.execute("SELECT count(*) FROM blobs").fetchone()[0]

    assert await ledger.prune(NOW) == 1
    assert await ledger._writer.write(blobs) == 1
    await ledger.apply("b", Cancel())
    assert await ledger.prune(NOW) == 1
    assert await ledger._writer.write(blobs) == 0


async def test_a_job_whose_media_are_gone_can_still_be_followed(path, ledgers):
    """Its request cannot be read, its attempts can."""
    ledger = await ledgers(path)
    await ledger.create(job(request=Generate("A", image=b"image")))
    await ledger._writer.write(lambda batch: batch.connection.execute("DELETE FROM blobs").close())
    other = await ledgers(path)
    assert (await other.get("j")).request is None


async def test_another_process_is_seen_at_once(path, ledgers):
    """Two ledgers on one file: neither decides on what the other has changed."""
    one, two = await ledgers(path), await ledgers(path)
    await one.create(job())
    assert await two.get("j") == job()
    assert list(await one.news()) == []
    await two.apply("j", claim())
    assert list(await one.news()) == ["j"]
    assert states((await one.apply("j", Claim(attempt="j-1", owner="another"))).after) == "submitting"
    assert (await one.get("j")).newest.owner == OWNER
    await one.apply("j", told(1, pending()))
    assert list(await one.news()) == []
    assert list(await two.news()) == []


async def test_slots_and_submits_count_over_all_ledgers(path, ledgers):
    """The caps hold across processes, inside the claim's transaction."""
    both = [await ledgers(path), await ledgers(path)]
    for name in "abcdef":
        await both[0].create(job(name=name))
    claims = [
        both[i % 2].apply(name, claim(1, name, max_slots=3, max_submits=9)) for i, name in enumerate("abcdef")
    ]
    changes = await asyncio.gather(*claims)
    assert sum(change.moved for change in changes) == 3
    assert {change.obstacle for change in changes} == {None, Obstacle("slots")}
    assert await both[0].usage(ACCOUNT) == await both[1].usage(ACCOUNT)
    assert counts(await both[0].usage(ACCOUNT)) == (3, 3)


CLAIMER = """
    import asyncio, sys
    from pika_async._ledger.events import Claim
    from pika_async._ledger.sqlite import SqliteLedger

    async def main():
        ledger = SqliteLedger(sys.argv[1], patience=30)
        await ledger.open()
        jobs = await ledger.open_jobs()
        won = 0
        for job in jobs:
            claim = Claim(attempt=job.newest.id, owner=sys.argv[2])
            won += (await ledger.apply(job.id, claim)).moved
        print(won)
        await ledger.aclose()

    asyncio.run(main())
"""


async def test_two_processes_share_the_jobs_between_them(path, ledgers):
    """Each claim is won by one process."""
    ledger = await ledgers(path, patience=10)
    await asyncio.gather(*(ledger.create(job(name=f"j{i}")) for i in range(60)))
    program = [sys.executable, "-c", textwrap.dedent(CLAIMER), str(path)]
    processes = [
        subprocess.Popen([*program, name], stdout=subprocess.PIPE)  # noqa: ASYNC220
        for name in ("one", "two")
    ]
    won = [int(await asyncio.to_thread(lambda p=p: p.communicate()[0])) for p in processes]
    assert sum(won) == 60
    assert counts(await ledger.usage(ACCOUNT)) == (60, 60)


async def test_finished_jobs_cost_an_open_one_nothing(path, ledgers):
    """What runs is found by an index that holds open rows alone."""
    ledger = await ledgers(path)
    await ledger.create(job())

    def plan(batch) -> str:
        query = f"EXPLAIN QUERY PLAN {open_query(OPEN, ACCOUNT)}"
        rows = batch.connection.execute(query, {"place": 0, "limit": 9, "account": ACCOUNT})
        return " ".join(row[-1] for row in rows)

    told_plan = await ledger._writer.read(plan)
    assert told_plan.count(
        "SEARCH job_attempts USING COVERING INDEX attempts_open (state=? AND job>?)"
    ) == len(OPEN)
    assert "SCAN job" not in told_plan


async def test_a_closed_loop_does_not_trouble_the_thread(path):
    """A client that was never closed leaves no traceback behind."""

    async def forget() -> SqliteLedger:
        ledger = SqliteLedger(path)
        await ledger.open()
        return ledger

    def run() -> SqliteLedger:
        return asyncio.run(forget())

    ledger = await asyncio.to_thread(run)
    ledger._writer._orders.put(None)
    thread = ledger._writer._thread
    assert thread is not None
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()


async def test_a_task_may_bear_any_name(path, ledgers):
    """Half a surrogate pair is text to a provider's JSON, and evidence must not be lost to it."""
    ledger = await ledgers(path)
    await ledger.create(job())
    await ledger.apply("j", claim())
    record = (await ledger.apply("j", told(1, pending(chr(0xD800))))).after
    assert states(record) == "running"
    assert await (await ledgers(path)).get("j") == record


async def test_digits_in_a_tasks_name_stay_text(path, ledgers):
    """SQLite would make one number of both."""
    ledger = await ledgers(path)
    for name, task in (("a", "007"), ("b", "7")):
        await ledger.create(job(name=name))
        await ledger.apply(name, claim(1, name))
        assert states((await ledger.apply(name, told(1, pending(task), job_id=name))).after) == "running"


async def test_closing_finishes_what_was_ordered(path, ledgers):
    """Nobody who was let in is left without an answer."""
    ledger = await ledgers(path)
    orders = [asyncio.ensure_future(ledger.create(job(name=f"j{i}"))) for i in range(40)]
    await asyncio.sleep(0)
    await ledger.aclose()
    assert [order.result().after.id for order in orders] == [f"j{i}" for i in range(40)]
