"""What a client does with finished videos: files, streams, and errors that hold the job."""

from __future__ import annotations

import inspect
import re
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pika_async import ConfigError, DownloadError, Generate, Pika, PikaError, State, VideoResult
from pika_async._proxies import Proxies
from pika_async.sandbox import Sandbox
from tests import hostile
from tests.download.proxy import proxying
from tests.engine.scripted import Scripted

pytestmark = pytest.mark.anyio

QUICK = {"poll_rate": None, "poll_interval": 0.02}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Start without proxies and media hosts in the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("PIKA_ASYNC_MEDIA_HOST", raising=False)


@asynccontextmanager
async def bought(render_time=0.02, **options):
    """Give a client in front of a sandbox, and a job."""
    async with Sandbox(render_time=render_time) as sandbox:
        pika = Pika("acedata", api_key="sandbox-key", base_url=sandbox.url, **QUICK, **options)
        async with pika:
            yield pika, await pika.submit(Generate("a cat"))


async def test_the_variable_for_media_hosts_works_from_python(monkeypatch, tmp_path):
    """What the sandbox prints to be exported is all that is needed; the option goes before it."""
    async with Sandbox(render_time=0.02) as sandbox:
        monkeypatch.setenv("ACEDATA_API_KEY", "sandbox-key")
        monkeypatch.setenv("ACEDATA_BASE_URL", sandbox.url)
        monkeypatch.setenv("PIKA_ASYNC_MEDIA_HOST", f"media.lan  {urlsplit(sandbox.url).netloc}")
        async with Pika("acedata", **QUICK) as pika:
            job = await pika.submit(Generate("a cat"))
            done = await pika.download(job, tmp_path / "cat.mp4")
        assert b"ftyp" in done.path.read_bytes()[:16]
        async with Pika("acedata", media_hosts=["media.lan"], **QUICK) as pika:
            with pytest.raises(DownloadError, match="not a public address"):
                await pika.download(await job, tmp_path / "dog.mp4")


async def test_a_failed_download_of_a_job_holds_it(tmp_path):
    """The error says what to set and leads back to the paid video."""
    async with bought() as (pika, job):
        with pytest.raises(DownloadError, match=r"media_hosts=\['127\.0\.0\.1'\]") as failed:
            await pika.download(job, tmp_path / "cat.mp4")
        with pytest.raises(DownloadError) as streamed:
            async with pika.open(job) as chunks:
                await anext(chunks)
    for error in (failed.value, streamed.value):
        assert (error.token, error.provider, error.charged) == (job.token, "acedata", "yes")
        assert error.trace_id == job.trace_id


async def test_a_name_that_cannot_be_is_told_before_the_video_is_waited_for(tmp_path):
    """A job that renders for an hour is not waited for only to say so."""
    async with bought(3600) as (pika, job):
        with pytest.raises(DownloadError, match="choose a shorter name") as failed:
            await pika.download(job, tmp_path / ("x" * 250))
    assert failed.value.token == job.token


async def test_a_video_is_streamed(tmp_path):
    """The bytes are those of the file, from a job and from its result."""
    async with bought(media_hosts="127.0.0.1") as (pika, job):
        await pika.download(job, tmp_path / "cat.mp4")
        for video in (job, await job):
            async with pika.open(video) as chunks:
                data = b"".join([chunk async for chunk in chunks])
            assert data == (tmp_path / "cat.mp4").read_bytes()


async def test_a_result_without_a_link_cannot_be_streamed():
    """It says whom to ask."""
    async with Pika(Scripted()) as pika:
        with pytest.raises(DownloadError, match="no link"):
            async with pika.open(VideoResult("1", None, None, None, State.SUCCEEDED)):
                pass


async def test_a_stream_needs_an_open_client():
    """As every call does."""
    with pytest.raises(ConfigError, match="not open yet"):
        async with Pika(Scripted()).open(VideoResult("1", "https://x.test", None, None, State.SUCCEEDED)):
            pass


@pytest.mark.parametrize(
    ("options", "used"),
    [
        ({}, True),
        ({"trust_env": False}, False),
        ({"media_proxy": False}, False),
        ({"media_proxy": "{}", "trust_env": False}, True),
    ],
)
async def test_downloads_follow_the_clients_word_on_proxies(monkeypatch, tmp_path, options, used):
    """The environment's proxy as for API calls, none, or one of their own."""
    async with bought(media_hosts="127.0.0.1") as (_, job), proxying() as proxy:
        video = await job
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        if options.get("media_proxy"):
            options = {**options, "media_proxy": proxy.url}
        async with Pika(Scripted(), media_hosts="127.0.0.1", **options) as pika:
            await pika.download(video, tmp_path / "cat.mp4")
    assert bool(proxy.asked) is used


@pytest.mark.parametrize("value", ["", "http://", "/path", "http://[::1", 5, None, b"host"])
def test_a_media_host_that_is_none_is_named(value):
    """When the client is made, and in the words of the option."""
    with pytest.raises(ConfigError, match="media_hosts"):
        Pika(Scripted(), media_hosts=[value])


@pytest.mark.parametrize("value", [5, None, True])
def test_media_hosts_are_several(value):
    """What holds no hosts is named as well."""
    with pytest.raises(ConfigError, match="media_hosts"):
        Pika(Scripted(), media_hosts=value)


@pytest.mark.parametrize("value", [True, 5, "", "socks5://127.0.0.1:1", "ftp://ann:s3cret@x", ["http://x"]])
def test_a_media_proxy_that_cannot_be_used_is_named(value):
    """When the client is made, and without its password."""
    with pytest.raises(ConfigError, match="media_proxy") as refused:
        Pika(Scripted(), media_proxy=value)
    assert "s3cret" not in hostile.shown(refused.value)


@pytest.mark.parametrize("option", ["max_download_bytes", "min_download_speed"])
@pytest.mark.parametrize("value", [0, -1, "5", float("nan"), float("inf"), True, [5]])
def test_a_bound_that_is_none_is_named(option, value):
    """Numbers above 0, or None."""
    with pytest.raises(ConfigError, match=option):
        Pika(Scripted(), **{option: value})


async def test_the_bounds_reach_the_download(tmp_path):
    """The cap is the option's, and its error names it."""
    async with bought(media_hosts="127.0.0.1", max_download_bytes=1_000) as (pika, job):
        with pytest.raises(PikaError, match=r"more than 1000 bytes.*max_download_bytes"):
            await pika.download(job, tmp_path / "cat.mp4")


@pytest.mark.parametrize(
    ("variables", "url", "source"),
    [
        ({"HTTPS_PROXY": "proxy.lan:3128"}, "https://api.test", "proxy.lan:3128 (HTTPS_PROXY)"),
        (
            {"https_proxy": "http://a:b@p:1", "HTTPS_PROXY": "q:2"},
            "https://api.test",
            "p:1 (https_proxy)",
        ),
        ({"all_proxy": "http://p"}, "http://api.test", "p:80 (all_proxy)"),
    ],
)
def test_a_proxy_is_told_with_its_variable(monkeypatch, variables, url, source):
    """Host, port and the name of the variable that counts; never the password."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(Proxies(trusted=True).find(url)) == source


@pytest.mark.parametrize("address", ["socks5://ann:s3cret@h:1", "ann:s3cret@h:99999", "ftp://ann:s3cret@h"])
async def test_an_api_call_names_the_variable_too(monkeypatch, address):
    """`HTTPS_PROXY` is told by its name where a purchase cannot go through it."""
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(ConfigError, match="HTTPS_PROXY") as refused:
        Proxies(trusted=True).proxy_for("https://api.test/videos")
    assert "s3cret" not in hostile.shown(refused.value)


@pytest.mark.parametrize("video", ["https://x.test/cat.mp4", None, 5, b"cat"])
async def test_what_is_no_video_is_named(video, tmp_path):
    """A link alone cannot be looked up afresh."""
    async with Pika(Scripted()) as pika:
        with pytest.raises(TypeError, match="video must be a Job or a VideoResult"):
            await pika.download(video, tmp_path / "cat.mp4")
        with pytest.raises(TypeError, match="video must be a Job or a VideoResult"):
            async with pika.open(video):
                pass


@pytest.mark.parametrize("argument", [{"path": 5}, {"path": b"cat.mp4"}, {"path": None}, {"on_progress": 5}])
async def test_a_wrong_argument_of_download_is_named(argument, tmp_path):
    """Before anything is waited for."""
    video = VideoResult("1", "https://x.test/cat.mp4", None, None, State.SUCCEEDED)
    async with Pika(Scripted()) as pika:
        with pytest.raises(TypeError, match=next(iter(argument))):
            await pika.download(video, **{"path": tmp_path / "cat.mp4", **argument})


def test_the_page_on_downloads_is_true():
    """Its options and their defaults are those of the client; `test_docs_code.py` runs its programs."""
    page = (Path(__file__).parent.parent / "docs" / "downloads.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| `?(.*?)`?(?: \(.*?\))? \|", page, re.MULTILINE))
    known = inspect.signature(Pika).parameters
    assert told == {
        "media_hosts": "PIKA_ASYNC_MEDIA_HOST",
        "trust_env": str(known["trust_env"].default),
        "media_proxy": str(known["media_proxy"].default),
        "max_download_bytes": f"{known['max_download_bytes'].default >> 30} GiB",
        "min_download_speed": str(known["min_download_speed"].default),
    }
