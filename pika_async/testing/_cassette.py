"""Recorded answers of a provider: a transport that writes them to a file, and later answers from it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from base64 import b64decode, b64encode
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pika_async._crossing import process_bound
from pika_async._http import Form, HttpRequest, HttpResponse, Json, Multipart
from pika_async._secret import Secret, conceal_text
from pika_async._sender import Fence, SendError, Timeouts
from pika_async._transport import Transport
from pika_async.requests import Blob
from pika_async.testing._tape import MediaTape

_KEPT: Final = re.compile(r"content-type|retry-after|.*(request|trace)-?id")
_SIGNED: Final = re.compile(r"""(https?://[^\s"'\\?<>]+)\?[^\s"'\\<>]*""")


@process_bound("make Cassette(path) in the other process")
class Cassette:
    """The answers in a file, for `Pika(transport=Cassette("tests/cat.json"))`: no connection is made.

    With *record* the requests are sent, and billed, and the answers are written when the client closes. No
    header of a request, no `Secret`, no callback token and no query of a link is written. A request is
    answered once for each time that it was recorded, a look-up by its last answer for ever; one that was not
    recorded fails unsent.

    Downloads and uploads are recorded and replayed as well. The bytes of a file that was downloaded whole are
    kept beside the cassette, in the folder `cat.media`, in a file named by its SHA-256.
    """

    def __init__(self, path: str | os.PathLike[str], *, record: bool = False) -> None:
        self.path = Path(path)
        self._sender = Transport() if record else None
        self.tape = MediaTape(self.path.with_suffix(".media"), self, record=record)
        self._exchanges: list[dict[str, Any]] = []
        self._left: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
        self._numbers: dict[str, int] = {}
        self._known: dict[int, str] = {}
        if not record:
            for exchange in json.loads(self.path.read_text("utf-8")):
                if "media" in exchange:
                    self.tape.add(exchange)
                else:
                    self._left[_name(exchange["request"])].append(exchange)

    @property
    def timeouts(self) -> Timeouts:
        """The limits of a real transport."""
        return Timeouts() if self._sender is None else self._sender.timeouts

    async def submit(
        self, request: HttpRequest, fence: Fence | None = None, *, fresh_connection: bool = False
    ) -> HttpResponse:
        """Send and record a billed *request*, or answer it once for each time that it was recorded."""
        if self._sender is not None:
            answer = await self._sender.submit(request, fence, fresh_connection=fresh_connection)
            return self.recorded(request, answer)
        if fence is not None:
            await fence()
        return self.answer(request, keep_last=False)

    async def poll(self, request: HttpRequest) -> HttpResponse:
        """Send and record a look-up, or answer it."""
        if self._sender is not None:
            return self.recorded(request, await self._sender.poll(request))
        return self.answer(request, keep_last=True)

    async def aclose(self) -> None:
        """Close the connections and write the file."""
        if self._sender is not None:
            await self._sender.aclose()
            known = [*self._exchanges, *self.tape.taken]
            self.path.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", "utf-8")

    def recorded(self, request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        """Note *answer*, and return it."""
        secrets = [secret.reveal() for secret in _secrets((request.query, request.body))]
        numbers = [self._numbers.setdefault(text, len(self._numbers)) for text in secrets]
        self._exchanges.append(
            {"request": _asked(request), "secrets": numbers, "response": self._written(request, answer)}
        )
        return answer

    def _written(self, request: HttpRequest, answer: HttpResponse) -> dict[str, Any]:
        headers = {name: text for name, text in answer.headers.items() if _KEPT.fullmatch(name)}
        try:
            text = answer.body.decode()
        except UnicodeDecodeError:
            return {"status": answer.status, "headers": headers, "base64": b64encode(answer.body).decode()}
        # What a provider says again of an earlier request, its callback address say, is said by its number.
        for secret, number in sorted(self._numbers.items(), key=lambda known: -len(known[0])):
            text = text.replace(secret, _placeholder(number))
        text = conceal_text(_SIGNED.sub(r"\1", text), _secrets(request.headers))
        return {"status": answer.status, "headers": headers, "text": text}

    def answer(self, request: HttpRequest, *, keep_last: bool) -> HttpResponse:
        """Return what was recorded for *request*; raises `SendError` where there is nothing (left)."""
        recorded = self._left[_name(_asked(request))]
        if not recorded:
            asked = f"{request.method} of {_unsigned(request.url)}"
            raise SendError(f"{self.path.name} holds no answer to this {asked}; record it again.", sent=False)
        exchange = recorded[0] if keep_last and len(recorded) == 1 else recorded.popleft()
        secrets = (secret.reveal() for secret in _secrets((request.query, request.body)))
        self._known |= dict(zip(exchange["secrets"], secrets, strict=True))
        told = exchange["response"]
        body = told["text"] if "text" in told else b64decode(told["base64"])
        if isinstance(body, str):
            for number, text in self._known.items():
                body = body.replace(_placeholder(number), text)
            body = body.encode()
        return HttpResponse(status=told["status"], headers=told["headers"], body=body)


def _placeholder(number: int) -> str:
    return f"{{{{secret {number}}}}}"


def _name(asked: Mapping[str, Any]) -> str:
    return json.dumps(asked, sort_keys=True)


def _unsigned(url: str) -> str:
    return conceal_text(_SIGNED.sub(r"\1", url), ())


def _asked(request: HttpRequest) -> dict[str, Any]:
    """Return what is compared and written of a request: no header, and no secret."""
    body = request.body
    match body:
        case Json(value=inner) | Form(fields=inner):
            shown = _shown(inner)
        case Multipart():
            shown = [_shown(body.fields), *(_shown(blob) for _, blob in body.files)]
        case _:
            shown = _shown(body)
    url = _unsigned(request.url)
    return {"method": request.method, "url": url, "query": _shown(request.query), "body": shown}


def _shown(value: Any) -> Any:
    match value:
        case Secret():
            return "***"
        case Blob(data=data) | (bytes() as data):
            return {"sha256": hashlib.sha256(data).hexdigest()}
        case Mapping():
            return {str(name): _shown(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_shown(inner) for inner in value]
        case str():
            return conceal_text(value, ())
        case _:
            return value


def _secrets(value: Any) -> Iterable[Secret]:
    """Return every secret of a request's part, in order."""
    match value:
        case Secret():
            return [value]
        case Mapping():
            return [secret for name in sorted(value) for secret in _secrets(value[name])]
        case list() | tuple():
            return [secret for inner in value for secret in _secrets(inner)]
        case Json(value=inner) | Form(fields=inner) | Multipart(fields=inner):
            return _secrets(inner)
        case _:
            return []
