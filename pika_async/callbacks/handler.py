"""Reads a request to the receiver: returns the answer, and the callback if it is one. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Final, Protocol

from attrs import field, frozen

from pika_async._crossing import Value, process_bound
from pika_async.callbacks.token import ACCOUNT, read_token

_NOT_THE_PROVIDERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_MAX_HEADERS: Final = 32 * 1024
"""Characters of all headers together; each callback is kept in the ledger with its headers."""


def joined(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return header fields by lower-case name; several of one name are joined by commas, as HTTP has it.

    >>> joined([("Via", "a"), ("via", "b"), ("Host", "c")])
    {'via': 'a, b', 'host': 'c'}
    """
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name.lower(), []).append(value)
    return {name: ", ".join(parts) for name, parts in values.items()}


@frozen(kw_only=True)
class CallbackEvent(Value):
    """One callback. Its token proves which attempt it is about; everything else in it is unproven.

    *headers* have lower-case names. Those with credentials for a proxy in front of the receiver are left out.
    """

    attempt_id: str
    content_type: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@frozen
class Reply(Value):
    """The answer, whose body is always empty. An *event* must be committed before the answer is sent."""

    status: int
    event: CallbackEvent | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers that HTTP requires with this status."""
        match self.status:
            case 405:
                return {"Allow": "GET, HEAD, POST"}
            case 503:
                return {"Retry-After": "5"}
            case _:
                return {}


class Answers(Protocol):
    """Answers the requests of a web application, whatever brings them."""

    async def answer(
        self, method: str, path: str, headers: Mapping[str, str], chunks: AsyncGenerator[bytes]
    ) -> Reply:
        """Answer one request; *chunks* raises `ConnectionError` when its body breaks off."""


@process_bound("make another with Handler(keys, max_body) in the process that receives")
@frozen
class Handler:
    """Recognises callbacks by the last segment of their path, a token that one of *keys* signed.

    A body may have *max_body* bytes. Header names are in lower case, paths are decoded. The cost is
    proportional to the size of the request, and no text of it is searched.
    """

    keys: tuple[bytes, ...] = field(repr=False)
    max_body: int

    def admit(self, method: str, path: str, headers: Mapping[str, str]) -> str | Reply:
        """Return the id of the attempt that a callback is about, or the answer if the body does not matter.

        A forged address is 404 whatever the method. A genuine one answers GET and HEAD with 200, because
        some providers try an address before they use it.
        """
        attempt_id = read_token(self.keys, path.rpartition("/")[2])
        if attempt_id is None:
            return Reply(404)
        if method in {"GET", "HEAD"}:
            return Reply(200)
        if method != "POST":
            return Reply(405)
        if headers.get("content-encoding", "identity").lower() != "identity":
            return Reply(415)
        if sum(len(name) + len(value) for name, value in headers.items()) > _MAX_HEADERS:
            return Reply(431)
        length = headers.get("content-length", "")[:20]
        if length.isdecimal() and int(length) > self.max_body:
            return Reply(413)
        return attempt_id

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer a whole request."""
        match self.admit(method, path, headers):
            case Reply() as answer:
                return answer
            case _ if len(body) > self.max_body:
                return Reply(413)
            case attempt_id:
                kept = {name: value for name, value in headers.items() if name not in _NOT_THE_PROVIDERS}
                content_type = headers.get("content-type", "")
                if attempt_id.startswith(ACCOUNT):
                    # Of an account come many, about all its tasks: each is kept under a name of its own.
                    attempt_id = f"{attempt_id}:{hashlib.sha256(body).hexdigest()[:16]}"
                event = CallbackEvent(
                    attempt_id=attempt_id, content_type=content_type, headers=kept, body=body
                )
                return Reply(200, event)
