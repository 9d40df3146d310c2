"""The public keys of providers that sign their callbacks: fetched when needed, and kept for an hour."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from attrs import define

from pika_async._engine.account import Account
from pika_async._engine.clock import Clock
from pika_async._engine.desk import Desk
from pika_async._sender import SendError
from pika_async.errors import BadReply, PikaError
from pika_async.provider import HttpResponse

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

    def __init__(self, desk: Desk, clock: Clock, wake: Callable[[], None]) -> None:
        self._desk = desk
        self._clock = clock
        self._wake = wake
        self._kept: dict[str, _Kept] = {}

    def of(self, account: Account) -> bytes | None:
        """Return the keys; None while they are being fetched."""
        kept = self._kept.setdefault(account.key, _Kept())
        now = self._clock.now()
        if kept.keys is not None and now - kept.fetched_at < _LIFE:
            return kept.keys
        if not kept.asked_at or now - kept.asked_at >= _RETRY:
            self._fetch(account, kept)
        return None

    def doubt(self, account: Account) -> bool:
        """Note that a callback does not fit the keys; return whether to try again with newer ones."""
        kept = self._kept[account.key]
        if self._clock.now() - kept.asked_at < _DOUBT:
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
            kept.asked_at = self._clock.now()
            kept.fetching = self._desk.spawn(self._fetched(account, kept))

    async def _fetched(self, account: Account, kept: _Kept) -> None:
        try:
            if (signer := account.signer) is not None:
                kept.keys = await account.ask(signer.build_keys, _keys)
                kept.fetched_at = self._clock.now()
        except (SendError, PikaError) as error:
            log.warning("%s: the signing keys cannot be fetched: %s", account.key, error)
        finally:
            kept.fetching = None
            fresh = kept.keys is not None and kept.fetched_at >= kept.asked_at
            self._clock.call_at(self._clock.now() if fresh else kept.asked_at + _RETRY, self._wake)


def _keys(response: HttpResponse) -> bytes:
    if response.status != 200:
        raise BadReply(f"The signing keys are refused: HTTP {response.status}", status=response.status)
    return response.body
