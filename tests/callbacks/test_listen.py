"""The stand-alone receiver: commits to a ledger, and that is all."""

import socket

import pytest

from pika_async import ConfigError
from pika_async._ledger.memory import MemoryLedger
from pika_async.callbacks.standalone import receiving
from pika_async.callbacks.token import make_token
from tests.callbacks.conftest import ATTEMPT

pytestmark = pytest.mark.anyio

SECRETS = ["the newest, which signs", "an older one, still good"]


async def test_callbacks_are_kept_for_the_processes_that_wait(client):
    """What the ledger's own secret signed needs no configuration."""
    ledger = MemoryLedger()
    token = make_token(await ledger.secret(), ATTEMPT)
    async with receiving(ledger, [], "127.0.0.1", 0) as address:
        for segment, status in ((token, 200), (token, 200), (token[:-1], 404)):
            async with client.post(f"{address}/{segment}", json={"task_id": "t"}) as answer:
                assert answer.status == status
        (received,) = await ledger.inbox_pending()
    assert (received.attempt_id, received.body) == (ATTEMPT, b'{"task_id": "t"}')


async def test_every_secret_verifies(client):
    """New ones, old ones and the ledger's own; nobody else's."""
    ledger = MemoryLedger()
    own = await ledger.secret()
    async with receiving(ledger, SECRETS, "127.0.0.1", 0) as address:
        for secret in (*map(str.encode, SECRETS), own, b"somebody else's"):
            async with client.get(f"{address}/pika/{make_token(secret, ATTEMPT)}") as answer:
                assert answer.status == (404 if secret == b"somebody else's" else 200)


async def test_a_taken_port_is_named():
    """A port that someone else has is one plain sentence."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} at 127.0.0.1 cannot be used"):
            async with receiving(MemoryLedger(), [], "127.0.0.1", port):
                pytest.fail("It is taken.")
