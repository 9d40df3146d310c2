"""Who may use the sandbox, and where its callbacks may go. Pure.

A web page that its user happens to open can send requests to this machine, under a name of its own that it
points here (DNS rebinding) or as a form. None of that may order, read or send anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from pika_async.errors import ConfigError

_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{0,5})?")


def host_names(given: Iterable[str]) -> frozenset[str]:
    """Check the hosts that a user allows; raises `ConfigError` for what names no host.

    >>> host_names(["App.local", "::1"]) == {"app.local", "::1"}
    True
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigError("allowed_hosts is a list of host names; put the name into brackets: [name].")
    return frozenset(map(_checked, given))


def _checked(host: object) -> str:
    text = host.lower() if isinstance(host, str) else ""
    if is_loopback(text) or is_address(text) or re.fullmatch(r"[a-z0-9._-]+", text):
        return text
    raise ConfigError("allowed_hosts holds a text that is no host; write each without scheme, port and path.")


def is_loopback(host: str) -> bool:
    """Return whether *host* is an address of this machine alone, or the name for it."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def is_address(host: str) -> bool:
    """Return whether *host* is an IP address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def refusal(headers: Mapping[str, str], listens_at: str, allowed: Collection[str]) -> str | None:
    """Return why a request may not be answered at all, or None.

    *headers* have lower-case names. A host that is an address cannot be rebound, so every address is fine
    for a sandbox that *listens_at* more than loopback.
    """
    named = _AUTHORITY.fullmatch(headers.get("host", "").lower())
    host = named[1].strip("[]") if named else ""
    if is_loopback(host) or host in {listens_at, *allowed} - {""}:
        return None
    if is_address(host) and not is_loopback(listens_at):
        return None
    return (
        "The sandbox does not answer under this host name. Use the address that it printed, or name the host "
        "when you start it (allowed_hosts, or --allow-host)."
    )


def cross_site(headers: Mapping[str, str], content_type: str) -> str | None:
    """Return why a request that passed `refusal` may not reach a provider, or None.

    Only browsers send these headers. The sandbox has no pages of its own, so whatever has them comes from a
    page of another site. *headers* have lower-case names. A page can send three content types without
    asking first, and no provider reads two of them.
    """
    site = headers.get("sec-fetch-site", "none").strip().lower()
    pages = [headers[name] for name in ("origin", "referer") if name in headers]
    if site not in {"none", "same-origin"} or any(_authority(page) != headers.get("host") for page in pages):
        return "The sandbox takes no orders from web pages of other sites. Call it from a program."
    if content_type in {"text/plain", "multipart/form-data"}:
        return f"No provider reads {content_type}. Send JSON, with content-type: application/json."
    return None


def _authority(page: str) -> str | None:
    try:
        return urlsplit(page).netloc
    except ValueError:
        return None
