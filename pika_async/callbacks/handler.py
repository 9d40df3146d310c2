"""What a request to the receiver means: an answer, and perhaps a callback. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from pika_async.callbacks.token import read_token

_NOT_THE_PROVIDERS = frozenset({"authorization", "cookie", "proxy-authorization"})


@frozen(kw_only=True)
class CallbackEvent:
    """What came for one attempt: names an attempt of ours, and proves nothing else.

    *headers* have lower-case names; credentials for whatever stands before the receiver are left out.
    """

    attempt_id: str
    content_type: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@frozen
class Reply:
    """The answer, whose body is always empty; an *event* must be committed before it is given."""

    status: int
    event: CallbackEvent | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Return what HTTP wants beside the status."""
        match self.status:
            case 405:
                return {"Allow": "GET, HEAD, POST"}
            case 503:
                return {"Retry-After": "5"}
            case _:
                return {}


@frozen
class Handler:
    """Tells callbacks from everything else, by the path's last segment and *keys* alone.

    Header names are in lower case, paths are decoded.
    """

    keys: tuple[bytes, ...] = field(repr=False)
    max_body: int

    def admit(self, method: str, path: str, headers: Mapping[str, str]) -> str | Reply:
        """Return the attempt that a callback is about, or the answer that needs no look at the body.

        A forged address is 404 whatever the method. A genuine one answers GET and HEAD, with which some
        providers try an address before they use it.
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
                event = CallbackEvent(
                    attempt_id=attempt_id, content_type=content_type, headers=kept, body=body
                )
                return Reply(200, event)
