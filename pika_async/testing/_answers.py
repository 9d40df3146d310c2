"""Answers that no adapter may fall over: what hosts and gateways send, and damaged good ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import evolve

from pika_async.provider import HttpResponse

STATUSES = (200, 201, 204, 301, 307, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504)
HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
UNREADABLE = (b"", HTML, b"\xff\xfe\x00\x80", b'{"id": "cut', b"[" * 5000, b"OK", b"\xef\xbb\xbf{}")
_ODD: tuple[Any, ...] = (None, True, 5, -1.5, "text", [], {}, [None], {"id": None})
_NAMES = ("id", "task_id", "data", "error", "message", "msg", "code", "status", "state", "url", "items")


def odd_bodies(key: str) -> Iterator[bytes]:
    """Return bodies of JSON that no provider documents; some echo *key*."""
    for odd in _ODD:
        yield json.dumps(odd).encode()
        yield json.dumps(dict.fromkeys(_NAMES, odd)).encode()
        yield json.dumps({"data": [odd, odd], "items": [odd]}).encode()
    echo = f"the key {key} is not valid"
    for error in (echo, {"code": "invalid", "message": echo}, {"message": {"text": [echo]}}):
        yield json.dumps({"code": 400, "msg": echo, "message": echo, "error": error}).encode()


def odd_answers(key: str) -> Iterator[HttpResponse]:
    """Return every odd or unreadable body with every status."""
    for body in (*UNREADABLE, *odd_bodies(key)):
        content_type = "text/html" if body == HTML else "application/json"
        for status in STATUSES:
            yield HttpResponse(status=status, headers={"content-type": content_type}, body=body)


def spoilt(response: HttpResponse, places: Iterable[tuple[Any, ...]]) -> Iterator[HttpResponse]:
    """Return *response* cut short, with each value in *places* replaced by an odd one, and left out."""
    for eighth in range(8):
        yield evolve(response, body=response.body[: len(response.body) * eighth // 8])
    whole = json.loads(response.body)
    for path in places:
        for odd in _ODD:
            yield evolve(response, body=json.dumps(_changed(whole, path, odd)).encode())
        yield evolve(response, body=json.dumps(_changed(whole, path, None, leave_out=True)).encode())


def echoing(response: HttpResponse, places: Iterable[tuple[Any, ...]], text: str) -> Iterator[HttpResponse]:
    """Return *response* with *text* in place of each text in *places*."""
    whole = json.loads(response.body)
    for path in places:
        if isinstance(_at(whole, path), str):
            yield evolve(response, body=json.dumps(_changed(whole, path, text)).encode())


def _at(whole: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        whole = whole[name]
    return whole


def paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """Return the way to each value inside *value*."""
    match value:
        case dict():
            inner = list(value.items())
        case list():
            inner = list(enumerate(value))
        case _:
            inner = []
    for name, part in inner:
        yield (name,)
        for path in paths(part):
            yield (name, *path)


def _changed(whole: Any, path: tuple[Any, ...], odd: object, *, leave_out: bool = False) -> Any:
    changed = copy.deepcopy(whole)
    part = changed
    for name in path[:-1]:
        part = part[name]
    if leave_out:
        del part[path[-1]]
    else:
        part[path[-1]] = odd
    return changed
