"""How Pika signs a webhook, with a secret of the sandbox; pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

WEBHOOK_SECRET: Final = "whsec_cGlrYS1hc3luYy1leGFtcGxlLXNlY3JldC0wMDAwMDE="  # noqa: S105 - the sandbox's


def signed(body: bytes, id_: str, at: int) -> dict[str, str]:
    """Return the headers of a webhook whose body was signed at the time *at*, as Standard Webhooks has it."""
    secret = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
    mac = hmac.digest(secret, f"{id_}.{at}.".encode() + body, hashlib.sha256)
    return {
        "content-type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
