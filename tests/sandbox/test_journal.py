"""A sandbox with a journal goes on where an earlier one stopped."""

import json

import pytest

from pika_async import Pika
from pika_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def journal(tmp_path):
    """Return the file of the orders."""
    return tmp_path / "sandbox.jsonl"


def client(name, sandbox):
    return Pika(
        name,
        api_key="sandbox-key",
        base_url=sandbox.url,
        poll_rate=None,
        poll_interval=0.01,
        media_hosts=[sandbox.url.removeprefix("http://")],
    )


@pytest.mark.parametrize("name", ["acedata", "duomi"])
async def test_a_task_outlives_its_sandbox(journal, name, tmp_path):
    """The order of one sandbox is rendered by the next, at the same address, and is not billed again."""
    async with Sandbox(render_time=0.2, journal=journal) as first, client(name, first) as pika:
        from pika_async import Generate

        token = (await pika.submit(Generate("A cat", aspect_ratio="16:9"))).token
        assert first.billed == {"A cat": 1}
    async with Sandbox(render_time=0.2, journal=journal) as second, client(name, second) as pika:
        video = await pika.job(token)
        assert second.url == first.url
        assert not second.billed
        assert (await pika.download(video, tmp_path / "cat.mp4")).size > 0


async def test_the_journal_holds_no_secret(journal):
    """Neither keys nor callback tokens: the canary looks into every file."""
    async with Sandbox(render_time=0, journal=journal) as sandbox, client("acedata", sandbox) as pika:
        await pika.generate("A cat sandbox-no-cat")
    assert "sandbox-key" not in journal.read_text()
    assert "A cat sandbox-no-cat" in journal.read_text()
    assert journal.stat().st_mode & 0o077 == 0


async def test_damaged_lines_are_passed_over(journal):
    """A torn line, and one that somebody made up, change nothing for the others."""
    async with Sandbox(render_time=0.05, journal=journal) as first, client("acedata", first) as pika:
        from pika_async import Generate

        token = (await pika.submit(Generate("A cat"))).token
    line = json.loads(journal.read_text())
    made_up = [
        {},
        [],
        {**line, "url": 7},
        {**line, "now": ["x"]},
        {**line, "ids": [1]},
        {**line, "body": {"prompt": []}},
        {**line, "url": "http://h.test/other"},
        {**line, "headers": {"authorization": "\n"}},
    ]
    with journal.open("a") as file:
        file.write("".join(json.dumps(each) + "\n" for each in made_up) + '{"url": "htt')
    async with Sandbox(render_time=0.05, journal=journal) as second, client("acedata", second) as pika:
        assert (await pika.job(token)).video_url


async def test_without_a_journal_nothing_is_written(tmp_path):
    """It is asked for by whoever wants it."""
    async with Sandbox(render_time=0) as sandbox, client("acedata", sandbox) as pika:
        await pika.generate("A cat")
    assert not list(tmp_path.iterdir())


async def test_a_port_that_is_taken_is_no_trouble(journal):
    """Another program may have the address by now."""
    async with Sandbox(render_time=0, journal=journal) as first, client("acedata", first) as pika:
        await pika.generate("A cat")
        async with Sandbox(render_time=0, journal=journal) as second:
            assert second.url != first.url
