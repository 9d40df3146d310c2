"""Posters are nice to have: none of them is waited for long."""

import pytest

from pika_async.batch import posters
from pika_async.batch.posters import Posters
from pika_async.errors import DownloadError

pytestmark = pytest.mark.anyio


class Host:
    """Stands for the media host: raises *error* for each poster, and counts."""

    def __init__(self, monkeypatch, error=None):
        self.asked = 0

        async def download(*_, **options):
            self.asked += 1
            assert options["expected"] == "image"
            if error is not None:
                raise error

        monkeypatch.setattr("pika_async._download.download", download)
        monkeypatch.setattr(posters, "media_session", lambda _: None)


async def test_a_poster_comes(tmp_path, monkeypatch):
    """The answer says whether the file is there."""
    host = Host(monkeypatch)
    assert await Posters(tmp_path, None).fetch("https://h.test/a.jpg", "a.jpg")
    assert host.asked == 1


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (DownloadError("No such poster.", retryable=False), 2),
        (DownloadError("The host is down.", retryable=True), 1),
        (TimeoutError(), 1),
    ],
)
async def test_a_host_that_gives_none_is_not_asked_again(tmp_path, monkeypatch, error, asked):
    """One missing poster says nothing about the next; a host that is down does."""
    host = Host(monkeypatch, error)
    brought = Posters(tmp_path, None)
    assert [await brought.fetch("https://h.test/a.jpg", "a.jpg") for _ in range(2)] == [False, False]
    assert host.asked == asked
