"""Damaged rows, and rows of another version: each spoils itself alone, and none is leave to send."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from pika_async._ledger.events import Cancel
from pika_async._ledger.records import AttemptState, JobState
from pika_async.errors import LedgerError
from pika_async.requests import Generate
from pika_async.results import Task
from tests.ledger.records import ACCOUNT, claim, job, pending, states, succeeded, told

pytestmark = pytest.mark.anyio

NEWER = '["Succeeded",{"task":["t",{}],"results":[],"colour":"red"}]'


@pytest.fixture
def damaged(path, ledgers):
    """Return a function that keeps three running jobs, damages the middle one, and opens the ledger again."""

    async def damage(statement: str, *values: object):
        ledger = await ledgers(path)
        for name in "abc":
            await ledger.create(job(name=name, key=f"key of {name}"), claim(1, name))
            await ledger.apply(name, told(1, pending(name, where="eu"), job_id=name))
        await ledger.aclose()
        with closing(sqlite3.connect(path)) as connection, connection:
            assert connection.execute(statement, values).rowcount == 1
        return await ledgers(path)

    return damage


def ids(listed) -> str:
    return "".join(record.id for record in listed)


ATTEMPT = "UPDATE job_attempts SET {} = ? WHERE id = 'b-1'"
JOB = "UPDATE jobs SET {} = ? WHERE id = 'b'"
PARTLY = [
    (ATTEMPT.format("outcome"), '["Succeeded",{"task"'),
    (ATTEMPT.format("outcome"), '["Dance",{}]'),
    (ATTEMPT.format("outcome"), "[]"),
    (ATTEMPT.format("task"), "[1"),
    (ATTEMPT.format("task"), '["b",{},"more"]'),
    (ATTEMPT.format("bound_by"), "hearsay"),
    (ATTEMPT.format("slot_until"), "soon"),
    (ATTEMPT.format("claimed_at"), "lately"),
    (JOB.format("state"), "paused"),
    (JOB.format("created_at"), "yesterday"),
    (JOB.format("version"), "new"),
    (JOB.format("files"), "{"),
    (JOB.format("extras"), "[1"),
    (JOB.format("extras"), "[7]"),
    (JOB.format("fallbacks"), "["),
    (JOB.format("callback_url"), "{"),
    (JOB.format("request"), '["Generate",{"prompt":"A cat","colour":"red"}]'),
    (JOB.format("request"), "{" * 100_000),
    (JOB.format("request"), b"\xff\xfe"),
]


@pytest.mark.parametrize(("statement", "value"), PARTLY)
async def test_what_can_be_read_of_a_damaged_job_stays_visible(damaged, caplog, statement, value):
    """Its task and its slot, where money hangs; and everything about the others."""
    ledger = await damaged(statement, value)
    assert ids(await ledger.open_jobs()) == "abc"
    assert ids(await ledger.jobs()) == "cba"
    assert ledger.known("b") == await ledger.get("b")
    record = await ledger.get("b")
    assert (record.newest.task.id, record.newest.slot, record.key) == ("b", True, "key of b")
    assert (await ledger.create(job(name="again", key="key of b"))).after.id == "b"
    about = [entry for entry in caplog.records if entry.name == "pika_async"]
    assert {entry.args[0] for entry in about} <= {"b"}
    assert len(about) <= 2  # The ledger, and its second look for `known`.
    assert (await ledger.apply("a", told(1, succeeded("a"), job_id="a"))).moved


async def test_a_damaged_row_is_logged_once(damaged, caplog):
    """However often it is read."""
    ledger = await damaged(ATTEMPT.format("outcome"), "[")
    for _ in range(3):
        await ledger.open_jobs()
        ledger._writer._known.forget()
    assert [entry.args[0] for entry in caplog.records if entry.name == "pika_async"] == ["b"]


async def test_evidence_still_reaches_a_damaged_job(damaged):
    """And mends it: what it said is written anew."""
    ledger = await damaged(ATTEMPT.format("outcome"), "[")
    assert (await ledger.apply("b", told(1, succeeded("b"), job_id="b"))).after.winner == "b-1"
    assert (await ledger.get("b")).newest.outcome == succeeded("b")


async def test_an_outcome_of_a_newer_version_is_read_without_what_is_new(damaged, caplog):
    """A field more is no damage."""
    ledger = await damaged(ATTEMPT.format("outcome"), NEWER)
    assert (await ledger.get("b")).newest.outcome.task == Task("t")
    assert not [entry for entry in caplog.records if entry.name == "pika_async"]


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("DELETE FROM job_attempts WHERE id = ?", "b-1"),
        (ATTEMPT.format("account"), b"\xff"),
        (ATTEMPT.format("id"), b"\xff"),
    ],
    ids=["no attempt", "no account", "no id"],
)
async def test_a_job_without_its_attempts_hides_nobody_else(damaged, statement, value):
    """It cannot be sent or bought again; whoever asks for it is told."""
    ledger = await damaged(statement, value)
    assert ids(await ledger.open_jobs()) == "ac"
    assert ids(await ledger.jobs()) == "ca"
    assert ledger.known("b") is None
    for order in (ledger.get("b"), ledger.apply("b", Cancel()), ledger.create(job(name="z", key="key of b"))):
        with pytest.raises(LedgerError, match="Job b cannot be read") as caught:
            await order
        assert caught.value.recorded is False
    assert (await ledger.apply("c", told(1, succeeded("c"), job_id="c"))).moved


async def test_a_page_with_a_damaged_job_is_not_taken_for_the_last(damaged):
    """A page is filled up with what comes behind it."""
    ledger = await damaged("DELETE FROM job_attempts WHERE id = ?", "a-1")
    await ledger.create(job(name="d"))
    assert ids(await ledger.open_jobs(limit=2)) == "bc"
    assert ids(await ledger.open_jobs(limit=2, after="c")) == "d"
    with closing(sqlite3.connect(ledger.path)) as connection, connection:
        connection.execute("DELETE FROM job_attempts WHERE id = 'c-1'")
    assert ids(await ledger.jobs(limit=2)) == "db"


async def test_text_that_is_no_utf8_spoils_its_own_job_alone(damaged):
    """SQLite hands it over as it is, and Python refuses the whole statement."""
    ledger = await damaged(JOB.format("winner").replace("?", "CAST(? AS TEXT)"), b"\xff\xff")
    assert ids(await ledger.open_jobs()) == "abc"
    assert (await ledger.get("b")).newest.task.id == "b"


@pytest.mark.parametrize("column", ["state", "cancel_requested"])
async def test_a_job_that_may_have_been_cancelled_is_not_sent(path, ledgers, column):
    """A state nobody knows is no leave to buy."""
    ledger = await ledgers(path)
    await ledger.create(job(name="b"))
    await ledger.aclose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(JOB.format(column), ("x",))
    ledger = await ledgers(path)
    assert not (await ledger.apply("b", claim(1, "b"))).moved
    assert (await ledger.get("b")).state is JobState.OPEN


async def test_an_attempt_in_a_state_nobody_knows_is_not_sent_again(path, ledgers):
    """It waits for a person's word, like every other doubt."""
    ledger = await ledgers(path)
    await ledger.create(job(name="b"))
    await ledger.aclose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(ATTEMPT.format("state"), ("x",))
    ledger = await ledgers(path)
    assert states(await ledger.get("b")) == AttemptState.UNRESOLVED
    assert ids(await ledger.jobs()) == "b"
    assert not (await ledger.apply("b", claim(1, "b"))).moved


async def test_a_damaged_account_is_counted_anew(damaged, caplog):
    """Slots and submits are in the attempts as well."""
    ledger = await damaged("UPDATE accounts SET slots = 'many' WHERE account = ?", ACCOUNT)
    usage = await ledger.usage(ACCOUNT)
    assert (usage.slots, usage.submits) == (3, 3)
    assert "its figures are damaged" in caplog.text


async def test_a_damaged_callback_hides_none_behind_it(path, ledgers):
    """Its headers are lost, its body is not."""
    ledger = await ledgers(path)
    await ledger.inbox_put("a-1", b"one", {"a": "b"})
    await ledger.inbox_put("a-1", b"two", {})
    await ledger._writer.write(
        lambda batch: batch.connection.execute(
            "UPDATE inbox SET headers = '[' WHERE body = ?", (b"one",)
        ).close()
    )
    assert [(found.body, found.headers) for found in await ledger.inbox_pending()] == [
        (b"one", {}),
        (b"two", {}),
    ]


async def test_a_damaged_page_of_the_file_spoils_what_is_on_it(path, ledgers):
    """One job's rows cannot be had from the disk; the others can."""
    ledger = await ledgers(path)
    for name in "abc":
        await ledger.create(job(name=name, request=Generate(name * 9000)))
    await ledger.aclose()
    data = bytearray(path.read_bytes())
    place = data.index(b"b" * 3000)
    page = place - place % 4096
    # The page behind it in the chain of an overflowing row.
    data[page : page + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    ledger = await ledgers(path)
    assert ids(await ledger.open_jobs()) == "ac"
    told_of = await asyncio.gather(
        *(ledger.apply(name, claim(1, name)) for name in "abc"), return_exceptions=True
    )
    assert [isinstance(answer, LedgerError) or states(answer.after) for answer in told_of] == [
        "submitting",
        True,
        "submitting",
    ]
    assert "Job b cannot be read" in str(told_of[1])
