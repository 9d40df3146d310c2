"""The proxies that the environment names for API calls and downloads."""

from __future__ import annotations

import os
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from attrs import field, frozen
from yarl import URL

from pika_async._http import origin
from pika_async._secret import Secret
from pika_async.errors import ConfigError


@frozen
class Proxy:
    """A proxy and where it was named; its text is for people and holds no password."""

    url: URL = field(repr=False)
    source: str

    def __str__(self) -> str:
        return f"{self.url.host}:{self.url.port} ({self.source})"


@frozen
class _Unusable:
    """What was named cannot be gone through, for a *reason* that says what to write instead."""

    reason: str


@frozen
class Proxies:
    """The proxies of the environment, looked up once per origin; or the one *given*, for everything.

    aiohttp's own `trust_env` costs two thread hops a request and takes passwords from `.netrc`, which
    would collide with our Authorization header.
    """

    trusted: bool
    given: Secret | None = None
    _known: dict[str, Proxy | _Unusable | None] = field(factory=dict, init=False, repr=False)

    def find(self, url: str) -> Proxy | None:
        """Return the proxy to *url*; raises `ConfigError` for one that is not HTTP."""
        place = origin(url)
        if place not in self._known:
            self._known[place] = self._look_up(place)
        # Raised here, where no local variable holds the proxy's password.
        match self._known[place]:
            case _Unusable(reason=reason):
                raise ConfigError(reason)
            case found:
                return found

    def proxy_for(self, url: str) -> URL | None:
        """Return the address of the proxy to *url*, with its credentials; raises `ConfigError`."""
        found = self.find(url)
        return None if found is None else found.url

    def _look_up(self, place: str) -> Proxy | _Unusable | None:
        if self.given is not None:
            return _read(self.given.reveal(), "media_proxy")
        return _of_environment(place) if self.trusted else None


def _of_environment(place: str) -> Proxy | _Unusable | None:
    scheme, _, host_and_port = place.partition("://")
    proxies = getproxies()
    kind = scheme if proxies.get(scheme) else "all"
    address = proxies.get(kind)
    if not address or proxy_bypass(host_and_port):
        return None
    return _read(address, _variable(f"{kind}_proxy"))


def _variable(name: str) -> str:
    spellings = sorted(known for known, value in os.environ.items() if known.lower() == name and value)
    # Where there are several the one in small letters counts, which is sorted last.
    return spellings[-1] if spellings else "the system's proxy settings"


def _read(address: str, source: str) -> Proxy | _Unusable:
    try:
        # As curl reads it, an address without a scheme is that of an HTTP proxy.
        parts = urlsplit(address if "://" in address else f"http://{address}")
        if parts.scheme.startswith("socks"):
            return _Unusable(
                f"{source} names a SOCKS proxy, which cannot be used here: name an HTTP proxy as "
                "http://host:port (programs with a SOCKS port mostly have one for HTTP, too), or except the "
                "host with NO_PROXY."
            )
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return Proxy(URL(parts.geturl()), source)
    except ValueError:
        pass
    return _Unusable(f"{source} does not name an HTTP proxy: write it as http://host:port.")
