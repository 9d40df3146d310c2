"""A job as portable text: enough for any process to find the task again, and no secret. Pure."""

from __future__ import annotations

import base64
import json
import zlib

from attrs import frozen

from pika_async.errors import ConfigError
from pika_async.results import Task

_PREFIX = "pika1."


@frozen(kw_only=True)
class JobToken:
    """What a token says: whose job it is, on which account, and the provider's task if it is known."""

    job_id: str
    provider: str
    label: str = "default"
    task: Task | None = None

    def encode(self) -> str:
        """Give the text; it ends in a checksum, so that a lost character is noticed.

        >>> JobToken(job_id="j1", provider="acedata", task=Task("t1")).encode()
        'pika1.WyJqMSIsImFjZWRhdGEiLCJkZWZhdWx0IiwidDEiXQ.2f8b4ecb'
        """
        parts: list[object] = [self.job_id, self.provider, self.label]
        if self.task is not None:
            parts.append(self.task.id)
            if self.task.locator:
                parts.append(dict(self.task.locator))
        text = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()
        body = base64.urlsafe_b64encode(text).rstrip(b"=").decode()
        return f"{_PREFIX}{body}.{zlib.crc32(text):08x}"

    @classmethod
    def decode(cls, token: str) -> JobToken:
        """Read the text; raises `ConfigError` for anything that is not a whole token."""
        try:
            if not token.startswith(_PREFIX):
                raise ValueError
            body, _, checksum = token[len(_PREFIX) :].strip().rpartition(".")
            text = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            if f"{zlib.crc32(text):08x}" != checksum:
                raise ValueError
            job_id, provider, label, *task = json.loads(text)
            return cls(job_id=job_id, provider=provider, label=label, task=Task(*task) if task else None)
        except (ValueError, TypeError):
            raise ConfigError(
                "That is not a whole job token; copy all of it, from pika1. to the last character."
            ) from None
