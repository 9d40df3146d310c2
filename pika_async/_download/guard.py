"""Which hosts a link may lead to: those the user named, and those with a public address."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from yarl import URL

from pika_async._download.addresses import is_fake, is_public
from pika_async._download.failures import LinkRefusedError

if TYPE_CHECKING:
    from aiohttp import AddrInfoType
    from aiohttp.abc import AbstractResolver

_INSIDE = (".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".home", ".home.arpa")
_PATIENCE = 5.0


class NotPublicError(OSError):
    """The address that a name led to is not public."""


class Guard:
    """Judges every hop of every link; *allowed_hosts* are hosts or origins that the user answers for.

    A name that DNS leads to an address of the fake range is let through, a link with such an address is not.
    """

    def __init__(self, allowed_hosts: Collection[str], *, public: Callable[[str], bool] = is_public) -> None:
        self._allowed = frozenset(_origin(host) for host in allowed_hosts)
        self._public = public

    def allows(self, url: URL) -> bool:
        """Return whether the user answers for the host of *url*."""
        host = (url.host or "").lower()
        return not self._allowed.isdisjoint({(host, None), (host, url.port)})

    def check_literal(self, url: URL) -> None:
        """Raise `LinkRefusedError` if the host of *url* is an address, in any spelling, and not public."""
        address = _address(url.raw_host or "")
        if address is not None and not self._public(address):
            raise self.refusal(url)

    async def check_name(self, url: URL, resolver: AbstractResolver) -> None:
        """Raise `LinkRefusedError` if the host of *url* is known to lie inside; for what a proxy connects to.

        The proxy looks the name up again, so this rests on the proxy's own rules where DNS here knows less.
        """
        host = (url.raw_host or "").lower().rstrip(".")
        if _address(host) is not None:
            return
        if "." not in host or host.endswith(_INSIDE):
            raise self.refusal(url)
        try:
            async with asyncio.timeout(_PATIENCE):
                answers = await resolver.resolve(host, 0, socket.AF_UNSPEC)
        except (OSError, TimeoutError):
            return
        if not all(self._reachable(answer["host"]) for answer in answers):
            raise self.refusal(url)

    def socket(self, info: AddrInfoType) -> socket.socket:
        """Return a socket for the address of *info*, which a name led to; raises `NotPublicError`."""
        family, kind, protocol, _, address = info
        if not self._reachable(str(address[0])):
            raise NotPublicError("address is not public")
        return socket.socket(family, kind, protocol)

    @staticmethod
    def refusal(url: URL) -> LinkRefusedError:
        """Say that the host of *url* is not public, and how to allow it."""
        host = url.host
        return LinkRefusedError(
            f"{host} is not a public address; if that host is your own, or a proxy program here made its "
            f"address up, allow it with Pika(media_hosts=[{host!r}]) or PIKA_ASYNC_MEDIA_HOST={host}"
        )

    def _reachable(self, address: str) -> bool:
        return self._public(address) or is_fake(address)


def _address(host: str) -> str | None:
    """Return the address that *host* spells, as the system would read it; None for a name."""
    try:
        found = socket.getaddrinfo(
            normalize("NFKC", host).rstrip("."), None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except (OSError, UnicodeError):
        return None
    address: Any = found[0][4][0]
    return str(address)


def _origin(host: str) -> tuple[str, int | None]:
    url = URL(host if "://" in host else f"//{host}")
    if not url.host:
        raise ValueError(f"{host!r} is neither a host nor an origin: write 'media.lan' or '127.0.0.1:8123'")
    return url.host.lower(), url.port
