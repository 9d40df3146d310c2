"""Which hosts a request of an adapter may go to, and with which of its secrets. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from pika_async._http import HttpRequest, secrets_in
from pika_async._secret import Secret

ANY_PUBLIC = "*"


def fingerprint(base_url: str) -> str:
    """Name an address without telling it, for tokens: it is compared, and never dialled.

    >>> fingerprint("https://api.test/pika") == fingerprint("https://API.test:443/pika/")
    True
    """
    parts = urlsplit(base_url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    address = f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}{parts.path.rstrip('/')}"
    return hashlib.sha256(address.encode()).hexdigest()[:12]


def allowed(url: str, hosts: Mapping[str, Collection[str]]) -> frozenset[str] | None:
    """Return the names of the secrets that the host of *url* may see, None for a host that is not listed.

    A name beats a pattern, and a pattern beats `*`. A listed host is reached over https alone.

    >>> hosts = {"rest.fal.ai": {"api_key"}, "*.fal.media": ()}
    >>> sorted(allowed("https://rest.fal.ai/x", hosts)), allowed("https://v3.fal.media/x", hosts)
    (['api_key'], frozenset())
    >>> allowed("https://fal.media.evil.test/x", hosts), allowed("http://rest.fal.ai/x", hosts)
    (None, None)
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme != "https":
        return None
    wide = [pattern for pattern in hosts if pattern.startswith("*.") and host.endswith(pattern[1:])]
    for pattern in (host, *sorted(wide, key=len, reverse=True), ANY_PUBLIC):
        if pattern in hosts:
            return frozenset(hosts[pattern]) if pattern != ANY_PUBLIC else frozenset()
    return None


def named(url: str, hosts: Mapping[str, Collection[str]]) -> bool:
    """Return whether the host of *url* is listed, and not only among any public ones.

    >>> named("https://a.fal.media/x", {"*.fal.media": ()}), named("https://a.test/x", {"*": ()})
    (True, False)
    """
    return allowed(url, {pattern: () for pattern in hosts if pattern != ANY_PUBLIC}) is not None


def shown_secrets(request: HttpRequest, own: Mapping[str, Secret]) -> frozenset[str]:
    """Return the names of an adapter's *own* secrets that *request* bears, whole or inside another text."""
    borne = [secret.reveal() for secret in secrets_in((request.headers, request.query, request.body))]
    return frozenset(
        name for name, secret in own.items() if secret and any(secret.reveal() in text for text in borne)
    )
