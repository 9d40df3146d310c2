"""Both shells over real sockets, in a real aiohttp and a real FastAPI application."""

import asyncio
import logging
from io import BytesIO
from urllib.parse import urlencode

import pytest

from pika_async import LedgerError
from pika_async.callbacks import Callbacks, Receiver
from pika_async.callbacks.token import make_token
from tests.callbacks.conftest import ATTEMPT, KEY, TOKEN, converse, serve_bare

pytestmark = pytest.mark.anyio


def url(port, token=TOKEN):
    return f"http://127.0.0.1:{port}/pika/{token}"


async def test_json_is_received(serve, make_receiver, inbox, client):
    """Bytes, content type and headers arrive as they were sent, and the answer is empty."""
    body = '{"msg": "成功"}'.encode()
    headers = {"Content-Type": "application/json", "X-Signature": "abc"}
    async with serve(make_receiver()) as port, client.post(url(port), data=body, headers=headers) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    (event,) = inbox.events
    assert (event.attempt_id, event.content_type, event.body) == (ATTEMPT, "application/json", body)
    assert event.headers["x-signature"] == "abc"


async def test_a_form_is_received(serve, make_receiver, inbox, client):
    """A provider may send one; its adapter reads it."""
    async with serve(make_receiver()) as port, client.post(url(port), data={"status": "3", "a": "b c"}):
        pass
    (event,) = inbox.events
    assert event.content_type == "application/x-www-form-urlencoded"
    assert event.body == urlencode({"status": "3", "a": "b c"}).encode()


async def test_chunks_are_put_together(serve, make_receiver, inbox):
    """A body need not announce its length."""
    async with serve(make_receiver()) as port:
        assert await converse(port, b'3\r\n{"a\r\n', b'5\r\n": 1}\r\n', b"0\r\n\r\n") == 200
    assert [event.body for event in inbox.events] == [b'{"a": 1}']


async def test_repeated_headers_are_joined(serve, make_receiver, inbox):
    """As HTTP says, so that no signature is lost."""
    head = "X-Signature: a\r\nx-signature: b\r\nContent-Length: 2\r\n"
    async with serve(make_receiver()) as port:
        assert await converse(port, b"{}", head=head) == 200
    assert [event.headers["x-signature"] for event in inbox.events] == ["a, b"]


async def test_a_repeat_gets_the_same_answer(serve, make_receiver, client):
    """Providers push again when they missed our answer."""
    answers = set()
    async with serve(make_receiver()) as port:
        for _ in range(10):
            async with client.post(url(port), json={}) as answer:
                answers.add((answer.status, await answer.read()))
    assert answers == {(200, b"")}


async def test_forgeries_all_get_the_same_answer(serve, make_receiver, inbox, client):
    """Forged, truncated, foreign, none: whoever guesses learns nothing."""
    forged = [f"{ATTEMPT}.forged", TOKEN[:-1], make_token(b"another's secret", ATTEMPT), "", "%00%ff", "a/b"]
    answers = set()
    async with serve(make_receiver()) as port:
        for token in forged:
            async with client.post(url(port, token), json={}) as answer:
                kept = {n: v for n, v in answer.headers.items() if n.lower() not in {"date", "server"}}
                answers.add((answer.status, await answer.read(), str(sorted(kept.items()))))
    assert len(answers) == 1
    ((status, body, _),) = answers
    assert (status, body) == (404, b"")
    assert inbox.events == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_provider_may_try_the_address(serve, make_receiver, inbox, client, method):
    """A genuine one answers, and nothing is received by that."""
    async with serve(make_receiver()) as port, client.request(method, url(port)) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    assert inbox.events == []


async def test_other_methods_are_not_allowed(serve, make_receiver, inbox, client):
    """The answer names those that are."""
    async with serve(make_receiver()) as port:
        for method in ("PUT", "DELETE", "OPTIONS"):
            async with client.request(method, url(port), data=b"{}") as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert inbox.events == []


async def test_an_announced_oversized_body_is_refused(serve, make_receiver, inbox):
    """Before a byte of it is sent."""
    async with serve(make_receiver(max_body=1000)) as port:
        assert await converse(port, head="Content-Length: 1001\r\n") == 413
    assert inbox.events == []


async def test_an_unannounced_oversized_body_is_refused(serve, make_receiver, inbox):
    """While it is still coming."""
    piece = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    async with serve(make_receiver(max_body=1000)) as port:
        assert await converse(port, piece, piece) == 413
    assert inbox.events == []


async def test_more_than_the_servers_usual_limit_can_be_allowed(serve, make_receiver, inbox, client):
    """The 1 MiB of aiohttp's own limit is not ours."""
    body = BytesIO(b"x" * 2**21)
    async with serve(make_receiver(max_body=2**22)) as port, client.post(url(port), data=body) as answer:
        assert answer.status == 200
    assert [len(event.body) for event in inbox.events] == [2**21]


async def test_a_slow_body_is_given_up(serve, make_receiver, inbox):
    """The sender hears so."""
    async with serve(make_receiver(body_timeout=0.05)) as port:
        assert await converse(port, b"1\r\n{\r\n") == 408
    assert inbox.events == []


async def test_a_sender_that_hangs_up_does_no_harm(serve, make_receiver, inbox, client, caplog):
    """Half a callback is none, and the next one is received."""
    async with serve(make_receiver()) as port:
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"POST /pika/{TOKEN} HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n"
            writer.write(head.encode() + b"half")
            await writer.drain()
            writer.transport.abort()
        async with client.post(url(port), data=b"whole") as answer:
            assert answer.status == 200
    assert [event.body for event in inbox.events] == [b"whole"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_broken_body_is_refused(serve, make_receiver, inbox, caplog):
    """Chunks that are none end the request, and no log shows where they went."""
    async with serve(make_receiver()) as port:
        assert await converse(port, b"1\r\n{\r\n", b"nonsense\r\n") == 400
    assert inbox.events == []
    assert TOKEN not in caplog.text


async def test_what_cannot_be_committed_is_asked_for_again(serve, make_receiver, inbox, client):
    """503 and no 2xx, so the provider repeats it."""
    inbox.error = LedgerError("The disk is full; free some space.")
    async with serve(make_receiver()) as port, client.post(url(port), json={}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert await answer.read() == b""


async def test_a_server_may_start_before_the_client(serve, inbox, client):
    """Whoever calls before it is open is asked to call again."""
    receiver = Receiver(Callbacks(public_url="https://app.test/pika", secret=KEY))
    async with serve(receiver) as port:
        async with client.post(url(port), json={}) as answer:
            assert answer.status == 503
        receiver.open(inbox, [KEY])
        async with client.post(url(port), json={}) as answer:
            assert answer.status == 200


async def test_garbage_does_not_touch_the_inbox(serve, make_receiver, inbox, client):
    """Three hundred forgeries at a time, with a genuine one in their midst."""

    async def post(token, body):
        async with client.post(url(port, token), data=body) as answer:
            return answer.status

    async with serve(make_receiver()) as port:
        garbage = [post(f"a1b2-{number}-9f.{number:022}", b"x" * 1000) for number in range(300)]
        statuses = await asyncio.gather(*garbage[:150], post(TOKEN, b"{}"), *garbage[150:])
    assert statuses.count(404) == 300
    assert statuses[150] == 200
    assert len(inbox.events) == 1


async def test_no_log_of_ours_shows_a_token(serve, make_receiver, inbox, client, caplog):
    """Neither good nor bad nor failing requests leave it anywhere in our loggers."""
    caplog.set_level(logging.DEBUG, "pika_async")
    async with serve(make_receiver(max_body=10)) as port:
        for inbox.error in (None, LedgerError("The disk is full.")):
            for body in (b"{}", b"x" * 99):
                async with client.post(url(port), data=body):
                    pass
        async with client.post(url(port, TOKEN[:-1]), data=b""):
            pass
    ours = [record for record in caplog.records if record.name.startswith("pika_async")]
    assert TOKEN[:-1] not in str([record.getMessage() for record in ours])


async def test_the_asgi_application_stands_alone(make_receiver, inbox, client):
    """Under a server that insists on a lifespan, with nothing mounted around it."""
    async with serve_bare(make_receiver()) as port, client.post(url(port), json={}) as answer:
        assert answer.status == 200
    assert len(inbox.events) == 1


async def test_a_websocket_is_turned_away(make_receiver):
    """Nothing speaks that here."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "websocket.connect"}

    await make_receiver().asgi()({"type": "websocket", "path": f"/{TOKEN}"}, receive, send)
    assert sent == [{"type": "websocket.close"}]
