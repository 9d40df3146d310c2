"""The transport against a host that fails: what it says was sent is exactly what may have been sent."""

from __future__ import annotations

import asyncio
import gzip
import importlib
import socket
import time
import tracemalloc
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest
from attrs import evolve, frozen

from pika_async import _proxies, _transport
from pika_async._http import Form, HttpRequest, Json, Multipart
from pika_async._secret import Secret
from pika_async._transport import SendError, Timeouts, Transport
from pika_async.requests import Blob
from tests import hostile
from tests.hostile import CANARY, Asked, Identity, Script, Wire, http, order, sending, serving, shown

pytestmark = pytest.mark.anyio

SHORT = Timeouts(connect=5.0, submit=0.2, poll=0.2, held=0.2)
SLOW_CONNECT = Timeouts(connect=0.1, submit=5.0, poll=5.0, held=5.0)
ANSWER = http(200, {"task": "t1"}, Content_Type="application/json")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return hostile.identity(tmp_path_factory.mktemp("tls"))


async def failure(transport: Transport, request: HttpRequest, fence: Any = None) -> SendError:
    """Send *request*, expecting an error that shows no secret."""
    with pytest.raises(SendError) as caught:
        await transport.submit(request, fence)
    assert CANARY not in shown(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value


@frozen
class Row:
    """One row of the table "Was our request sent?" of the HTTP facts."""

    script: Script
    says: str
    through: Literal["http", "https", "http proxy", "https proxy"] = "http"
    timeouts: Timeouts = Timeouts(connect=5.0, submit=5.0, poll=5.0, held=5.0)
    sent: bool = False
    posts: int = 0


def kept(script: Script, says: str, *place: Any) -> Row:
    """Make a row in which nothing of the request left."""
    return Row(script, says, *place)


def gone(script: Script, posts: int, says: str, through: Any = "http", **options: Any) -> Row:
    """Make a row in which it may have left; *posts* of them reached the host whole."""
    return Row(script, says, through, sent=True, posts=posts, **options)


async def huge_head(wire: Wire) -> None:
    await wire.ask()
    wire.send(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n")


def _proxy_says(status: int) -> Script:
    return hostile.answer(http(status))


BROKEN_GZIP = http(200, gzip.compress(b'{"task": "t1"}')[:-6] + b"broken", Content_Encoding="gzip")
CUT_CHUNK = http(200, {"task": "t1"}, "chunked")[:-4]

ROWS = {
    "bad certificate": kept(hostile.forever, "certificate is not valid", "https"),
    "reset in the handshake": kept(hostile.reset_before_reading, "no connection", "https"),
    "end in the handshake": kept(hostile.close_on_start, "no connection", "https"),
    "reset on accept, in the handshake": kept(hostile.reset_on_accept, "no connection", "https"),
    "handshake not in time": kept(hostile.forever, "in time", "https", SLOW_CONNECT),
    "total over in the handshake": kept(hostile.forever, "no connection", "https", SHORT),
    "CONNECT refused with 407": kept(_proxy_says(407), "HTTP 407", "https proxy"),
    "CONNECT refused with 503": kept(_proxy_says(503), "HTTP 503", "https proxy"),
    "CONNECT reset": kept(hostile.reset_after_reading, "connection", "https proxy"),
    "CONNECT ended": kept(hostile.close_after_reading, "connection", "https proxy"),
    "CONNECT not in time": kept(hostile.stall, "no connection", "https proxy", SHORT),
    "CONNECT answered with nonsense": kept(hostile.answer(b"\0\1\2"), "", "https proxy"),
    "reset on accept": gone(hostile.reset_on_accept, 0, "connection"),
    "reset before reading": gone(hostile.reset_before_reading, 0, "connection"),
    "closed before reading": gone(hostile.close_on_start, 0, "connection"),
    "read, then reset": gone(hostile.reset_after_reading, 1, "connection"),
    "read, then closed": gone(hostile.close_after_reading, 1, "without an answer"),
    "head cut": gone(hostile.answer(b"HTTP/1.1 200 OK\r\nContent-"), 1, "without an answer"),
    "body cut": gone(hostile.answer(ANSWER[:-1]), 1, "cut off"),
    "body reset": gone(hostile.answer(ANSWER[:-1], then_reset=True), 1, "cut off"),
    "chunked body cut": gone(hostile.answer(CUT_CHUNK), 1, "cut off"),
    "bad gzip": gone(hostile.answer(BROKEN_GZIP), 1, "damaged"),
    "not HTTP": gone(hostile.answer(b"220 mail.test ESMTP\r\n\r\n"), 1, "not HTTP"),
    "head too long": gone(huge_head, 1, "not HTTP"),
    "no answer in time": gone(hostile.stall, 1, "no answer in time", timeouts=SHORT),
    "body not in time": gone(
        lambda wire: _send_and_stall(wire, ANSWER[:-1]), 1, "no answer in time", timeouts=SHORT
    ),
    "http proxy: reset": gone(hostile.reset_after_reading, 1, "connection", "http proxy"),
}


async def _send_and_stall(wire: Wire, start: bytes) -> None:
    await wire.ask()
    wire.send(start)
    await hostile.forever(wire)


@pytest.mark.parametrize("name", ROWS)
async def test_a_failure_says_whether_the_request_may_have_left(
    name: str, monkeypatch: pytest.MonkeyPatch, identity: Identity
) -> None:
    """Each row of the facts gives its `sent`, and the server has seen one POST at most."""
    row = ROWS[name]
    tls = identity.server if name == "bad certificate" else None
    async with serving(row.script, tls) as server, sending(row.timeouts) as transport:
        url = server.url
        match row.through:
            case "https":
                url = url.replace("http:", "https:")
            case "http proxy":
                monkeypatch.setenv("HTTP_PROXY", f"http://ann:{CANARY}@127.0.0.1:{server.port}")
                url = "http://api.test"
            case "https proxy":
                monkeypatch.setenv("HTTPS_PROXY", f"http://ann:{CANARY}@127.0.0.1:{server.port}")
                url = "https://api.test"
        error = await failure(transport, order(url))
        assert error.sent is row.sent
        assert row.says in str(error)
        assert server.posts.total() == row.posts
        assert server.connections <= 1


@pytest.mark.parametrize("cut", range(len(ANSWER)))
async def test_an_answer_cut_at_any_byte_may_have_been_accepted(cut: int) -> None:
    """Wherever the answer ends early, the request counts as sent and is never repeated."""
    async with serving(hostile.answer(ANSWER[:cut])) as server, sending() as transport:
        assert (await failure(transport, order(server.url))).sent
        assert server.posts.total() == server.connections == 1


async def test_a_refused_connection_sends_nothing() -> None:
    """Where nobody listens, nothing is sent."""
    async with sending() as transport:
        assert not (await failure(transport, order(hostile.nobody()))).sent


async def test_a_refused_proxy_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the proxy is down, nothing is sent."""
    monkeypatch.setenv("HTTPS_PROXY", hostile.nobody())
    async with sending() as transport:
        error = await failure(transport, order("https://api.test"))
        assert not error.sent
        assert "proxy" in str(error)


async def test_an_unknown_name_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose name is not found gets nothing."""

    def not_found(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", not_found)
    async with sending() as transport:
        error = await failure(transport, order("http://api.test"))
        assert not error.sent
        assert "name" in str(error)


async def test_a_name_that_is_not_found_in_time_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that never answers ends with the total timeout, and nothing is sent."""

    async def never(*_: object, **__: object) -> None:
        await asyncio.get_running_loop().create_future()

    async with sending(SHORT) as transport:
        monkeypatch.setattr(transport._connector._resolver, "resolve", never)
        assert not (await failure(transport, order("http://api.test"))).sent


@pytest.mark.parametrize("timeouts", [SHORT, SLOW_CONNECT])
async def test_a_connection_not_made_in_time_sends_nothing(timeouts: Timeouts) -> None:
    """Both the connect timeout and the total one leave nothing behind while connecting."""
    with hostile.full_backlog() as url:
        async with sending(timeouts) as transport:
            error = await failure(transport, order(url))
            assert not error.sent
            assert "in time" in str(error)


async def test_a_stuck_write_may_have_been_read() -> None:
    """A host that stops reading in the middle of the request leaves the outcome unknown."""
    media = Multipart({"key": Secret(CANARY)}, (("image", Blob(bytes(20_000_000))),))
    async with serving(hostile.read_nothing) as server, sending(SHORT) as transport:
        assert (await failure(transport, order(server.url, body=media))).sent


@pytest.mark.parametrize("kind", [Json, Form, Multipart])
async def test_inline_media_of_many_megabytes_arrive_whole(kind: Any) -> None:
    """A large body neither warns nor loses a byte."""
    size = 3_000_000
    body = (
        Multipart({}, (("image", Blob(b"x" * size)),)) if kind is Multipart else kind({"image": "x" * size})
    )
    async with serving(hostile.answer(ANSWER)) as server, sending() as transport:
        await transport.submit(order(server.url, body=body))
        assert server.asked[0].body.count(b"x") >= size


async def test_an_answer_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer larger than any real one is given up, and its request counts as sent."""
    monkeypatch.setattr(_transport, "_LARGEST_ANSWER", 100)
    for framing in ("length", "chunked", "close"):
        async with serving(hostile.answer(http(200, b"x" * 1000, framing))) as server, sending() as transport:
            assert (await failure(transport, order(server.url))).sent


@cache
def _bombs(size: int) -> dict[str, bytes]:
    """Return *size* zeros in every encoding that aiohttp decodes here."""
    zeros = bytes(size)
    made = {"gzip": gzip.compress(zeros), "deflate": zlib.compress(zeros)}
    made["gzip, in two members"] = 2 * gzip.compress(bytes(size // 2))
    for name, module, compress in (
        ("br", "brotli", "compress"),
        ("zstd", "backports.zstd", "compress"),
        ("zstd", "compression.zstd", "compress"),
    ):
        with suppress(ImportError):
            made[name] = getattr(importlib.import_module(module), compress)(zeros)
    return made


@pytest.mark.parametrize(
    ("coding", "framing"),
    [*((coding, "length") for coding in _bombs(1)), ("gzip", "chunked"), ("gzip", "close")],
)
async def test_a_packed_answer_is_counted_as_it_is_unpacked(
    coding: str, framing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few kilobytes that stand for many megabytes are given up before they take the memory."""
    monkeypatch.setattr(_transport, "_LARGEST_ANSWER", 300_000)
    packed = http(200, _bombs(20_000_000)[coding], framing, Content_Encoding=coding.partition(",")[0])
    async with serving(hostile.answer(packed)) as server, sending() as transport:
        tracemalloc.start()
        try:
            assert (await failure(transport, order(server.url))).sent
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("coding", _bombs(1))
async def test_a_packed_answer_of_common_size_is_read(coding: str) -> None:
    """An answer that the host packed comes out whole."""
    packed = http(200, _bombs(100_000)[coding], Content_Encoding=coding.partition(",")[0])
    async with serving(hostile.answer(packed)) as server, sending() as transport:
        assert (await transport.submit(order(server.url))).body == bytes(100_000)


async def test_what_cannot_be_encoded_is_not_sent() -> None:
    """An adapter's body that is not JSON fails before anything leaves."""
    async with serving(hostile.stall) as server, sending() as transport:
        error = await failure(transport, order(server.url, body=Json({"x": object(), "key": Secret(CANARY)})))
        assert not error.sent
        assert not server.posts


async def test_cancelled_while_connecting_sends_nothing() -> None:
    """A cancelled handshake leaves the host without a request, and the error without secrets."""
    async with serving(hostile.stay_silent_to_the_end) as server, sending() as transport:
        sent: list[str] = []
        task = asyncio.create_task(_fenced(transport, order(f"https://127.0.0.1:{server.port}"), sent))
        await server.until(lambda: server.connections == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert CANARY not in shown(caught.value)
        assert not sent
        assert not server.posts


async def _fenced(transport: Transport, request: HttpRequest, passed: list[str]) -> None:
    async def fence() -> None:
        passed.append("fence")

    await transport.submit(request, fence)


async def test_cancelled_while_waiting_has_sent_once() -> None:
    """A cancelled wait does not take the POST back, and does not repeat it."""
    async with serving(hostile.stall) as server, sending() as transport:
        task = asyncio.create_task(transport.submit(order(server.url)))
        await server.until(lambda: server.posts.total() == 1)
        task.cancel("by the test")
        with pytest.raises(asyncio.CancelledError, match="by the test") as caught:
            await task
        assert CANARY not in shown(caught.value)
        assert server.posts.total() == server.connections == 1


async def test_the_search_for_secrets_finds_one() -> None:
    """Without our care aiohttp's frames do show the key: the search above is not blind."""
    async with sending() as transport:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await transport._submits.post(
                hostile.nobody(), headers={"Authorization": CANARY}, trace_request_ctx=None
            )
        assert CANARY in shown(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer(status: int) -> None:
    """No redirect is followed: not with the body, not with the key, not at all."""
    async with serving(hostile.answer(ANSWER)) as other:
        redirect = http(status, b"", Location=f"{other.url}/videos")
        async with serving(hostile.answer(redirect)) as server, sending() as transport:
            assert (await transport.submit(order(server.url))).status == status
            assert server.posts.total() == 1
            assert (await transport.poll(order(server.url))).status == status
        assert other.connections == 0


@pytest.mark.parametrize("kind", ["submit", "poll", "held"])
async def test_each_kind_of_call_has_its_own_timeout(kind: str) -> None:
    """Only the timeout of its own kind ends a call."""
    timeouts = evolve(Timeouts(connect=5.0, submit=60.0, poll=60.0, held=60.0), **{kind: 0.05})
    async with serving(hostile.stall) as server, sending(timeouts) as transport:
        request = order(server.url, held=kind == "held")
        before = time.monotonic()
        with pytest.raises(SendError, match="no answer in time"):
            await (transport.poll(request) if kind == "poll" else transport.submit(request))
        assert time.monotonic() - before < 5


def test_the_timeouts_are_those_of_the_design() -> None:
    """Connect 10 s, submit 60 s, look-up 30 s, held answer 330 s."""
    assert Timeouts() == Timeouts(connect=10.0, submit=60.0, poll=30.0, held=330.0)


# What is kept, and what is not


def _by_prompt(asked: Asked) -> bytes:
    return http(200, {"task": asked.json["prompt"]})


async def test_cookies_are_not_kept() -> None:
    """What a host wants remembered is forgotten."""
    reply = hostile.answer_all(lambda _: http(200, b"{}", Set_Cookie="id=1"))
    async with serving(reply) as server, sending() as transport:
        for _ in range(2):
            await transport.submit(order(server.url))
        assert all("cookie" not in asked.headers for asked in server.asked)


# The fence


class HeldBackError(Exception):
    """What a fence raises here."""


@pytest.mark.parametrize("tls", [False, True])
async def test_a_fence_that_raises_keeps_every_byte_back(tls: bool, identity: Identity) -> None:
    """The fence runs on a ready connection; raising there, its own error comes out and nothing left."""
    context = identity.server if tls else None
    async with (
        serving(hostile.stay_silent_to_the_end, context) as server,
        sending(trust=identity) as transport,
    ):

        async def fence() -> None:
            await server.until(lambda: server.connections == 1)
            raise HeldBackError

        with pytest.raises(HeldBackError) as caught:
            await transport.submit(order(server.url), fence)
        assert CANARY not in shown(caught.value)
        await transport.aclose()
        await server.until(lambda: bool(server.asked))
        assert server.asked[0].body == b""


async def test_a_fence_that_raises_on_a_pooled_connection_spoils_nothing() -> None:
    """The next submit goes through as if the one held back had never been."""
    async with serving(hostile.answer_all(_by_prompt)) as server, sending() as transport:

        async def fence() -> None:
            raise HeldBackError

        await transport.submit(order(server.url, "one"))
        with pytest.raises(HeldBackError):
            await transport.submit(order(server.url, "two"), fence)
        assert (await transport.submit(order(server.url, "three"))).json() == {"task": "three"}
        assert server.posts == {"one": 1, "three": 1}


# Proxies and passwords of the environment


async def test_a_proxy_of_the_environment_is_used_with_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain request goes to the proxy whole, with the proxy's own credentials beside our key."""
    async with serving(hostile.answer(ANSWER)) as proxy, sending() as transport:
        monkeypatch.setenv("HTTP_PROXY", f"http://ann:p%40ss@127.0.0.1:{proxy.port}")
        assert (await transport.submit(order("http://api.test"))).status == 200
        asked = proxy.asked[0]
        assert asked.target == f"http://api.test/videos?sign={CANARY}"
        assert asked.headers["proxy-authorization"] == "Basic YW5uOnBAc3M="
        assert asked.headers["authorization"] == f"Bearer {CANARY}"


async def test_a_tunnel_gets_the_proxys_password_and_not_our_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """CONNECT carries what is the proxy's, and nothing of the request."""
    async with serving(_proxy_says(407)) as proxy, sending() as transport:
        monkeypatch.setenv("HTTPS_PROXY", f"http://ann:secret@127.0.0.1:{proxy.port}")
        await failure(transport, order("https://api.test"))
        assert (proxy.asked[0].method, proxy.asked[0].target) == ("CONNECT", "api.test:443")
        assert proxy.asked[0].headers["proxy-authorization"] == "Basic YW5uOnNlY3JldA=="
        assert CANARY not in str(proxy.asked)


@pytest.mark.parametrize("excused", ["*", "127.0.0.1", "localhost,127.0.0.1", "127.0.0.1:{port}"])
async def test_no_proxy_is_respected(excused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that NO_PROXY names is reached directly."""
    async with serving(hostile.answer(ANSWER)) as server, sending() as transport:
        monkeypatch.setenv("HTTP_PROXY", hostile.nobody())
        monkeypatch.setenv("NO_PROXY", excused.format(port=server.port))
        assert (await transport.submit(order(server.url))).status == 200


async def test_without_trust_no_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """`trust_env=False` reads nothing of the environment."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, hostile.nobody())
    async with serving(hostile.answer(ANSWER)) as server, sending(trust_env=False) as transport:
        assert (await transport.submit(order(server.url))).status == 200


async def test_the_environment_is_read_once_per_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for a proxy costs a request nothing after the first."""
    reads: list[int] = []
    known = _proxies.getproxies
    monkeypatch.setattr(_proxies, "getproxies", lambda: reads.append(1) or known())
    async with serving(hostile.answer_all(_by_prompt)) as server, sending() as transport:
        for _ in range(3):
            await transport.submit(order(server.url))
        assert len(reads) == 1


async def test_a_proxy_that_is_not_http_is_named_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy in the environment is a clear error, without its password."""
    monkeypatch.setenv("ALL_PROXY", f"socks5://ann:{CANARY}@127.0.0.1:1080")
    async with serving(hostile.answer(ANSWER)) as server, sending() as transport:
        error = await failure(transport, order(server.url))
        assert not error.sent
        assert "proxy" in str(error)
        assert server.connections == 0


async def test_netrc_is_never_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A password for the host in `.netrc` reaches nobody."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password hidden\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    async with serving(hostile.answer_all(lambda _: ANSWER)) as server, sending() as transport:
        await transport.submit(order(server.url))
        await transport.submit(order(server.url, headers={}))
        assert [asked.headers.get("authorization") for asked in server.asked] == [f"Bearer {CANARY}", None]


# What goes on the wire


@pytest.mark.parametrize(
    ("body", "content_type", "wire"),
    [
        (
            Json({"key": Secret(CANARY), "n": 1.5, "s": ("ä",)}),
            "application/json",
            '{"key":"%s","n":1.5,"s":["ä"]}',
        ),
        (
            Form({"key": Secret(CANARY), "q": "a b&c"}),
            "application/x-www-form-urlencoded",
            "key=%s&q=a+b%%26c",
        ),
    ],
)
async def test_a_body_reveals_its_secrets_on_the_wire_alone(body: Any, content_type: str, wire: str) -> None:
    """What an adapter hands over masked arrives in clear."""
    async with serving(hostile.answer(ANSWER)) as server, sending() as transport:
        await transport.submit(order(server.url, body=body))
        assert server.asked[0].headers["content-type"] == content_type
        assert server.asked[0].body.decode() == wire % CANARY
