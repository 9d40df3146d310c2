"""Addresses as people give them: cleaned at their ends, and what is wrong with them in words. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

NO_ADDRESS = "anything but an http(s) address"
CREDENTIALS = "a user name or password"
"""The one fault that a link to media may have, since some hosts want it; an address of an API may not."""

# Copying from a page or a document brings these along; none of them can be seen.
_INVISIBLE = "\ufeff\u200b\u200e\u200f\u2060"


def cleaned(text: str) -> str:
    r"""Return *text* without the blanks, line breaks and invisible characters at its ends.

    >>> cleaned("https://media.test/cat.png\r\n")
    'https://media.test/cat.png'
    """
    start, end = 0, len(text)
    while start < end and _is_blank(text[start]):
        start += 1
    while start < end and _is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_blank(character: str) -> bool:
    return character.isspace() or character in _INVISIBLE


def fault(link: str) -> str | None:
    r"""Say what *link* must not hold, or None for an http(s) address that may be sent; quotes nothing of it.

    >>> fault("https://media.test/c\nat.png")
    'spaces, line breaks or invisible characters'
    >>> fault("https://me:word@media.test/cat.png")
    'a user name or password'
    """
    # urlsplit drops tabs and line breaks in silence, so they are looked for first.
    if " " in link or not link.isprintable():
        return "spaces, line breaks or invisible characters"
    try:
        parts = urlsplit(link)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return NO_ADDRESS
    if not whole:
        return NO_ADDRESS
    return CREDENTIALS if "@" in parts.netloc else None


def canonical(link: str) -> str:
    """Return *link* with its scheme and host in lower case and without a port that goes without saying.

    >>> canonical("HTTPS://Media.Test:443/Cat.png")
    'https://media.test/Cat.png'
    """
    try:
        parts = urlsplit(link)
        usual = parts.port == {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return link
    host = parts.netloc.lower()
    return parts._replace(netloc=host.rpartition(":")[0] if usual else host).geturl()
