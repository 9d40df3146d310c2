"""The handler: what a request means, without a socket."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async.callbacks import CallbackEvent, Handler, Reply
from pika_async.callbacks.token import make_token
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
    """Always the same answer, so that it tells nothing."""
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
