"""The command line on a ledger in Postgres: the same commands, and those that make, check and move it."""

from __future__ import annotations

import asyncio
import sqlite3

from pika_async._ledger.events import Cancel, Claim
from pika_async._ledger.records import Attempt, JobRecord
from pika_async.ledger import Money, ledger_at, open_ledger
from pika_async.requests import Generate
from tests.cli.ledgers import fill


def used(place, work):
    """Do *work* with the ledger, and return what it returns."""

    async def use():
        ledger = ledger_at(place)
        await ledger.open()
        try:
            return await work(ledger)
        finally:
            await ledger.aclose()

    return asyncio.run(use())


def test_jobs_are_shown_from_the_database(run, dsn, monkeypatch):
    """Named by option or environment; its address is in no output."""
    made = JobRecord(
        id="abcdef",
        request=Generate("A cat"),
        created_at=1.0,
        attempts=(Attempt(id="abcdef-1", job_id="abcdef", number=1, account="acedata:default"),),
    )
    used(dsn, lambda ledger: ledger.create(made))
    named = dsn.replace("pika@", "pika:hunter22@")
    for words in (("jobs",), ("job", "abcdef"), ("recover",), ("ledger", "check"), ("ledger", "migrate")):
        result = run(*words, "--ledger", named)
        assert (result.exit_code, "hunter22" in result.output) == (0, False), result.output
    assert "A cat" in run("jobs", "--ledger", named).output
    monkeypatch.setenv("PIKA_ASYNC_LEDGER", named)
    assert "abcdef" in run("jobs").output
    assert "No job in the database has the id" in run("job", "nobody").output
    assert "hunter22" not in run("job", "nobody").output


def test_the_doctor_knows_the_database(run, dsn):
    """Its version, clock, standbys, oldest transaction and whether a pool is in between."""
    from pika_async._ledger.postgres.schema import MIGRATIONS

    used(dsn, lambda ledger: ledger.secret())
    result = run("doctor", "--ledger", dsn)
    told = " ".join(result.output.split())
    assert result.exit_code == 0, result.output
    for words in (
        "Postgres 1",
        f"schema {len(MIGRATIONS)}",
        "no standby is connected",
        "oldest is open for",
        "connections are direct",
    ):
        assert words in told
    gone = run("doctor", "--ledger", dsn.replace("/postgres", "/nothing"))
    assert gone.exit_code == 1
    assert "does not exist" in " ".join(gone.output.split())


def test_a_file_moves_into_the_database_once(run, dsn, tmp_path):
    """Jobs, keys, history, secret and figures; afterwards the file says where they are."""
    file = tmp_path / "jobs.db"
    asyncio.run(fill(file, ("aa", "queued"), ("bb", "succeeded"), ("cc", "refused"), ("dd", "unresolved")))
    sent = Attempt(id="ff-1", job_id="ff", number=1, account="acedata:default")
    price = Claim(attempt=sent.id, owner="o", price=Money.of("0.25", "USD"))
    used(
        file,
        lambda ledger: ledger.create(
            JobRecord(id="ff", request=None, created_at=1.0, attempts=(sent,)), price
        ),
    )

    async def seen(ledger):
        jobs = await ledger.jobs()
        histories = [await ledger.history(job.id) for job in jobs]
        return jobs, histories, await ledger.secret(), ledger.id, await ledger.usage("acedata:default")

    before = used(file, seen)
    assert before[-1].spent == {"USD": 250_000}
    result = run("ledger", "move", "--ledger", file, "--to", dsn)
    assert result.exit_code == 0, result.output
    assert "5 jobs are in the database now" in result.output
    assert used(dsn, seen) == before
    assert run("ledger", "check", "--ledger", dsn).exit_code == 0
    refused = run("jobs", "--ledger", file)
    assert "its jobs were moved into a database" in " ".join(refused.output.split())

    async def goes_on(ledger):
        new = JobRecord(
            id="ee",
            request=None,
            created_at=2.0,
            attempts=(Attempt(id="ee-1", job_id="ee", number=1, account="acedata:default"),),
        )
        await ledger.create(new)
        return (await ledger.apply("aa", Cancel())).moved, [job.id for job in await ledger.jobs(limit=1)]

    assert used(dsn, goes_on) == (True, ["ee"])


def test_a_file_in_use_is_not_moved(run, dsn, tmp_path):
    """Whoever has it open would go on buying; and a database with jobs takes no second file."""
    file, other = tmp_path / "jobs.db", tmp_path / "other.db"
    asyncio.run(fill(file, ("aa", "queued")))
    asyncio.run(fill(other, ("bb", "queued")))
    connection = sqlite3.connect(other)
    connection.execute("SELECT count(*) FROM jobs").fetchall()
    result = run("ledger", "move", "--ledger", other, "--to", dsn)
    assert "another process has it open" in " ".join(result.output.split())
    connection.close()
    assert run("ledger", "move", "--ledger", file, "--to", dsn).exit_code == 0
    result = run("ledger", "move", "--ledger", other, "--to", dsn)
    assert "it holds jobs already" in " ".join(result.output.split())
    assert run("jobs", "--ledger", other).exit_code == 0


def test_a_count_that_does_not_agree_is_told(run, tmp_path):
    """By `ledger check`, which changes nothing."""
    file = tmp_path / "jobs.db"
    asyncio.run(fill(file, ("aa", "queued"), ("bb", "running")))
    assert run("ledger", "check", "--ledger", file).exit_code == 0
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE accounts SET slots = 7")
    connection.close()
    result = run("ledger", "check", "--ledger", file)
    assert result.exit_code == 1
    assert "counts 7 slots, and 1 attempts hold one" in result.output


def test_what_was_asked_for_is_forgotten(run, tmp_path):
    """By id, or by age; not what may still change."""
    file = tmp_path / "jobs.db"
    asyncio.run(fill(file, ("aa", "queued"), ("bb", "succeeded"), ("cc", "failed")))
    assert "only what has ended" in run("jobs", "forget", "aa", "--ledger", file).output
    assert run("jobs", "forget", "bb", "--ledger", file).exit_code == 0
    assert "1 job is forgotten" in run("jobs", "forget", "--older-than", "1s", "--ledger", file).output
    assert run("jobs", "forget", "--ledger", file).exit_code == 2

    async def prompts():
        async with open_ledger(file) as view:
            return {job.id: job.prompt for job in await view.jobs()}

    assert asyncio.run(prompts()) == {"aa": "A cat, queued", "bb": None, "cc": None}
