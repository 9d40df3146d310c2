"""A stand-alone receiver: it commits callbacks to a ledger, for the processes that wait for the jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from pika_async.callbacks.ledger_inbox import LedgerInbox
from pika_async.callbacks.options import Callbacks
from pika_async.callbacks.receiver import Receiver
from pika_async.callbacks.token import NOWHERE
from pika_async.errors import ConfigError

if TYPE_CHECKING:
    from pika_async._ledger import Ledger


@asynccontextmanager
async def receiving(ledger: Ledger, secrets: Sequence[str], host: str, port: int) -> AsyncIterator[str]:
    """Receive callbacks into *ledger*; yields the address. Raises `ConfigError` for a taken port."""
    # `public_url` is required but unused here: a stand-alone receiver submits nothing.
    options = Callbacks(public_url=NOWHERE, secret=secrets[0] if secrets else None, old_secrets=secrets[1:])
    receiver = Receiver(options)
    # Paths hold tokens, so there is no access log.
    runner = web.AppRunner(receiver.aiohttp(), access_log=None, shutdown_timeout=1.0)
    await ledger.open()
    try:
        receiver.open(LedgerInbox(ledger), options.keys(await ledger.secret()))
        await runner.setup()
        yield await _bound(runner, host, port)
    finally:
        await runner.cleanup()
        await ledger.aclose()


async def _bound(runner: web.AppRunner, host: str, port: int) -> str:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise ConfigError(
            f"Port {port} at {host} cannot be used ({error.strerror}); choose others."
        ) from None
    bound, chosen = runner.addresses[0][:2]
    return f"http://[{bound}]:{chosen}" if ":" in bound else f"http://{bound}:{chosen}"
