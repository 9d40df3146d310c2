"""A video as a stream of bytes: what a file would have been, or an error before the end."""

from __future__ import annotations

import asyncio

import pytest

from pika_async._download import download, streamed
from pika_async._download.media import MediaSession
from pika_async.errors import DownloadError
from tests.download.media_host import Reply, at_once, file_reply, hosting, video

pytestmark = pytest.mark.anyio

FILE = video(600_000)


def reading(host, **options):
    return MediaSession(allowed_hosts=[host.origin], sleep=at_once, **options)


async def read(script, **options):
    """Return the bytes, and the error that came instead of their end."""
    data = b""
    async with hosting(script) as host, reading(host, **options) as session:
        try:
            async with streamed(session, host.link()) as chunks:
                async for chunk in chunks:
                    assert chunk
                    data += chunk
        except DownloadError as error:
            return data, error
    return data, None


async def test_the_bytes_of_the_file_come():
    """All of them, once, in their order."""
    assert await read(lambda asked: file_reply(asked, FILE)) == (FILE, None)


async def test_a_break_is_not_seen():
    """What broke off goes on where it was, because the host proves that it is the same file."""
    cuts = iter([200_000, 100_000, None])
    assert await read(lambda asked: file_reply(asked, FILE).but(cut=next(cuts))) == (FILE, None)


@pytest.mark.parametrize("etag", [None, '"two"'])
async def test_another_file_is_not_sewn_on(etag):
    """Where the same file cannot be gone on with, what came is a beginning, and the end is an error."""
    replies = iter(
        [file_reply, lambda asked, body: file_reply(asked, video(600_000, fill=b"akip"), etag=etag)]
    )

    def script(asked):
        reply = next(replies)(asked, FILE)
        return reply.but(cut=200_000) if reply.body == FILE else reply

    data, error = await read(script)
    assert FILE.startswith(data)
    assert "open it again, or use download()" in str(error)
    assert error.retryable


async def test_a_page_is_no_video():
    """The same checks hold as for a file, and no byte of the page is handed on."""
    data, error = await read(
        lambda _: Reply(200, {"Content-Length": "30"}, b"<!doctype html><p>Log in</p>  ")
    )
    assert data == b""
    assert "holds no video" in str(error)


async def test_a_video_that_is_cut_at_its_source_has_no_end():
    """The boxes tell, though the length was as announced."""
    data, error = await read(lambda asked: file_reply(asked, FILE[:300_000]))
    assert data == FILE[:300_000]
    assert "did not send one whole file" in str(error)


async def test_the_cap_holds():
    """A stream without end is not followed."""
    data, error = await read(lambda asked: file_reply(asked, FILE), max_bytes=1_000)
    assert data == b""
    assert "max_download_bytes" in str(error)


async def test_an_internal_address_is_refused():
    """The guard is that of downloads."""
    async with hosting(lambda asked: file_reply(asked, FILE)) as host, MediaSession() as session:
        with pytest.raises(DownloadError, match="not a public address"):
            async with streamed(session, host.link()) as chunks:
                await anext(chunks)
        assert host.connections == 0


async def test_a_slow_reader_keeps_nobody_waiting(tmp_path):
    """Streams take no place from downloads, nor from each other."""
    async with (
        hosting(lambda asked: file_reply(asked, FILE)) as host,
        reading(host, width=1) as session,
        streamed(session, host.link()) as one,
        streamed(session, host.link()) as other,
    ):
        await anext(one)
        await anext(other)
        done = await download(session, host.link(), tmp_path / "cat.mp4")
    assert done.size == len(FILE)


async def test_a_reader_may_leave_at_any_time():
    """Neither a task nor a place among the downloads is left behind, also where nothing was read."""
    before = asyncio.all_tasks()
    async with hosting(lambda asked: file_reply(asked, FILE)) as host:
        async with MediaSession(allowed_hosts=[host.origin], width=1) as session:
            async with streamed(session, host.link()) as chunks:
                await anext(chunks)
            async with streamed(session, host.link()):
                pass
            async with streamed(session, host.link()) as chunks:
                assert b"".join([chunk async for chunk in chunks]) == FILE
        assert len(asyncio.all_tasks() - before) <= 4  # the host's own, one for each connection


async def test_a_cancelled_reader_is_cancelled():
    """The cancellation goes through, and nothing goes on behind it."""

    async def read_on(session, link):
        async with streamed(session, link) as chunks:
            async for _ in chunks:
                started.set()

    started = asyncio.Event()
    script = lambda asked: file_reply(asked, FILE).but(cut=100_000, stall=True)  # noqa: E731
    async with hosting(script) as host, MediaSession(allowed_hosts=[host.origin]) as session:
        task = asyncio.create_task(read_on(session, host.link()))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
