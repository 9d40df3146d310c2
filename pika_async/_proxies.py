"""The proxies that the environment names for API calls."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from attrs import field, frozen
from yarl import URL

from pika_async._http import origin
from pika_async.errors import ConfigError

_NOT_HTTP = URL("unusable:")


@frozen
class Proxies:
    """The proxies of the environment, looked up once per origin.

    aiohttp's own `trust_env` costs two thread hops a request and takes passwords from `.netrc`, which
    would collide with our Authorization header.
    """

    trusted: bool
    _known: dict[str, URL | None] = field(factory=dict, init=False, repr=False)

    def proxy_for(self, url: str) -> URL | None:
        """Return the proxy to *url*, with its credentials; raises `ConfigError` for one that is not HTTP."""
        if not self.trusted:
            return None
        place = origin(url)
        if place not in self._known:
            self._known[place] = _proxy_of_environment(place)
        if self._known[place] == _NOT_HTTP:
            # Raised here, where no local variable holds the proxy's password.
            raise ConfigError("The environment names a proxy that is not http://…; correct it.")
        return self._known[place]


def _proxy_of_environment(place: str) -> URL | None:
    scheme, _, host_and_port = place.partition("://")
    proxies = getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address or proxy_bypass(host_and_port):
        return None
    if urlsplit(address).scheme not in {"http", "https"} or not urlsplit(address).hostname:
        return _NOT_HTTP
    return URL(address)
