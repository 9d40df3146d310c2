"""A request in words for people and for the manifest: without secrets, and without media in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pika_async.requests import Blob, Media, VideoRequest, as_json
from pika_async.results import JSON

_SHOWN_LINK: Final = 40


def described(request: VideoRequest) -> dict[str, JSON]:
    """Return *request* as JSON for people: its kind and what the caller set.

    Media in memory are named by their size only, `extra_body` by its names only: people put keys there.

    >>> from pika_async import Style
    >>> described(Style("A duck", style="Inflate", extra_body={"user": "me"}))
    {'kind': 'style', 'extra_body': {'user': '***'}, 'prompt': 'A duck', 'style': 'Inflate'}
    """
    return without_secrets({"kind": type(request).__name__.lower(), **as_json(request, _shown)})


def without_secrets(request: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a description, also one of an earlier version, without the values of `extra_body`."""
    extra = request.get("extra_body")
    hidden: dict[str, JSON] = (
        {"extra_body": dict.fromkeys(extra, "***")} if isinstance(extra, Mapping) else {}
    )
    return {**request, **hidden}


def _shown(medium: Media) -> JSON:
    match medium:
        case str():
            return medium
        case Path():
            return medium.as_posix()
        case bytes():
            return f"<{len(medium)} bytes>"
        case Blob():
            return f"{medium.name} <{len(medium.data)} bytes>"


def shortened(text: str, longest: int = _SHOWN_LINK) -> str:
    """Return *text*, or its beginning and its length: media may be written as text.

    >>> shortened("data:image/png;base64," + "A" * 400_000)
    'data:image/png;base64,AAAAAAAAAAAAAAAAAA... (400022 characters)'
    """
    return text if len(text) <= longest + 20 else f"{text[:longest]}... ({len(text)} characters)"
