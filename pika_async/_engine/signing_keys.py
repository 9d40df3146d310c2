"""The public keys of providers that sign their callbacks: fetched when needed, and kept for an hour."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from attrs import define

from pika_async._transport import Sender, SendError
from pika_async.errors import PikaError
from pika_async.provider import Signs

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.engine import Engine

log = logging.getLogger("pika_async")

_LIFE = 3600.0
_DOUBT = 60.0
_RETRY = 5.0


@define
class _Kept:
    keys: bytes | None = None
    fetched_at: float = 0.0
    asked_at: float = 0.0
    fetching: asyncio.Task[None] | None = None


class SigningKeys:
    """Fetches keys in the background; *wake* is called whenever it is worth asking again."""

    def __init__(self, engine: Engine, transport: Sender, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._transport = transport
        self._wake = wake
        self._kept: dict[str, _Kept] = {}

    def of(self, account: Account) -> bytes | None:
        """Return the keys; None while they are being fetched."""
        kept = self._kept.setdefault(account.key, _Kept())
        now = self._engine.clock.now()
        if kept.keys is not None and now - kept.fetched_at < _LIFE:
            return kept.keys
        if not kept.asked_at or now - kept.asked_at >= _RETRY:
            self._fetch(account, kept)
        return None

    def doubt(self, account: Account) -> bool:
        """Take in that a callback does not fit the keys; tell whether to try again with newer ones."""
        kept = self._kept[account.key]
        if self._engine.clock.now() - kept.asked_at < _DOUBT:
            return False
        self._fetch(account, kept)
        return True

    def stop(self) -> None:
        """Fetch no more."""
        for kept in self._kept.values():
            if kept.fetching is not None:
                kept.fetching.cancel()

    def _fetch(self, account: Account, kept: _Kept) -> None:
        if kept.fetching is None:
            kept.asked_at = self._engine.clock.now()
            kept.fetching = self._engine.spawn(self._fetched(account, kept))

    async def _fetched(self, account: Account, kept: _Kept) -> None:
        try:
            if not await account.poller.spend():
                return
            request = account.guarded(cast("Signs", account.provider).build_keys())
            response = await self._transport.poll(request)
            if response.status == 200:
                kept.keys, kept.fetched_at = response.body, self._engine.clock.now()
                return
            log.warning("%s: the signing keys are refused: HTTP %d", account.key, response.status)
        except (SendError, PikaError) as error:
            log.warning("%s: the signing keys cannot be fetched: %s", account.key, error)
        except Exception:
            log.exception("%s: the signing keys cannot be fetched", account.key)
        finally:
            kept.fetching = None
            self._wake_after(kept)

    def _wake_after(self, kept: _Kept) -> None:
        clock = self._engine.clock
        fresh = kept.keys is not None and kept.fetched_at >= kept.asked_at
        clock.call_at(clock.now() if fresh else kept.asked_at + _RETRY, self._wake)
