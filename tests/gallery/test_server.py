"""The gallery's server, over loopback: what it shows, and what it never shows."""

from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from pika_async import ConfigError
from pika_async.gallery import Manifest, RowState
from pika_async.gallery.server import GalleryServer
from tests.gallery.entries import MEDIA, done, entry, failed, fill

pytestmark = pytest.mark.anyio

VIDEO = (MEDIA / "video.mp4").read_bytes()


@asynccontextmanager
async def served(folder: Path):
    async with GalleryServer(folder) as server, aiohttp.ClientSession() as session:

        def get(path: str = "", **options):
            return session.get(URL(server.url + path, encoded=True), **options)

        yield get


async def test_page_is_live(tmp_path: Path):
    """The page holds the rows of this moment and where to ask for news."""
    fill(tmp_path, done(1, "A paper boat"))
    async with served(tmp_path) as get:
        for path in ("", "index.html"):
            async with get(path) as answer:
                html = await answer.text()
                assert "A paper boat" in html
                assert 'data-live="rows.json"' in html
                assert "pika-token" not in html


async def test_every_answer_is_guarded(tmp_path: Path):
    """Policy, no sniffing, no framing and no embedding elsewhere: on pages, media and refusals."""
    fill(tmp_path, done(1))
    async with served(tmp_path) as get:
        for path in ("", "rows.json", "001.mp4", "nothing.mp4"):
            async with get(path) as answer:
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_news_are_what_changed(tmp_path: Path):
    """After the first look, only rows that changed are sent; a revision of another server gets all."""
    fill(tmp_path, entry(1), entry(2))
    async with served(tmp_path) as get:
        async with get("rows.json") as answer:
            first = await answer.json()
        assert [card["number"] for card in first["cards"]] == [1, 2]
        assert not first["finished"]
        async with get(f"rows.json?after={first['revision']}") as answer:
            assert (await answer.json())["cards"] == []

        fill(tmp_path, done(2), failed(3), failed(1))
        with Manifest(tmp_path / "manifest.jsonl") as manifest:
            manifest.append(entry(1))
        async with get(f"rows.json?after={first['revision']}") as answer:
            news = await answer.json()
        assert [card["number"] for card in news["cards"]] == [2, 3]
        assert "1 of 3 done, 1 failed" in news["summary"]
        for after in ("0", "99999999999999999", "9" * 5000, "-1", "x", "%C2%B2", ""):
            async with get(f"rows.json?after={after}") as answer:
                assert len((await answer.json())["cards"]) == 3


async def test_videos_are_served_in_parts(tmp_path: Path):
    """Browsers seek with ranges."""
    fill(tmp_path, done(1, poster="001.jpg"))
    async with served(tmp_path) as get:
        async with get("001.mp4", headers={"Range": "bytes=100-199"}) as answer:
            assert answer.status == 206
            assert answer.headers["Content-Range"] == f"bytes 100-199/{len(VIDEO)}"
            assert await answer.read() == VIDEO[100:200]
        async with get("001.mp4") as answer:
            assert (answer.status, answer.content_type) == (200, "video/mp4")
            assert await answer.read() == VIDEO
        async with get("001.jpg") as answer:
            assert (answer.status, answer.content_type) == (200, "image/jpeg")


@pytest.mark.parametrize("name", ["a b#c?d%20.mp4", "ü/ä.mp4", "'\"<b>.mp4", "100%.mp4", "x+y&z=1;.mp4"])
async def test_odd_names_are_found(tmp_path: Path, name: str):
    """The page's link to a file leads to it, whatever it is called."""
    from pika_async.gallery.page import _link

    fill(tmp_path, done(1, file=name))
    async with served(tmp_path) as get, get(_link(name)) as answer:
        assert await answer.read() == VIDEO


async def test_finished_files_are_found_without_asking_for_news(tmp_path: Path):
    """A file is served as soon as the manifest names it."""
    async with served(tmp_path) as get:
        async with get("001.mp4") as answer:
            assert answer.status == 404
        fill(tmp_path, done(1))
        async with get("001.mp4") as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "manifest.jsonl",
        "ledger.db",
        "ledger.db-wal",
        "run.epoch",
        ".env",
        "002.mp4.part",
        "unnamed.mp4",
        "../outside.mp4",
        "%2e%2e/outside.mp4",
        "..%2foutside.mp4",
        "clips/../../outside.mp4",
        "//outside.mp4",
        "linked.mp4",
        "",
    ],
)
async def test_nothing_else_is_served(tmp_path: Path, path: str):
    """Only media that rows name are served: no ledger, no part, nothing hidden, nothing outside."""
    (tmp_path / "outside.mp4").write_bytes(b"secret")
    folder = fill(tmp_path / "gallery", done(1))
    for name in ("ledger.db", "ledger.db-wal", "run.epoch", ".env", "002.mp4.part", "unnamed.mp4"):
        (folder / name).write_bytes(b"secret")
    (folder / "linked.mp4").symlink_to(tmp_path / "outside.mp4")
    # A manifest that names them all does not help.
    with Manifest(folder / "manifest.jsonl") as manifest:
        for number, name in enumerate(
            ("../outside.mp4", "linked.mp4", "ledger.db", ".env", "002.mp4.part"), 2
        ):
            manifest.append(done(number, file=name))
    async with served(folder) as get, get(path) as answer:
        assert b"secret" not in await answer.read()
        assert answer.status == (404 if path else 200)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1]:80", ""]
)
async def test_other_names_are_refused(tmp_path: Path, host: str):
    """A page elsewhere whose name was pointed here reads nothing."""
    fill(tmp_path, done(1))
    async with served(tmp_path) as get:
        for path in ("", "rows.json", "001.mp4"):
            async with get(path, headers={"Host": host}) as answer:
                assert answer.status == 403


async def test_nothing_can_be_changed(tmp_path: Path):
    """The server only shows."""
    async with GalleryServer(tmp_path) as server, aiohttp.ClientSession() as session:
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            async with session.request(method, server.url) as answer:
                assert answer.status == 405


async def test_taken_port_is_an_os_error(tmp_path: Path):
    """A second server on a port raises an error, and has no address."""
    async with GalleryServer(tmp_path) as server:
        second = GalleryServer(tmp_path, port=URL(server.url).port)
        with pytest.raises(OSError, match="address"):
            await second.start()
        with pytest.raises(ConfigError, match="start it first"):
            _ = second.url


async def test_states_without_a_file_serve_none(tmp_path: Path):
    """A file is not served before its row is done."""
    fill(tmp_path, entry(1, RowState.DOWNLOADING, file="001.mp4"))
    async with served(tmp_path) as get, get("001.mp4") as answer:
        assert answer.status == 404


async def test_media_that_cannot_be_read_are_not_found(tmp_path: Path):
    """A name that no file system takes, or links in a circle, end no server and no page."""
    long = "x" * 5000 + ".mp4"
    with Manifest(tmp_path / "manifest.jsonl") as manifest:
        manifest.append(done(1, file=long))
        manifest.append(done(2, file="circle.mp4"))
    (tmp_path / "circle.mp4").symlink_to(tmp_path / "circle.mp4")
    async with served(tmp_path) as get:
        for path in (long, "circle.mp4"):
            async with get(path) as answer:
                assert answer.status == 404
