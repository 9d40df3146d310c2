"""The public reader of a ledger: what it knows of a job, and what it says may be done next."""

import doctest
import sqlite3
from contextlib import closing

import pytest
from attrs import evolve

from pika_async import ConfigError, Pika, _job_view
from pika_async._hosts import fingerprint
from pika_async._job_view import view_of
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState
from pika_async._token import JobToken
from pika_async.ledger import STATES, open_ledger, read_token
from pika_async.results import Pending, Task
from pika_async.sandbox import Sandbox
from tests.cli.ledgers import WAYS, fill

pytestmark = pytest.mark.anyio

EVERY = [(f"{way[:4]}aaaa", way) for way in WAYS]


@pytest.fixture
async def file(tmp_path):
    """Return a ledger with a job of every kind."""
    await fill(tmp_path / "jobs.db", *EVERY)
    return tmp_path / "jobs.db"


def test_the_examples_are_true():
    """The examples in the docstrings hold."""
    assert doctest.testmod(_job_view).failed == 0


async def test_jobs_are_read_newest_first_in_pages(file):
    """Pages follow one another by the last id of each, also among the jobs of one state."""
    async with open_ledger(file) as ledger:
        every = [job.id for job in await ledger.jobs()]
        assert every == [job_id for job_id, _ in reversed(EVERY)]
        assert [job.id for job in await ledger.jobs(limit=3, before=every[2])] == every[3:6]
        (last, first) = await ledger.jobs("unresolved")
        assert [job.id for job in await ledger.jobs("unresolved", limit=1, before=last.id)] == [first.id]


async def test_every_job_is_in_exactly_one_state(file):
    """The states divide the jobs among themselves."""
    async with open_ledger(file) as ledger:
        found = [job.id for state in STATES for job in await ledger.jobs(state)]
        assert sorted(found) == sorted(job.id for job in await ledger.jobs())


async def test_what_has_not_ended_is_found_whole(file):
    """An abandoned job may still bring its video, so it is among them."""
    async with open_ledger(file) as ledger:
        open_ = {job.state async for job in ledger.unfinished()}
    assert open_ == {"queued", "submitting", "sending", "ambiguous", "unresolved", "running"} | (
        open_ & {"abandoned"}
    )


@pytest.mark.parametrize(
    ("way", "fetch", "resubmit", "person"),
    [
        ("queued", False, False, False),
        ("running", True, False, False),
        ("succeeded", True, False, False),
        ("unresolved", False, True, True),
        ("lost", False, True, True),
        ("abandoned", False, False, False),
        ("failed", False, False, False),
    ],
)
async def test_what_may_be_done_next(file, way, fetch, resubmit, person):
    """Each state allows what the commands do."""
    async with open_ledger(file) as ledger:
        job = await ledger.job(f"{way[:4]}aaaa")
    assert (job.may_fetch, job.may_resubmit, job.needs_person) == (fetch, resubmit, person)


async def test_a_job_is_found_by_its_token(file):
    """The token that a view shows leads back to its job; half of one is refused."""
    async with open_ledger(file) as ledger:
        job = await ledger.job("runnaaaa")
        assert await ledger.job(job.token) == job
        with pytest.raises(ConfigError, match="whole job token"):
            await ledger.job(job.token[:-3])
        assert await ledger.job("nope") is None
    token = read_token(job.token)
    assert (token.job_id, token.provider, token.account, token.task) == (
        job.id, "acedata", "default", job.task,
    )  # fmt: skip


async def test_a_job_can_be_given_up(file):
    """On a person's word, and only when it needs one."""
    async with open_ledger(file) as ledger:
        assert (await ledger.abandon("unreaaaa")).state == "abandoned"
        assert (await ledger.abandon("runnaaaa")).state == "running"
        with pytest.raises(ConfigError, match="has the id"):
            await ledger.abandon("nope")


async def test_old_jobs_are_forgotten(file):
    """A dry run counts what the real one forgets."""
    async with open_ledger(file) as ledger:
        counted = await ledger.prune(1.9e9, dry_run=True)
        assert counted == await ledger.prune(1.9e9) == 4
        assert await ledger.prune(1.9e9) == 0


def test_further_tasks_of_a_job_cost_money_as_well():
    """A job whose own attempt was refused may still have been billed for another task."""
    attempt = Attempt(id="j-1-n", job_id="j", number=1, account="acedata:default", state=AttemptState.REFUSED)
    refused = JobRecord(id="j", request=None, created_at=0.0, attempts=(attempt,), state=JobState.FAILED)
    assert view_of(refused).charged == "no"
    assert view_of(evolve(refused, extras=(Pending(task=Task("t2")),))).charged == "yes"


async def test_a_token_of_the_ledger_names_the_address_that_the_order_went_to(tmp_path):
    """So a client at another address refuses it unasked; one whose row names none is taken, as before."""
    file = tmp_path / "jobs.db"
    async with Sandbox(render_time=0.0) as sandbox:
        async with sandbox.client(ledger=file) as pika:
            job = await pika.submit("A cat")
        async with open_ledger(file) as ledger:
            found = await ledger.job(job.id)
        assert JobToken.decode(found.token).address == fingerprint(sandbox.url)
        async with Pika("acedata", api_key="sandbox", base_url="http://127.0.0.1:9") as elsewhere:
            with pytest.raises(ConfigError, match="at another address"):
                elsewhere.job(found.token)
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE job_attempts SET address = NULL")
        async with open_ledger(file) as ledger:
            older = await ledger.job(job.id)
        assert JobToken.decode(older.token).address is None
        async with sandbox.client() as pika:
            assert (await pika.job(older.token)).video_url
