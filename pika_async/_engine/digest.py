"""What a request asks for as one short text: equal requests have equal digests. Pure.

A digest outlives an upgrade, inside idempotency keys and ledgers, so it ends with its version;
batches keep its first 40 characters, which are hexadecimal.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from attrs import asdict

from pika_async import _links
from pika_async._ledger.records import JobRecord
from pika_async.requests import MEDIA_FIELDS, Blob, Camera, Media, VideoRequest, as_json, fields_set
from pika_async.results import JSON

_VERSION = "-2"


def digest(request: VideoRequest, files: Mapping[str, str]) -> str:
    """Name what *request* asks for: the fields set and the bytes of its media, not where they lie.

    *files* holds the SHA-256 of each file by path. Numbers that are equal, texts that look the same and
    links to the same place do not differ.

    >>> from pika_async import Generate
    >>> digest(Generate("A cat", guidance_scale=12), {}) == digest(Generate("A cat", guidance_scale=12.0), {})
    True
    """
    given = as_json(request, lambda medium: _content(medium, files))
    if "model" in given:
        given["model"] = re.sub(r"\A([0-9]+)\Z", r"\1.0", str(given["model"]))
    canonical = {
        # A link is a place, not a text: another spelling of its path may be another file.
        name: value if name in MEDIA_FIELDS else _canonical(value)
        for name, value in given.items()
        if value not in ({}, [])
    }
    text = json.dumps([type(request).__name__, canonical], sort_keys=True)
    return _sha256(text.encode()) + _VERSION


def _content(medium: Media, files: Mapping[str, str]) -> JSON:
    match medium:
        case Path():
            return {"sha256": files[str(medium)]}
        case bytes(data) | Blob(data=data):
            return {"sha256": _sha256(data)}
        case str():
            return _links.canonical(medium)


def _canonical(value: JSON) -> JSON:
    match value:
        case float() if value.is_integer():
            return int(value)
        case str():
            return unicodedata.normalize("NFC", value)
        case dict():
            return {unicodedata.normalize("NFC", name): _canonical(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_canonical(inner) for inner in value]
        case _:
            return value


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def current_digest(record: JobRecord) -> str | None:
    """Return the digest of what *record* asks for; 0.1 recorded none: it is computed."""
    old = record.digest
    if old is None or old.endswith(_VERSION) or not isinstance(record.request, get_args(VideoRequest)):
        return old
    try:
        return digest(record.request, record.files or {})
    except KeyError:  # a file whose hash was not recorded
        return old


def same_order(record: JobRecord, request: VideoRequest, files: Mapping[str, str]) -> bool:
    """Return whether *record*, by whichever release, asks for what *request* asks for."""
    return current_digest(record) in {digest(request, files), first_digest(request, files)}


def first_digest(request: VideoRequest, files: Mapping[str, str]) -> str:
    """Return the digest as 0.1 made it, which jobs without their request still bear."""
    given = {name: _first_plain(value, files) for name, value in fields_set(request).items()}
    text = json.dumps([1, type(request).__name__, given], sort_keys=True, ensure_ascii=False)
    return _sha256(text.encode())


def _first_plain(value: object, files: Mapping[str, str]) -> object:
    match value:
        case Path() | bytes() | Blob():
            return _content(value, files)
        case tuple():
            return [_first_plain(item, files) for item in value]
        case Camera():
            return asdict(value)
        case _:
            return value
