"""Whether a callback was signed by its alleged sender: the two signatures that providers use. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress

PATIENCE = 300.0
"""Seconds by which a signed time may differ from ours; what is older is a replay."""
_LONGEST = 8192


def in_time(timestamp: str, now: float) -> bool:
    """Return whether *timestamp*, Unix seconds in digits, is at most five minutes from *now*."""
    return timestamp.isascii() and timestamp.isdecimal() and abs(now - int(timestamp[:12])) <= PATIENCE


def signed_by_secret(body: bytes, headers: Mapping[str, str], now: float, secret: bytes | None) -> bool:
    """Return whether *body* bears a signature of *secret*, as Standard Webhooks v1 has it.

    *headers* have names in lower case. *secret* is written `whsec_` and Base64. Of several signatures one
    that fits suffices; versions other than `v1` are ignored.

    >>> signed_by_secret(b"{}", {}, 0.0, b"whsec_c2VjcmV0")
    False
    """
    id_, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    try:
        key = base64.b64decode((secret or b"").strip().removeprefix(b"whsec_"), validate=True)
    except binascii.Error:
        return False
    if not (key and id_ and in_time(timestamp, now)):
        return False
    text = f"{id_}.{timestamp}.".encode(errors="replace") + body
    expected = b"v1," + base64.b64encode(hmac.digest(key, text, hashlib.sha256))
    given = headers.get("webhook-signature", "")[:_LONGEST].encode(errors="replace").split()
    return any(hmac.compare_digest(expected, one) for one in given)


def signed_by_key(message: bytes, signature: str, published: object) -> bool:
    """Return whether one of the *published* keys made *signature*, in hex; they are a JSON Web Key Set.

    Raises `ImportError` without the package `cryptography`, which is loaded here and no earlier.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        mac = bytes.fromhex(signature[:_LONGEST])
    except ValueError:
        return False
    keys = published.get("keys") if isinstance(published, dict) else None
    for key in keys if isinstance(keys, list) else ():
        x = key.get("x") if isinstance(key, dict) and key.get("crv", "Ed25519") == "Ed25519" else None
        with suppress(ValueError, InvalidSignature):
            if isinstance(x, str) and len(x) <= _LONGEST:
                Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "==")).verify(mac, message)
                return True
    return False
