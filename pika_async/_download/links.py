"""Links as text: what may be sent, and what people may see of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import urlencode

from yarl import URL

from pika_async._download.failures import LinkRefusedError
from pika_async._encoding import revealed
from pika_async._http import HttpRequest, Text

Link: TypeAlias = str | HttpRequest
"""Where a file is: a link, or the request that opens it, where the first hop needs the provider's key."""


def checked(link: str, *, relative_to: URL | None = None) -> URL:
    """Return *link* as it is to be sent; raises `LinkRefusedError` for what is no plain http(s) link."""
    try:
        # yarl's own quoting would change the letters that a signature was made over.
        url = URL(link, encoded=re.fullmatch(r"[!-~]+", link) is not None)
        url = url if relative_to is None else relative_to.join(url)
        plain = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
        userinfo = "@" in url.raw_authority
    except ValueError:
        raise LinkRefusedError("it is not a valid link; ask the provider for the video") from None
    if not plain:
        raise LinkRefusedError("it is not an http or https link; ask the provider for the video")
    if userinfo:
        raise LinkRefusedError("it carries a user name or password; take that out")
    return url


def address_of(link: Link) -> str:
    """Return the address of *link*, which holds no key."""
    return link if isinstance(link, str) else link.url


def headers_of_first_hop(link: HttpRequest, ours: Mapping[str, Text]) -> dict[str, Text]:
    """Return *ours* and those of *link* with other names; which bytes are wanted is not its to say."""
    names = {"range", "if-range", *(name.lower() for name in ours)}
    return {**{name: text for name, text in link.headers.items() if name.lower() not in names}, **ours}


def with_query(url: URL, query: Mapping[str, Text]) -> URL:
    """Return *url* with *query* behind its own, of which no letter changes; reveals the secrets in it."""
    if not query:
        return url
    parts = [part for part in (url.raw_query_string, urlencode(revealed(query))) if part]
    return URL(f"{url.with_fragment(None).with_query(None)}?{'&'.join(parts)}", encoded=True)


def place_of(link: Link) -> str:
    """Name *link* for people and notes: host and path, never the query, which may be a signature.

    >>> place_of("https://cdn.example/cat.mp4?sig=abc")
    'cdn.example/cat.mp4'
    """
    try:
        url = URL(address_of(link), encoded=True)
        return url.raw_authority.rpartition("@")[2] + url.raw_path
    except ValueError:
        return "the link"
