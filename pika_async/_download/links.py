"""Links as text: what may be sent, and what people may see of it. Pure."""

from __future__ import annotations

import re

from yarl import URL

from pika_async._download.failures import LinkRefusedError


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


def place_of(link: str) -> str:
    """Name *link* for people and notes: host and path, never the query, which may be a signature.

    >>> place_of("https://cdn.example/cat.mp4?sig=abc")
    'cdn.example/cat.mp4'
    """
    try:
        url = URL(link, encoded=True)
        return url.raw_authority.rpartition("@")[2] + url.raw_path
    except ValueError:
        return "the link"
