"""The handler: what a request means, without a socket."""

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async.callbacks import CallbackEvent, Handler, Reply
from pika_async.callbacks.handler import joined
from pika_async.callbacks.token import make_token, read_token, token_in
from tests.callbacks.conftest import ATTEMPT, KEY, TOKEN

HANDLER = Handler((KEY,), max_body=100)
JSON = {"content-type": "application/json"}
FORGED = Reply(404)


def test_a_callback_becomes_an_event():
    """The attempt is the token's; the body is passed on as it came."""
    reply = HANDLER.handle("POST", f"/pika/{TOKEN}", JSON, b'{"task_id": "t"}')
    assert reply == Reply(
        200,
        CallbackEvent(
            attempt_id=ATTEMPT, content_type="application/json", headers=JSON, body=b'{"task_id": "t"}'
        ),
    )


@pytest.mark.parametrize("path", [TOKEN, f"/{TOKEN}", f"/a/b/c/{TOKEN}", f"//{TOKEN}"])
def test_only_the_last_segment_is_read(path):
    """Whatever prefix the receiver is mounted under, or a proxy adds."""
    assert HANDLER.handle("POST", path, {}, b"").event.attempt_id == ATTEMPT


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/pika",
        f"/pika/{TOKEN}/",
        f"/pika/{TOKEN}x",
        f"/pika/{TOKEN[:-1]}",
        f"/pika/{TOKEN.upper()}",
        f"/pika/{ATTEMPT}",
        f"/pika/{ATTEMPT}.",
        f"/pika/{make_token(b'another secret', ATTEMPT)}",
        f"/pika/a1b2-2-9f.{TOKEN.rpartition('.')[2]}",
        f"/pika/{'a' * 100_000}",
        "/pika/\ud800.\x00",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_a_forged_address_is_not_found(path, method):
    """Always with the same answer, which reveals nothing."""
    assert HANDLER.handle(method, path, JSON, b"{}") == FORGED


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text()), st.binary())
def test_strangers_get_nothing_but_not_found(method, path, headers, body):
    """Whatever is sent, without a token there is no event and no error."""
    assert HANDLER.handle(method, path, headers, body) == FORGED


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_provider_may_try_the_address(method):
    """A genuine address answers, and nothing is received by that."""
    assert HANDLER.handle(method, TOKEN, {}, b"") == Reply(200)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "post"])
def test_other_methods_are_not_allowed(method):
    """The answer names those that are, as HTTP wants it."""
    reply = HANDLER.handle(method, TOKEN, {}, b"")
    assert reply == Reply(405)
    assert reply.headers == {"Allow": "GET, HEAD, POST"}


@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 413)])
def test_the_body_has_a_limit(size, status):
    """The limit itself is allowed."""
    assert HANDLER.handle("POST", TOKEN, JSON, b"x" * size).status == status


@pytest.mark.parametrize("length", ["101", "9" * 5000])
def test_a_body_announced_as_too_long_is_refused_unread(length):
    """Its length in the headers is enough."""
    assert HANDLER.admit("POST", TOKEN, {"content-length": length}) == Reply(413)


@pytest.mark.parametrize("length", ["100", "", "-1", "²", "many"])
def test_a_length_that_says_nothing_is_no_reason_to_refuse(length):
    """The body itself is counted anyhow."""
    assert HANDLER.admit("POST", TOKEN, {"content-length": length}) == ATTEMPT


def test_a_compressed_body_is_refused():
    """A few bytes could unfold without end, and signatures cover what was sent."""
    assert HANDLER.handle("POST", TOKEN, {"content-encoding": "gzip"}, b"") == Reply(415)


def test_credentials_for_the_proxy_are_not_kept():
    """The ledger holds what adapters need: signatures, not the passwords of whoever stands before us."""
    headers = {"authorization": "Basic x", "cookie": "x", "x-signature": "s"}
    event = HANDLER.handle("POST", TOKEN, headers, b"").event
    assert event.headers == {"x-signature": "s"}
    assert "Basic" not in repr(event)


@pytest.mark.parametrize(("size", "status"), [(32 * 1024, 200), (32 * 1024 + 1, 431)])
def test_headers_have_a_limit(size, status):
    """They are kept in the ledger with the callback, so they are bounded like its body."""
    headers = {"x-a": "b" * (size // 2 - 3), "x-c": "d" * (size - size // 2 - 3)}
    assert HANDLER.handle("POST", TOKEN, headers, b"").status == status


def test_header_fields_of_one_name_are_joined():
    """As HTTP says, and whatever the case of the names."""
    assert joined([("Via", "a"), ("via", "b"), ("Host", "c")]) == {"via": "a, b", "host": "c"}


def _handled(text):
    headers = {"content-type": text, "content-length": text, "content-encoding": "identity", text: "x"}
    Handler((KEY,), max_body=2**21).handle("POST", TOKEN, headers, text.encode("utf-8", "replace"))
    HANDLER.handle(text, text, headers, b"")
    HANDLER.handle("POST", f"/pika/{text}", {}, b"")


READERS = {
    "handle": _handled,
    "joined": lambda text: joined((text[at : at + 16], text[:16]) for at in range(0, len(text), 16)),
    "read_token": lambda text: read_token((KEY, b"another"), text),
    "token_in": token_in,
}
SEEDS = (
    *("/", ".", "a.", "?", "#", "%", "&a=", "?pika_attempt=a&", "[", "@", ":", ";", "0", "-1-"),
    *("\u0315\u0300", "\ufb01", "\u2100", "\ud800", "\x00", " ", "é", "\u0663"),
)


def _cost(read, text):
    best = float("inf")
    for attempt in range(3):
        # Never the same text twice: the standard library remembers what it has split.
        fresh = f"{text}{attempt}"
        start = time.thread_time()
        read(fresh)
        best = min(best, time.thread_time() - start)
    return best


@pytest.mark.parametrize("start", ["", "https://", "https://a/?", "https://a/"])
@pytest.mark.parametrize("reader", READERS)
def test_reading_takes_time_in_proportion(reader, start):
    """Of a text eight times as long, at most twice that: one long callback stops no event loop."""
    read = READERS[reader]
    for seed in SEEDS:
        short, long = (start + seed * (size // len(seed)) for size in (4 * 1024, 32 * 1024))
        assert _cost(read, long) <= 16 * max(_cost(read, short), 0.001), seed


def test_the_handler_does_not_show_its_keys():
    """Not even in a traceback with locals."""
    assert "secret" not in repr(HANDLER)


def test_a_flood_of_forgeries_leaves_nothing_behind():
    """Ten thousand of them cost only the CPU that refuses them."""
    body = b"x" * 100

    def flood(count):
        for number in range(count):
            assert HANDLER.handle("POST", f"/pika/a1b2-{number}-9f.{number:022}", JSON, body) == FORGED

    flood(100)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        flood(10_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000
