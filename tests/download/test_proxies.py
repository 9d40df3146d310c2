"""Downloads through a proxy: the same rules as for API calls, with the guard kept and the proxy named."""

from __future__ import annotations

import pytest
from aiohttp.abc import AbstractResolver

from pika_async._download import download
from pika_async._download.failures import LinkRefusedError
from pika_async._download.media import MediaSession
from pika_async._proxies import Proxies
from pika_async._secret import Secret
from pika_async.errors import DownloadError
from tests import hostile
from tests.download.media_host import Reply, at_once, file_reply, hosting, video
from tests.download.proxy import proxying
from tests.download.test_media import SPELLINGS, Names, text_of

pytestmark = pytest.mark.anyio

FILE = video()
OK = Reply(200, {"Content-Length": "2"}, b"ok")


class Unknown(AbstractResolver):
    """A name server that knows no name, as behind a wall where only the proxy has one."""

    async def resolve(self, host, port=0, family=0):
        raise OSError("unknown")

    async def close(self):
        pass


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Start without proxies in the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def reading(resolver=None, **options):
    names = resolver or Unknown()
    return MediaSession(proxies=Proxies(trusted=True), resolver=names, sleep=at_once, **options)


async def test_a_file_comes_through_the_proxy_of_the_environment(tmp_path, monkeypatch):
    """The name is left to the proxy, redirects and resuming included, and its password is sent to it."""
    cuts = iter([9_000, None])

    def script(asked):
        if asked.path == "/first":
            return Reply(302, {"Location": "/cat.mp4?sig=s", "Content-Length": "0"})
        return file_reply(asked, FILE).but(cut=next(cuts))

    async with hosting(script) as host, proxying() as proxy, reading() as session:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        done = await download(session, f"http://media.test:{host.port}/first", tmp_path / "cat.mp4")
    assert done.path.read_bytes() == FILE
    assert [asked.start for asked in host.asked if "cat.mp4?sig=s" in asked.path] == [None, 9_000]
    assert len(proxy.asked) == host.connections == 2
    assert set(proxy.passwords) == {"Basic YW5uOnMzY3JldA=="}


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "127.0.0.1:{}"])
async def test_an_https_link_gets_a_tunnel(tmp_path, monkeypatch, variable, form):
    """CONNECT goes to the proxy of the variable, written with or without http://."""
    tls = hostile.identity(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.pem"))
    async with hosting(lambda _: OK, tls=tls.server) as host, proxying() as proxy, reading() as session:
        monkeypatch.setenv(variable, form.format(proxy.port))
        with pytest.raises(
            LinkRefusedError, match=r"certificate of media\.test is not valid through the proxy"
        ):
            await text_of(session, f"https://media.test:{host.port}/cat.mp4")
    assert proxy.asked == [f"CONNECT media.test:{host.port}"]


async def test_no_proxy_is_used_where_the_environment_says_so(monkeypatch):
    """NO_PROXY holds for downloads as for API calls."""
    async with hosting(lambda _: OK) as host, reading(allowed_hosts=["127.0.0.1"]) as session:
        monkeypatch.setenv("HTTP_PROXY", hostile.nobody())
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert await text_of(session, host.link()) == b"ok"


async def test_a_proxy_of_downloads_alone_is_used_for_all_of_them():
    """What the client was given counts, whatever the environment says."""
    async with hosting(lambda _: OK) as host, proxying() as proxy:
        given = Proxies(trusted=False, given=Secret(proxy.url))
        async with MediaSession(proxies=given, resolver=Unknown()) as session:
            assert await text_of(session, f"http://media.test:{host.port}/cat.mp4") == b"ok"
    assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    "spelling", [*SPELLINGS, "198.18.0.1", "198.18.1", "localhost.", "db.internal", "nas"]
)
async def test_the_proxy_is_asked_for_nothing_inside(monkeypatch, spelling):
    """No spelling of an internal address or name gets as far as the proxy."""
    async with hosting(lambda _: OK) as host, proxying() as proxy, reading() as session:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        with pytest.raises(LinkRefusedError, match="media_hosts="):
            await text_of(session, f"http://{spelling}:{host.port}/cat.mp4")
    assert not proxy.asked


async def test_a_name_that_leads_inside_is_not_asked_for(monkeypatch):
    """Where the name is known here, its addresses are judged as without a proxy."""
    async with proxying() as proxy, reading(Names("10.0.0.7")) as session:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        with pytest.raises(LinkRefusedError, match="not a public address"):
            await text_of(session, "http://rebound.example/cat.mp4")
    assert not proxy.asked


async def test_a_redirect_inside_is_refused_behind_a_proxy_too(monkeypatch):
    """Every hop is judged before the proxy hears of it."""

    def script(asked):
        return Reply(302, {"Location": "http://169.254.169.254/latest", "Content-Length": "0"})

    async with hosting(script) as host, proxying() as proxy, reading() as session:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(LinkRefusedError, match=r"169\.254\.169\.254 is not a public address"):
            await text_of(session, f"http://media.test:{host.port}/cat.mp4")
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy"])
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("socks5://ann:s3cret@127.0.0.1:1080", "names a SOCKS proxy"),
        ("socks5h://127.0.0.1:1080", "names a SOCKS proxy"),
        ("ftp://ann:s3cret@127.0.0.1", "write it as http://host:port"),
        ("http://127.0.0.1:99999", "write it as http://host:port"),
        ("http://[::1", "write it as http://host:port"),
        ("http://", "write it as http://host:port"),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_told_by_its_variable(
    tmp_path, monkeypatch, variable, address, why
):
    """At once, without its password, and with what to write instead."""
    monkeypatch.setenv(variable, address)
    async with reading() as session:
        with pytest.raises(DownloadError, match=f"{variable} .*{why}") as failed:
            await download(session, "https://media.test/cat.mp4", tmp_path / "cat.mp4")
    assert not failed.value.retryable
    assert "s3cret" not in hostile.shown(failed.value)


@pytest.mark.parametrize(
    ("link", "status", "why"),
    [
        ("http://media.test:99/cat.mp4", 407, "wants a user name and password"),
        ("https://media.test/cat.mp4", 407, "wants a user name and password"),
        ("https://media.test/cat.mp4", 403, "refused to connect"),
        ("http://media.test:99/cat.mp4", 502, "answered 502"),
        ("https://media.test/cat.mp4", 502, "answered 502"),
    ],
)
async def test_what_the_proxy_says_is_told_as_the_proxys(tmp_path, monkeypatch, link, status, why):
    """The proxy is named with its variable and without its password; what can pass is tried again."""
    async with proxying(refusing=status) as proxy, reading() as session:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        with pytest.raises(DownloadError, match=why) as failed:
            await download(session, link, tmp_path / "cat.mp4")
    assert f"the proxy 127.0.0.1:{proxy.port} (ALL_PROXY)" in str(failed.value)
    assert failed.value.retryable is (status == 502)
    assert len(proxy.asked) == (6 if status == 502 else 1)
    assert "s3cret" not in hostile.shown(failed.value)


async def test_a_proxy_that_is_not_there_is_named(tmp_path, monkeypatch):
    """The proxy, and not the media host, could not be reached."""
    monkeypatch.setenv("HTTPS_PROXY", hostile.nobody())
    async with reading() as session:
        with pytest.raises(
            DownloadError, match=r"the proxy 127.0.0.1:\d+ \(HTTPS_PROXY\) could not be reached"
        ):
            await download(session, "https://media.test/cat.mp4", tmp_path / "cat.mp4")
