"""Media in the form that a provider takes: links read into bytes, bytes uploaded. It buys nothing.

It is done before a slot is asked for, because an upload may take minutes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote, urlsplit
from weakref import WeakValueDictionary

from pika_async import _hosts
from pika_async._engine.account import Account
from pika_async._engine.clock import Clock, sleep
from pika_async._engine.files import usable, with_blobs
from pika_async._engine.flight import LINK_MARGIN, Flight, Prepared
from pika_async._http import HttpRequest, HttpResponse
from pika_async._ledger import Ledger
from pika_async._media_type import media_type
from pika_async._powers import Takes, Uploaded, Uploading
from pika_async._sender import Sender, SendError
from pika_async.errors import (
    BadReply,
    ConfigError,
    LedgerError,
    PikaError,
    ProviderUnavailable,
    RateLimited,
    UnsupportedRequest,
)
from pika_async.provider import Uploads as UploadsMedia
from pika_async.requests import Blob, Media, media_of, with_media

if TYPE_CHECKING:
    from pika_async._download.media import MediaSession

AT_ONCE: Final = 4
"""Orders whose media are fetched or uploaded at once, for each client: their bytes are in memory."""
_MOST_STEPS: Final = 200
_TRIES: Final = 3
_PAUSE: Final = 1.0
_UNKNOWN_LIFE: Final = 3600.0
_LARGEST: Final = 256 * 1024 * 1024


class Uploads:
    """Prepares orders, a few at a time; links are kept in the ledger by the SHA-256 of their bytes."""

    def __init__(
        self, ledger: Ledger, transport: Sender, clock: Clock, media: Callable[[], MediaSession]
    ) -> None:
        self._ledger = ledger
        self._transport = transport
        self._clock = clock
        self._media = media
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def forget(self, flight: Flight) -> None:
        """Use the kept links of *flight* no more: a submit that bore them was refused."""
        done, flight.prepared = flight.prepared, None
        for name in () if done is None else done.kept:
            with suppress(LedgerError):
                await self._ledger.learned(name, "null")

    async def prepare(self, flight: Flight) -> None:
        """Bring the media of *flight* into form; raises `PikaError`, and nothing was bought then."""
        account, order = flight.account, flight.request
        if order is None:
            return
        async with self._turns:
            read = await with_blobs(order, flight.record.files)
            until = float("inf")
            kept: list[str] = []
            formed: list[Media] = []
            for field, medium in media_of(read):
                form = await self._formed(account, field, medium)
                if isinstance(form, Blob) and account.capabilities.takes(field).uploaded(len(form.data)):
                    name = _name(account, form)
                    form, good_until, is_kept = await self._link(account, form, name)
                    until = min(until, good_until)
                    kept += [name] * is_kept
                formed.append(form)
        flight.prepared = Prepared(account.key, with_media(read, formed), until, tuple(kept))

    async def _formed(self, account: Account, field: str, medium: Media) -> Media:
        takes = account.capabilities.takes(field)
        if isinstance(medium, str) and not takes.links:
            medium = await self._fetched(field, medium, takes)
        if isinstance(medium, Blob) and (problem := takes.size_problem(len(medium.data))):
            raise UnsupportedRequest(f"{field} must be {problem}; nothing was bought.", provider=account.name)
        return medium

    async def _fetched(self, field: str, link: str, takes: Takes) -> Blob:
        """Read a link of the user's, with the guard and the limits of a download."""
        from pika_async._download.failures import BrokenOffError, LinkRefusedError

        most = min(takes.limit or _LARGEST, _LARGEST)
        try:
            data = await self._whole(link, most)
        except (LinkRefusedError, BrokenOffError) as error:
            raise UnsupportedRequest(
                f"{field} could not be read from its link ({error}); nothing was bought. Give the file."
            ) from None
        name = unquote(urlsplit(link).path).rpartition("/")[2] or "media"
        return Blob(usable(field, name, data), media_type(data), name)

    async def _whole(self, link: str, most: int) -> bytes:
        from pika_async._download.failures import LinkRefusedError

        data = bytearray()
        async with self._media().get(link, {}) as answer:
            while answer.status == 200 and len(data) <= most and (chunk := await answer.read()):
                data += chunk
        if answer.status != 200:
            raise LinkRefusedError(f"it answered HTTP {answer.status}")
        if len(data) > most:
            raise LinkRefusedError(f"it holds more than {most:,} bytes")
        return bytes(data)

    async def _link(self, account: Account, blob: Blob, name: str) -> tuple[str, float, bool]:
        """Return a link of *blob*, until when it is good, and whether it was made before."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            known = _read(await self._ledger.learned(name))
            if known is not None and self._ledger.now() + LINK_MARGIN < known[1]:
                return (*known, True)
            made = await self._uploaded(account, blob)
            life = _UNKNOWN_LIFE if made.seconds is None else made.seconds
            # A life shorter than the margin is used up by the order it was made for.
            until = self._ledger.now() + max(life, LINK_MARGIN * 2)
            await self._ledger.learned(name, json.dumps([made.link, self._ledger.now() + life]))
            return made.link, until, False

    async def _uploaded(self, account: Account, blob: Blob) -> Uploaded:
        adapter = cast("UploadsMedia", account.provider)
        step = Uploading()
        for _ in range(_MOST_STEPS):
            told = await self._step(account, blob, adapter, step)
            if isinstance(told, Uploaded):
                _checked(account, told)
                return told
            step = told
        raise _failed(account, blob, f"it takes more than {_MOST_STEPS} steps")

    async def _step(
        self, account: Account, blob: Blob, adapter: UploadsMedia, step: Uploading
    ) -> Uploading | Uploaded:
        """Make one step; what brings no answer is tried again, because it buys nothing."""
        for number in range(1, _TRIES + 1):
            try:
                told: object = await account.ask(
                    lambda: self._addressed(account, adapter.build_upload(blob, step)),
                    lambda response: adapter.read_upload(response, blob, step),
                    budgeted=False,
                    send=lambda request: self._send(account, request),
                )
            except SendError as error:
                failure: PikaError = _failed(account, blob, str(error))
            except (RateLimited, ProviderUnavailable) as error:
                failure = _unbought(error)
            except PikaError as error:
                raise _unbought(error) from None
            else:
                if isinstance(told, Uploading | Uploaded):
                    return told
                raise _failed(account, blob, f"the adapter returned a {type(told).__name__}")
            if number < _TRIES:
                wish = failure.retry_after if isinstance(failure, RateLimited) else None
                await sleep(self._clock, wish or _PAUSE * 4 ** (number - 1))
        raise failure

    def _addressed(self, account: Account, request: HttpRequest) -> HttpRequest:
        """Return *request*; raises `ConfigError` for a host that the adapter does not list."""
        loaded = account.loaded
        listed = _hosts.allowed(request.url, loaded.capabilities.hosts) is not None
        if loaded.origin is not None and request.origin != loaded.origin and not listed:
            raise ConfigError(
                f"The adapter {account.name} wanted to upload to {request.origin}, which is not among its "
                "hosts; report it to the adapter's author.",
                provider=account.name,
            )
        return request

    async def _send(self, account: Account, request: HttpRequest) -> HttpResponse:
        """Send one step: a host that only an answer named must be a public one."""
        if request.origin == account.loaded.origin or _hosts.named(request.url, account.capabilities.hosts):
            return await self._transport.poll(request)
        from pika_async._download.failures import BrokenOffError, LinkRefusedError

        try:
            return await self._media().send(request)
        except (LinkRefusedError, BrokenOffError) as error:
            raise SendError(str(error), sent=True) from None


def _name(account: Account, blob: Blob) -> str:
    """Return by which name the ledger keeps the link of *blob*."""
    return f"upload:{account.key}:{hashlib.sha256(blob.data).hexdigest()}:{blob.content_type}"


def _read(text: str | None) -> tuple[str, float] | None:
    try:
        link, until = json.loads(text or "null")
        return str(link), float(until)
    except (ValueError, TypeError):
        return None


def _checked(account: Account, made: Uploaded) -> None:
    if not made.link.startswith(("https://", "http://")):
        raise BadReply(
            f"The upload to {account.name} ended without a link; nothing was bought. Report it to the author "
            "of the adapter.",
            provider=account.name,
            phase="submit",
            charged="no",
        )


def _failed(account: Account, blob: Blob, why: str) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"{blob.name} could not be uploaded to {account.name}: {why}; nothing was bought. Try again.",
        provider=account.name,
        phase="submit",
        charged="no",
    )


def _unbought(error: PikaError) -> PikaError:
    """Say of an error of an upload what is true of each: nothing was charged."""
    error.phase, error.charged = "submit", "no"
    if "nothing was bought" in error.message:
        return error
    told = f"{error.message.rstrip('.')}. The media were not uploaded, and nothing was bought."
    error.message, error.args = told, (told, *error.args[1:])
    return error
