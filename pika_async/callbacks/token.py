"""The token by which a callback, or a provider's history, names one attempt of ours. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from binascii import b2a_base64
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from pika_async._secret import Secret

NOWHERE = "https://callback.invalid/"
"""An address that nobody can have (RFC 2606): the provider answers at once, and its callbacks go nowhere."""

_OURS = re.compile(re.escape(NOWHERE) + r"([\w.-]+)", re.ASCII)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


ACCOUNT = "account:"
"""What the name in the token of an account's own address begins with; the rest is the account's key."""


def _mac(secret: bytes, attempt_id: str) -> str:
    digest = hmac.digest(secret, attempt_id.encode(), hashlib.sha256)[:16]
    return b2a_base64(digest, newline=False).translate(_URL_SAFE).decode().rstrip("=")


def make_token(secret: bytes, attempt_id: str) -> str:
    """Return `<attempt id>.<MAC>`; the attempt id holds the job's id, the attempt's number and a nonce.

    >>> make_token(b"secret", "a1-1-9f")
    'a1-1-9f.BU2FTs4FbcK6APAmC_-5YA'
    """
    return f"{attempt_id}.{_mac(secret, attempt_id)}"


def read_token(secrets: Iterable[bytes], token: str) -> str | None:
    """Return the attempt id of a genuine *token* in constant time, None for any other text.

    >>> read_token([b"newer", b"secret"], make_token(b"secret", "a1-1-9f"))
    'a1-1-9f'
    >>> read_token([b"secret"], "a1-1-9f.forged")
    """
    attempt_id, _, mac = token.rpartition(".")
    if not attempt_id or len(token) > 200 or not token.isascii():
        return None
    genuine = False
    for secret in secrets:
        genuine |= hmac.compare_digest(_mac(secret, attempt_id), mac)
    return attempt_id if genuine else None


def address(token: str, receiver: str | None) -> Secret:
    """Return the callback address: a path of `NOWHERE`, or a parameter of the user's *receiver*.

    >>> address("a.b", "https://app.example.com/hook?x=1").reveal()
    'https://app.example.com/hook?x=1&pika_attempt=a.b'
    """
    if receiver is None:
        return Secret(NOWHERE + token)
    start, mark, fragment = receiver.partition("#")
    joint = "&" if urlsplit(start).query else "" if start.endswith("?") else "?"
    return Secret(f"{start}{joint}pika_attempt={token}{mark}{fragment}")


def token_in(callback_url: str) -> str | None:
    """Return the token in an address that `address` made, as a provider's history echoes it.

    None where there is none. Costs time in proportion to the length: `urlsplit` takes a hundred times as
    long for ten times as many combining characters, so only ASCII reaches it, and a token is ASCII.

    >>> token_in("https://callback.invalid/a.b"), token_in("https://x.test/hook?pika_attempt=a.b")
    ('a.b', 'a.b')
    """
    if ours := _OURS.fullmatch(callback_url):
        return ours[1]
    try:
        parts = urlsplit(callback_url.encode("ascii", "ignore").decode())
    except ValueError:  # what a provider echoes need not be an address
        return None
    named = parse_qs(parts.query).get("pika_attempt")
    if named:
        return named[0]
    return parts.path.rpartition("/")[2] or None
