"""List, ledger and manifest compared: what is left to do for each row."""

import hashlib

import pytest
from attrs import evolve

from pika_async import ConfigError, Generate
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Refusal
from pika_async._token import JobToken
from pika_async.batch import Entry, Failure, Listed, Manifest, RowState, described
from pika_async.batch.folder import BatchFolder
from pika_async.batch.known import RowKey, identity_of
from pika_async.batch.plan import make_plan
from pika_async.results import Task

pytestmark = pytest.mark.anyio


def token(job_id, label="default"):
    return JobToken(job_id=job_id, provider="acedata", label=label, task=Task(f"t-{job_id}")).encode()


class World:
    """A list of prompts, a ledger and a folder, and what a batch makes of them."""

    def __init__(self, path):
        self.folder = BatchFolder(path)
        self.ledger = MemoryLedger()

    def key(self, prompt, copy=1, generation=0, world="batch"):
        identity = identity_of(Generate(prompt), {})
        return RowKey(world=world, identity=identity, copy=copy, generation=generation).encode()

    async def job(self, job_id, prompt, end=JobState.OPEN, key=None, label="default", **attempt):
        """Put a job into the ledger."""
        only = Attempt(id=f"{job_id}-1", job_id=job_id, number=1, account=f"acedata:{label}", **attempt)
        await self.ledger.create(
            JobRecord(
                id=job_id,
                request=Generate(prompt),
                created_at=1.0,
                attempts=(only,),
                key=key or self.key(prompt),
                state=end,
            )
        )

    def entries(self, *entries):
        """Write the manifest, and the files of rows that are done."""
        Manifest(self.folder.manifest).replace(entries)

    def done(self, number, prompt, file, **fields):
        """Make the entry of a row whose file is there."""
        (self.folder.path / file).write_bytes(prompt.encode())
        digest = hashlib.sha256(prompt.encode()).hexdigest()
        size = len(prompt.encode())
        request = described(Generate(prompt))
        return Entry(
            number=number, request=request, state=RowState.DONE, file=file, sha256=digest, size=size, **fields
        )

    async def plan(self, *prompts, **options):
        """Plan the rows."""
        listed = [Listed(number=n, line=n, request=Generate(p)) for n, p in enumerate(prompts, 1)]
        return await make_plan(listed, self.folder, self.ledger, **options)


@pytest.fixture
async def world(tmp_path):
    """Begin with nothing."""
    return World(tmp_path)


RUNNING = {"state": AttemptState.RUNNING, "task": Task("t")}


async def test_a_new_row_is_ordered_under_a_key_of_its_own(world):
    """The same row twice is two orders."""
    plan = await world.plan("A cat", "A cat")
    assert [row.key for row in plan.rows] == [world.key("A cat"), world.key("A cat", copy=2)]
    assert [row.token for row in plan.rows] == [None, None]
    assert [row.file for row in plan.rows] == ["001-a-cat.mp4", "002-a-cat.mp4"]


async def test_a_job_under_way_is_waited_for(world):
    """By its token, wherever its row stands now."""
    await world.job("j", "A cat", **RUNNING)
    plan = await world.plan("A dog", "A cat")
    assert [row.token is None for row in plan.rows] == [True, False]
    assert JobToken.decode(plan.rows[1].token).job_id == "j"


@pytest.mark.parametrize(
    ("error", "retry", "generation", "settled"),
    [
        ("ContentBlocked", False, 0, True),
        ("ContentBlocked", True, 1, False),
        ("RateLimited", False, 0, False),
        ("RateLimited", True, 0, False),
    ],
)
async def test_a_refusal_is_asked_again_where_that_may_help(world, error, retry, generation, settled):
    """A refusal for good needs a person's word, and a new key."""
    refusal = Refusal(error=error, message="No.")
    await world.job("j", "A cat", JobState.FAILED, state=AttemptState.REFUSED, outcome=refusal)
    (row,) = (await world.plan("A cat", retry_failed=retry)).rows
    assert (row.key, row.settled) == (world.key("A cat", generation=generation), settled)


async def test_an_order_that_was_cancelled_unsent_gets_a_new_key(world):
    """Its own key would only find the cancelled job."""
    await world.job("j", "A cat", JobState.CANCELLED, state=AttemptState.CANCELLED)
    (row,) = (await world.plan("A cat")).rows
    assert (row.key, row.token) == (world.key("A cat", generation=1), None)


async def test_the_newest_order_of_a_row_counts(world):
    """Whatever the order in which the ledger lists them."""
    await world.job("b", "A cat", JobState.FAILED, state=AttemptState.FAILED)
    await world.job("a", "A cat", key=world.key("A cat", generation=1), **RUNNING)
    (row,) = (await world.plan("A cat", retry_failed=True)).rows
    assert JobToken.decode(row.token).job_id == "a"


async def test_jobs_of_rows_that_left_the_list_are_counted(world):
    """They go on, and somebody may want to know."""
    await world.job("j", "A cat", **RUNNING)
    assert (await world.plan("A dog")).astray == 1


async def test_videos_of_rows_that_left_the_list_stay_in_the_manifest(world):
    """They come after the rows of the list."""
    world.entries(world.done(1, "A cat", "001-a-cat.mp4", token=token("j")))
    plan = await world.plan("A dog")
    assert [(entry.number, entry.file) for entry in plan.entries] == [(1, None), (2, "001-a-cat.mp4")]


@pytest.mark.parametrize("sandbox", [True, False])
@pytest.mark.parametrize("where", ["ledger", "manifest"])
async def test_pretended_and_real_videos_do_not_mix(world, sandbox, where):
    """Also where only the manifest is left."""
    label = "default" if sandbox else "sandbox"
    if where == "ledger":
        await world.job("j", "A cat", key=world.key("A cat", world="batch" if sandbox else "sandbox"))
    else:
        world.entries(world.done(1, "A cat", "001-a-cat.mp4", token=token("j", label)))
    with pytest.raises(ConfigError, match="This folder holds"):
        await world.plan("A cat", sandbox=sandbox)


async def test_a_lost_sandbox_of_an_earlier_version_is_ordered_anew(world):
    """Its tasks went with it; they stay in the ledger as they were."""
    await world.job("j", "A cat", key=world.key("A cat", world="sandbox"), label="sandbox-1a2b", **RUNNING)
    (row,) = (await world.plan("A cat", sandbox=True)).rows
    assert (row.key, row.token) == (world.key("A cat", generation=1, world="sandbox"), None)


@pytest.mark.parametrize(
    ("state", "error", "stops"),
    [
        (RowState.RENDERING, None, True),
        (RowState.DONE, None, True),
        (RowState.FAILED, Failure(name="JobTimeout", message="-", charged="yes"), True),
        (RowState.FAILED, Failure(name="SubmitUnknown", message="-", charged="unknown"), True),
        (RowState.FAILED, Failure(name="JobFailed", message="-", charged="yes"), False),
        (RowState.FAILED, Failure(name="InsufficientBalance", message="-", charged="no"), False),
    ],
)
async def test_what_may_be_paid_and_is_not_here_stops(world, state, error, stops):
    """What certainly cost nothing, or certainly brings nothing, does not."""
    request = described(Generate("A cat"))
    world.entries(Entry(number=1, request=request, state=state, token=token("lost"), error=error))
    if not stops:
        assert len((await world.plan("A cat")).rows) == 1
        return
    with pytest.raises(ConfigError) as caught:
        await world.plan("A cat", "A dog")
    assert token("lost") in caught.value.__notes__[0]
    (row, _) = (await world.plan("A cat", "A dog", adopt=True)).rows
    assert row.token == token("lost")


async def test_many_lost_jobs_are_told_briefly(world):
    """Ten of them, and how many more."""
    rows = [
        Entry(number=n, request={}, state=RowState.RENDERING, token=token(f"lost{n}")) for n in range(1, 31)
    ]
    world.entries(*rows)
    with pytest.raises(ConfigError) as caught:
        await world.plan("A cat")
    assert caught.value.__notes__[-1] == "  and 20 more"
    assert len(caught.value.__notes__) == 11
    plan = await world.plan("A cat", adopt=True)
    assert {entry.token for entry in plan.entries} >= {row.token for row in rows}


async def test_a_whole_video_counts_whatever_the_ledger_says(world):
    """A ledger restored from a copy may know an earlier order only."""
    await world.job("old", "A cat", JobState.FAILED, state=AttemptState.FAILED)
    key = world.key("A cat", generation=1)
    world.entries(world.done(1, "A cat", "001-a-cat.mp4", token=token("new"), key=key))
    (row,) = (await world.plan("A cat")).rows
    assert row.entry.state is RowState.DONE


async def test_a_new_row_takes_no_name_of_the_manifest(world):
    """The file of a job under way is not there yet, and its name is taken."""
    await world.job("j", "A cat", **RUNNING)
    request = described(Generate("A cat"))
    world.entries(
        Entry(number=1, request=request, state=RowState.RENDERING, token=token("j"), file="001-a-cat.mp4")
    )
    plan = await world.plan("A! Cat", "A cat")
    assert [row.file for row in plan.rows] == ["001-a-cat-2.mp4", "001-a-cat.mp4"]


@pytest.mark.parametrize("written", ["A cat\r\nwaves", " A cat\nwaves ", "A cat\rwaves"])
async def test_texts_that_an_earlier_version_did_not_clean_are_the_same_row(world, written):
    """Its lines have no key, and its ledger may be gone."""
    done = world.done(1, "A cat\nwaves", "001-a-cat-waves.mp4", token=token("old"))
    world.entries(evolve(done, request={**done.request, "prompt": written, "guidance_scale": 12}))
    request = Generate("A cat\nwaves", guidance_scale=12.0)
    listed = [Listed(number=1, line=1, request=request)]
    (row,) = (await make_plan(listed, world.folder, world.ledger)).rows
    assert row.entry.state is RowState.DONE
