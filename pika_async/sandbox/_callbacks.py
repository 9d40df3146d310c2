"""Sends callbacks over real sockets, with the faults that were asked for."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from enum import StrEnum
from io import BytesIO
from typing import Final, Self, TypeAlias
from urllib.parse import urlencode

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from attrs import evolve, field, frozen
from yarl import URL

from pika_async.results import JSON
from pika_async.sandbox._guard import is_loopback

_log = logging.getLogger("pika_async.sandbox")

_OVERSIZE: Final = 2 * 1024 * 1024
"""Bytes added to an oversized callback: twice what aiohttp's server takes by default."""

_PIECES: Final = 10
_MOST_REFUSALS: Final = 100
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)


class CallbackFault(StrEnum):
    """What may happen to one callback.

    >>> CallbackFault.LOST.meaning
    'never sent'
    """

    LOST = "lost", "never sent"
    LATE = "late", "sent when the render is over three times as long as it took"
    TWICE = "twice", "sent twice, one after the other"
    TEN_TIMES = "ten_times", "sent ten times, one after the other"
    REORDERED = "reordered", "sent after the callbacks that should follow it"
    BEFORE_ANSWER = "before_answer", "delivered first; the submit's own answer waits for it"
    WRONG_TASK = "wrong_task", "its task_id names a task that does not exist"
    WRONG_TOKEN = "wrong_token", "sent to the address with its last eight characters replaced"
    OVERSIZED = "oversized", "carries 2 MiB of padding"
    SLOW = "slow", "its body takes ten render times (at most ten seconds) to arrive"
    FORM_ENCODED = "form_encoded", "urlencoded instead of JSON, nested values as JSON text"
    ENVELOPED = "enveloped", "wrapped in the envelope that Duomi's answers have"

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        """Make a member whose value is *word*."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member


ChoosesFault: TypeAlias = Callable[[Mapping[str, JSON]], CallbackFault | None]
"""Chooses for one callback by its body, when it is asked for (not when it is due)."""


def chooser(faults: CallbackFault | Iterable[CallbackFault | None] | ChoosesFault | None) -> ChoosesFault:
    """Make a chooser: one fault is for every callback, several are taken in turn, again and again.

    >>> choose = chooser([CallbackFault.LOST, None])
    >>> [choose({}), choose({}), choose({})]
    [<CallbackFault.LOST: 'lost'>, None, <CallbackFault.LOST: 'lost'>]
    """
    if faults is None or isinstance(faults, CallbackFault):
        return lambda _: faults
    if callable(faults):
        return faults
    turns = itertools.cycle(faults)
    return lambda _: next(turns)


@frozen(kw_only=True)
class Callback:
    """One callback as it will be sent: when (world time), where, what, how often, and how encoded.

    A *body* of bytes is sent as it is, with the *headers* that perhaps sign it.
    """

    url: str
    body: Mapping[str, JSON] | bytes
    at: float
    headers: Mapping[str, str] = field(factory=dict)
    times: int = 1
    as_form: bool = False
    pause: float = 0.0

    @property
    def fields(self) -> Mapping[str, JSON]:
        """Return what the body says, to be chosen by or changed; a changed body bears its old signature."""
        if not isinstance(self.body, bytes):
            return self.body
        try:
            told = json.loads(self.body)
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}


def spoil(callback: Callback, fault: CallbackFault, *, last: float, now: float, other: str) -> Callback:
    """Return *callback* as *fault* makes it; a lost one is sent zero times.

    *last* is when the last callback of the same render is due, *other* the id of no task.
    """
    match fault:
        case CallbackFault.LOST:
            return evolve(callback, times=0)
        case CallbackFault.LATE:
            return evolve(callback, at=callback.at + 3 * (last - now))
        case CallbackFault.TWICE:
            return evolve(callback, times=2)
        case CallbackFault.TEN_TIMES:
            return evolve(callback, times=10)
        case CallbackFault.REORDERED:
            return evolve(callback, at=2 * last - callback.at)
        case CallbackFault.BEFORE_ANSWER:
            return callback
        case CallbackFault.WRONG_TASK:
            return evolve(callback, body={**callback.fields, "task_id": other})
        case CallbackFault.WRONG_TOKEN:
            return evolve(callback, url=callback.url[:-8] + ("B" if callback.url.endswith("A") else "A") * 8)
        case CallbackFault.OVERSIZED:
            return evolve(callback, body={**callback.fields, "padding": "x" * _OVERSIZE})
        case CallbackFault.SLOW:
            return evolve(callback, pause=min(last - now, 1.0))
        case CallbackFault.FORM_ENCODED:
            return evolve(callback, as_form=True)
        case CallbackFault.ENVELOPED:
            envelope: dict[str, JSON] = {"code": 200, "msg": "成功", "data": callback.fields}
            return evolve(callback, body={**envelope, "exec_time": 0.02, "ip": "203.0.113.7"})


def encode(callback: Callback) -> tuple[str, bytes]:
    """Return content type and bytes of a callback's body.

    >>> body = {"status": "3", "data": [1], "msg": None}
    >>> encode(Callback(url="http://h.test", body=body, at=0, as_form=True))
    ('application/x-www-form-urlencoded', b'status=3&data=%5B1%5D&msg=')
    """
    if isinstance(callback.body, bytes) and not callback.as_form:
        return "application/json", callback.body
    if not callback.as_form:
        return "application/json", json.dumps(callback.body, ensure_ascii=False).encode()
    fields = {
        name: value if isinstance(value, str) else "" if value is None else json.dumps(value)
        for name, value in callback.fields.items()
    }
    return "application/x-www-form-urlencoded", urlencode(fields).encode()


class CallbackSender:
    """POSTs callbacks when they are due, each once and with no retries: the documents promise none.

    It sends to this machine and to the *allowed* hosts only: whoever orders a video chooses the address,
    and must not reach other machines through ours.
    """

    def __init__(self, clock: Callable[[], float], allowed: Collection[str] = ()) -> None:
        self._clock = clock
        self._allowed = allowed
        self._refused: set[str] = set()
        self._session: aiohttp.ClientSession | None = None
        self._deliveries: set[asyncio.Task[None]] = set()

    def send(self, callback: Callback) -> asyncio.Task[None] | None:
        """Start the delivery that waits until *callback* is due; None where it may not or cannot be sent."""
        if not callback.times or not callback.url.isascii():
            return None
        try:
            # Read as aiohttp will read it, so that both see the same host.
            url = URL(callback.url)
            host = url.raw_host or ""
        except ValueError:
            return None
        if url.scheme not in {"http", "https"} or host.endswith(".invalid"):
            return None
        # aiohttp resolves no such host, and the system may read 167772161 as 10.0.0.1.
        numeric = ":" in host or host.replace(".", "").isdigit()
        if numeric and not (host in self._allowed or is_loopback(host)):
            self._refuse(host)
            return None
        delivery = asyncio.create_task(self._deliver(callback))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)
        return delivery

    async def aclose(self) -> None:
        """Drop callbacks that were not sent yet, and close the connections."""
        for delivery in self._deliveries:
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _deliver(self, callback: Callback) -> None:
        await sleep_until(callback.at, self._clock)
        if self._session is None:
            resolver = _NearResolver(self._allowed, self._refuse)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver),
                timeout=_TIMEOUT,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        content_type, body = encode(callback)
        for _ in range(callback.times):
            # A slow body has no length in advance, so it goes in chunks.
            data = _dribble(body, callback.pause) if callback.pause else BytesIO(body)
            headers = {"content-type": content_type, **callback.headers}
            try:
                async with self._session.post(
                    callback.url, data=data, headers=headers, allow_redirects=False
                ) as answer:
                    await answer.read()
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                # The address bears a token, so it is not named.
                _log.debug("A callback was not delivered: %s", type(error).__name__)

    def _refuse(self, host: str) -> None:
        if host not in self._refused and len(self._refused) < _MOST_REFUSALS:
            self._refused.add(host)
            _log.warning(
                "No callback is sent to %.100r: the sandbox calls back to this machine only. Name the host "
                "when you start it (allowed_hosts, or --allow-host).",
                host,
            )


class _NearResolver(AbstractResolver):
    """Resolves names, and leaves out addresses of other machines unless the name is *allowed*.

    Asked at each new connection, so a name cannot change its meaning after a check.
    """

    def __init__(self, allowed: Collection[str], refuse: Callable[[str], None]) -> None:
        self._allowed, self._refuse = allowed, refuse
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        near = found if host.lower() in self._allowed else [at for at in found if is_loopback(at["host"])]
        if not near:
            self._refuse(host)
            raise OSError("The host is another machine.")
        return near

    async def close(self) -> None:
        await self._resolver.close()


async def sleep_until(when: float, clock: Callable[[], float]) -> None:
    """Wait until *clock* returns *when* or later."""
    while (left := when - clock()) > 0:  # noqa: ASYNC110  there is no event but the time itself
        await asyncio.sleep(left)


async def _dribble(body: bytes, pause: float) -> AsyncIterator[bytes]:
    size = -(-len(body) // _PIECES)
    for start in range(0, len(body), size):
        yield body[start : start + size]
        await asyncio.sleep(pause)
