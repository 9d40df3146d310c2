"""The reader of media links: what it refuses, what it follows, what it never sends."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver

from pika_async._download.failures import BrokenOffError, LinkRefusedError
from pika_async._download.links import place_of
from pika_async._download.media import MediaSession
from pika_async._http import HttpRequest
from pika_async._secret import Secret
from pika_async.requests import Blob
from tests.download.media_host import Reply, hosting

pytestmark = pytest.mark.anyio

OK = Reply(200, {"Content-Length": "2"}, b"ok")


class Names(AbstractResolver):
    """A name server whose answer to each question is the next one in the list."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def resolve(self, host, port=0, family=socket.AF_INET):
        address = self.answers.pop(0)
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [{"hostname": host, "host": address, "port": port, "family": kind, "proto": 0, "flags": 0}]

    async def close(self):
        pass


async def text_of(session, link):
    async with session.get(link, {}) as answer:
        return await answer.read()


async def text_all(session, link):
    parts = []
    async with session.get(link, {}) as answer:
        while part := await answer.read():
            parts.append(part)
    return b"".join(parts)


SPELLINGS = [
    "127.0.0.1",
    "localhost",
    "LOCALHOST",
    "0.0.0.0",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.1",
    "127。0。0。1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_an_internal_address_gets_a_byte(spelling):
    """However an internal address is written, nothing connects to it."""
    async with hosting(lambda _: OK) as host, MediaSession() as session:
        with pytest.raises(LinkRefusedError):
            await text_of(session, f"http://{spelling}:{host.port}/cat.mp4")
        assert host.connections == 0


@pytest.mark.parametrize(
    "link",
    [
        "file:///etc/passwd",
        "ftp://example.com/cat.mp4",
        "data:video/mp4;base64,AAAA",
        "http+unix://%2Frun%2Fdocker.sock/cat",
        "//example.com/cat.mp4",
        "cat.mp4",
        "",
        "http:///cat.mp4",
        "http://[::1/cat.mp4",
        "http://example.com:99999/cat.mp4",
        "http://127.0.0.1\\@example.com/cat.mp4",
        "https://user:word@example.com/cat.mp4",
        "https://@example.com/cat.mp4",
    ],
)
async def test_a_link_that_is_not_plain_http_is_refused(link):
    """Other schemes, user names and unreadable links are refused before anything is looked up."""
    async with MediaSession(resolver=Names()) as session:
        with pytest.raises(LinkRefusedError):
            await text_of(session, link)


async def test_an_allowed_origin_is_read():
    """A host the user allows may have an internal address, on the port that was named."""
    async with hosting(lambda _: OK) as host, MediaSession(allowed_hosts=[host.origin]) as session:
        assert await text_of(session, host.link()) == b"ok"
        with pytest.raises(LinkRefusedError):
            await text_of(session, "http://127.0.0.1:1/cat.mp4")


async def test_an_allowed_name_is_read_on_any_port():
    """A bare host name allows every port of that host, and its other spellings of case."""
    lan = MediaSession(allowed_hosts=["Media.Lan"], resolver=Names("127.0.0.1"))
    async with hosting(lambda _: OK) as host, lan as session:
        assert await text_of(session, f"http://media.LAN:{host.port}/cat.mp4") == b"ok"


def test_an_allowed_host_must_be_one():
    """A host that cannot be read is the user's mistake and is named."""
    with pytest.raises(ValueError, match="neither a host nor an origin"):
        MediaSession(allowed_hosts=["/path"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_an_internal_address_is_refused(status):
    """Every hop is checked, not only the first."""
    async with hosting(lambda _: OK) as internal:

        def script(asked):
            return Reply(status, {"Location": internal.link(), "Content-Length": "0"})

        async with hosting(script) as host, MediaSession(allowed_hosts=[host.origin]) as session:
            with pytest.raises(LinkRefusedError):
                await text_of(session, host.link())
        assert internal.connections == 0


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://u:p@127.0.0.1/x"])
async def test_a_redirect_to_another_scheme_is_refused(target):
    """A redirect cannot leave http and https, nor bring a user name."""

    def script(asked):
        return Reply(302, {"Location": target, "Content-Length": "0"})

    async with hosting(script) as host, MediaSession(allowed_hosts=["127.0.0.1"]) as session:
        with pytest.raises(LinkRefusedError):
            await text_of(session, host.link())


async def test_five_redirects_are_followed_and_no_sixth():
    """A chain of redirects ends after five."""

    def script(asked):
        left = int(asked.path.removeprefix("/"))
        return Reply(302, {"Location": f"/{left - 1}", "Content-Length": "0"}) if left else OK

    async with hosting(script) as host, MediaSession(allowed_hosts=[host.origin]) as session:
        assert await text_of(session, host.link("/5")) == b"ok"
        with pytest.raises(LinkRefusedError, match="more than 5"):
            await text_of(session, host.link("/6"))


async def test_a_name_that_changes_its_address_is_refused():
    """A name is judged at every connection, so a second answer that is internal gets nothing."""

    def first_only(address):
        return address == "127.0.0.1"

    media = MediaSession(public=first_only, resolver=Names("127.0.0.1", "127.0.0.2"))
    async with (
        hosting(lambda _: OK.but(cut=1)) as host,
        hosting(lambda _: OK, "127.0.0.2") as internal,
        media as session,
    ):
        with pytest.raises(BrokenOffError):
            await text_all(session, f"http://media.test:{host.port}/cat.mp4")
        with pytest.raises(LinkRefusedError):
            await text_all(session, f"http://media.test:{internal.port}/cat.mp4")
        assert internal.connections == 0


async def test_no_proxy_cookie_or_key_is_used(monkeypatch):
    """Unless told to, a session reads no proxy of the environment; it never reads netrc or keeps a cookie."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    baking = OK.with_headers(Set_Cookie="a=b")
    async with hosting(lambda _: baking) as host, MediaSession(allowed_hosts=[host.origin]) as session:
        await text_of(session, host.link())
        await text_of(session, host.link())
    assert {"cookie", "authorization", "referer"}.isdisjoint(host.asked[-1].headers)


async def test_a_signed_link_is_sent_letter_for_letter():
    """Quoting in the link is not touched, for a signature may be made over it."""
    path = "/a%2fb%2Fc/%41?sig=%2F+%2b~%7E&x=a%20b%3D"
    async with hosting(lambda _: OK) as host, MediaSession(allowed_hosts=[host.origin]) as session:
        await text_of(session, host.link(path))
    assert host.asked[0].path == path


async def test_silence_ends_the_wait():
    """A host that sends nothing for the idle timeout has broken off."""
    impatient = MediaSession(allowed_hosts=["127.0.0.1"], idle_timeout=0.05)
    async with hosting(lambda _: OK.but(cut=1, stall=True)) as host, impatient as session:
        with pytest.raises(BrokenOffError, match="sent nothing for too long"):
            await text_all(session, host.link())


async def test_headers_without_end_are_not_waited_for():
    """A host that is never idle and never answers has fallen silent all the same."""
    impatient = MediaSession(allowed_hosts=["127.0.0.1"], idle_timeout=0.03, connect_timeout=0.03)
    async with hosting(lambda _: OK.but(endless=True)) as host, impatient as session:
        with pytest.raises(BrokenOffError, match="sent nothing for too long"):
            await text_of(session, host.link())


async def test_a_host_that_is_not_there_has_broken_off():
    """A refused connection may be tried again."""
    async with hosting(lambda _: OK) as host:
        pass
    async with MediaSession(allowed_hosts=[host.origin]) as session:
        with pytest.raises(BrokenOffError, match="reached"):
            await text_of(session, host.link())


async def test_a_closed_session_reads_nothing():
    """After closing, a link is refused in plain words."""
    async with MediaSession() as session:
        pass
    with pytest.raises(LinkRefusedError, match="closed"):
        await text_of(session, "http://example.com/cat.mp4")


async def test_an_answer_that_is_not_http_tells_no_signature():
    """What is raised for an unreadable answer, its chain included, does not hold the link's query."""

    async def babble(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    origin = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, MediaSession(allowed_hosts=[origin]) as session:
        with pytest.raises(BrokenOffError) as broken:
            await text_of(session, f"http://{origin}/cat.mp4?sig=s3cret")
    assert broken.value.__cause__ is None
    assert "s3cret" not in str(broken.value)


@pytest.mark.parametrize(
    ("link", "place"),
    [
        ("https://cdn.example/a/cat.mp4?sig=s3cret#x", "cdn.example/a/cat.mp4"),
        ("https://user:s3cret@cdn.example:8443/cat.mp4", "cdn.example:8443/cat.mp4"),
        ("http://[::1/s3cret", "the link"),
    ],
)
def test_a_place_is_host_and_path(link, place):
    """People see host and path of a link and nothing that opens it."""
    assert place_of(link) == place


async def test_what_opens_a_link_is_sent_with_the_first_hop_alone():
    """Header and query, before any fragment; a relative redirect drops the query as well."""
    key = Secret("canary-of-a-link")

    def script(asked):
        moved = Reply(302, {"Content-Length": "0", "Location": "?part=1"})
        return moved if "canary" in asked.path else OK

    async with hosting(script) as host, MediaSession(allowed_hosts=[host.origin]) as session:
        own = host.link("/f?a=%7E#part")
        link = HttpRequest(method="GET", url=own, headers={"X-Key": key}, query={"k": key})
        assert await text_of(session, link) == b"ok"
    assert [(asked.path, asked.headers.get("x-key")) for asked in host.asked] == [
        ("/f?a=%7E&k=canary-of-a-link", "canary-of-a-link"),
        ("/f?part=1", None),
    ]


async def test_an_upload_goes_to_a_public_host_alone():
    """A host that an answer names may be any machine of the user's network."""
    put = HttpRequest(
        method="PUT",
        url="http://127.0.0.1:1/put",
        headers={"x-ticket": Secret("ticket")},
        body=Blob(b"\x89PNG", "image/png"),
    )
    async with MediaSession() as session:
        with pytest.raises(LinkRefusedError):
            await session.send(put)


async def test_an_upload_sends_bytes_headers_and_a_secret_query_as_they_are():
    """And returns the answer, whatever its status."""
    async with hosting(lambda _: Reply(201, {"Content-Length": "2", "ETag": '"e1"'}, b"ok")) as host:
        put = HttpRequest(
            method="PUT",
            url=host.link("/put"),
            headers={"x-ticket": Secret("ticket-1")},
            query={"sig": Secret("a+b/c=")},
            body=Blob(b"\x89PNG", "image/png"),
        )
        async with MediaSession(allowed_hosts=[host.origin]) as session:
            answer = await session.send(put)
    assert (answer.status, answer.body, answer.headers["etag"]) == (201, b"ok", '"e1"')
    (asked,) = host.asked
    assert asked.headers["x-ticket"] == "ticket-1"
    assert asked.headers["content-type"] == "image/png"
    assert asked.headers["content-length"] == "4"
    assert asked.path.partition("?")[0] == "/put"
