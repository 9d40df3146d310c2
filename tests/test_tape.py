"""What media hosts answer, on a tape: whole files by their hash, and nothing secret."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from pika_async._download.answer import Answer
from pika_async._download.failures import BrokenOffError, LinkRefusedError
from pika_async._http import HttpRequest, HttpResponse
from pika_async._sender import SendError
from pika_async.testing._tape import MediaTape

pytestmark = pytest.mark.anyio
LINK = "https://cdn.example/cat.mp4?sig=secret"


class Steps:
    """A cassette that knows one answer once it has recorded it."""

    def __init__(self):
        self.known = None

    def recorded(self, request, answer):
        self.known = answer
        return answer

    def answer(self, request, *, keep_last):
        if self.known is None:
            raise SendError("x.json holds no answer.", sent=False)
        return self.known


@asynccontextmanager
async def answered(*chunks, status=200, start=0, total=None):
    """Answer with *chunks*; an exception among them is raised in its place."""
    left = list(chunks)

    async def read():
        chunk = left.pop(0) if left else b""
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    yield Answer(
        status=status,
        start=start,
        total=total,
        etag='"tag"',
        modified=None,
        content_type="video/mp4",
        encoding="",
        retry_after=None,
        by="the host",
        read=read,
    )


async def read_all(got):
    """Return status and bytes of what was got."""
    async with got as answer:
        data = b""
        while chunk := await answer.read():
            data += chunk
        return answer.status, data


@pytest.fixture
def tape(tmp_path):
    """Return a tape that records."""
    return MediaTape(tmp_path / "cat.media", Steps(), record=True)


def replaying(tape, tmp_path):
    """Return a tape with what *tape* recorded."""
    again = MediaTape(tmp_path / "cat.media", Steps(), record=False)
    for taken in tape.taken:
        again.add(taken)
    return again


async def test_a_file_that_came_in_parts_is_kept_whole(tape, tmp_path):
    """The first connection broke; the second brought the rest."""
    with pytest.raises(BrokenOffError):
        await read_all(tape.got(LINK, answered(b"one", BrokenOffError("cut"), total=6)))
    assert tape.taken == []
    await read_all(tape.got(LINK, answered(b"two", status=206, start=3, total=6)))
    assert await read_all(replaying(tape, tmp_path).got(LINK, answered())) == (200, b"onetwo")
    assert "secret" not in repr(tape.taken)


@pytest.mark.parametrize("total", [None, 3])
async def test_a_file_that_begins_again_is_kept_once(tape, tmp_path, total):
    """What an earlier answer brought is no part of it."""
    with pytest.raises(BrokenOffError):
        await read_all(tape.got(LINK, answered(b"old and long", BrokenOffError("cut"))))
    await read_all(tape.got(LINK, answered(b"new", total=total)))
    assert await read_all(replaying(tape, tmp_path).got(LINK, answered())) == (200, b"new")


async def test_a_file_that_ends_early_is_not_kept(tape, tmp_path):
    """A replay would bring half a video as if it were whole."""
    await read_all(tape.got(LINK, answered(b"half", total=8)))
    assert (tape.taken, (tmp_path / "cat.media").exists()) == ([], False)


async def test_a_refusal_is_replayed_before_what_came_after(tape, tmp_path):
    """A link that was gone is gone once more, then the file comes, and comes again."""
    await read_all(tape.got(LINK, answered(b"<html>", status=403)))
    await read_all(tape.got(LINK, answered(b"video")))
    again = replaying(tape, tmp_path)
    told = [await read_all(again.got("https://cdn.example/cat.mp4", answered())) for _ in range(3)]
    assert told == [(403, b""), (200, b"video"), (200, b"video")]


async def test_steps_of_an_upload_go_through_the_cassette(tmp_path):
    """Recorded they are sent; replayed they are not; what is not known is refused."""
    steps, request = Steps(), HttpRequest(method="PUT", url="https://up.example/1")
    replay = MediaTape(tmp_path, steps, record=False)

    async def send():
        return HttpResponse(status=200, headers={}, body=b"")

    with pytest.raises(LinkRefusedError, match="holds no answer"):
        await replay.sent(request, send)
    sent = await MediaTape(tmp_path, steps, record=True).sent(request, send)
    assert await replay.sent(request, send) is sent
