"""How fal signs a webhook, with a key of the sandbox; pure."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

from pika_async.provider import JSON

_SIGNING_KEY: Final = hashlib.sha256(b"pika-async sandbox of fal").digest()


def signed(body: bytes, request_id: str, at: int) -> dict[str, str]:
    """Return the headers of a webhook whose body was signed at the time *at*."""
    time, user = str(at), "sandbox"
    message = "\n".join((request_id, user, time, hashlib.sha256(body).hexdigest())).encode()
    return {
        "content-type": "application/json",
        "x-fal-webhook-request-id": request_id,
        "x-fal-webhook-user-id": user,
        "x-fal-webhook-timestamp": time,
        "x-fal-webhook-signature": _signer().sign(message).hex(),
    }


def published() -> dict[str, JSON]:
    """Return what `jwks.json` publishes: the key with which a signature is checked."""
    x = base64.urlsafe_b64encode(_signer().public_key().public_bytes_raw()).decode().rstrip("=")
    return {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "sandbox", "x": x}]}


def _signer() -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(_SIGNING_KEY)
