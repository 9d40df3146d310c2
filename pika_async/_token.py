"""A job as portable text: enough for any process to find the task again, and no secret. Pure."""

from __future__ import annotations

import base64
import json
import zlib

from attrs import evolve, field, frozen

from pika_async.errors import ConfigError
from pika_async.results import Task

_PREFIX = "pika1."


def is_token(text: str) -> bool:
    """Return whether *text* looks like a token, and not like an id."""
    return text.strip().startswith(_PREFIX)


@frozen(kw_only=True)
class JobToken:
    """What a token says: whose job it is, on which account, and the provider's task if it is known.

    *address* is the fingerprint of the provider's address. It tells two gateways with one name apart: it is
    compared with that of the client, and no address can be made of it. It does not say which job it is, so
    tokens are equal without it.
    """

    job_id: str
    provider: str
    label: str = "default"
    task: Task | None = None
    address: str | None = field(default=None, eq=False)

    def encode(self) -> str:
        """Return the text; it ends in a checksum, so that a lost character is noticed.

        >>> JobToken(job_id="j1", provider="acedata", task=Task("t1")).encode()
        'pika1.WyJqMSIsImFjZWRhdGEiLCJkZWZhdWx0IiwidDEiXQ.7bf3f28e'
        """
        parts: list[object] = [self.job_id, self.provider, self.label]
        if self.task is not None:
            parts.append(self.task.id)
            if self.task.locator:
                parts.append(dict(self.task.locator))
        if self.address is not None:
            parts.append([self.address])
        text = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()
        return _sealed(text)

    @classmethod
    def decode(cls, token: str) -> JobToken:
        """Read the text; raises `ConfigError` for anything that is not a whole token."""
        try:
            return cls._of(json.loads(_unsealed(token.strip())))
        except (ValueError, RecursionError):
            raise ConfigError(
                "That is not a whole job token; copy all of it, from pika1. to the last character."
            ) from None

    @classmethod
    def _of(cls, parts: object) -> JobToken:
        match parts:
            case [*rest, [str(address)]]:
                return evolve(cls._of(rest), address=address)
            case [str(job_id), str(provider), str(label)]:
                return cls(job_id=job_id, provider=provider, label=label)
            case [str(job_id), str(provider), str(label), str(task_id)]:
                return cls(job_id=job_id, provider=provider, label=label, task=Task(task_id))
            case [str(job_id), str(provider), str(label), str(task_id), dict(locator)]:
                return cls(job_id=job_id, provider=provider, label=label, task=Task(task_id, locator))
            case _:
                raise ValueError


def _sealed(text: bytes) -> str:
    body = base64.urlsafe_b64encode(text).rstrip(b"=").decode()
    return f"{_PREFIX}{body}.{zlib.crc32(text):08x}"


def _unsealed(token: str) -> bytes:
    body = token.removeprefix(_PREFIX).rpartition(".")[0]
    text = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    if token != _sealed(text):
        raise ValueError
    return text
