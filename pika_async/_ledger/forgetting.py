"""What is left of a job whose prompt is forgotten: all that keeps it from being bought again. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

import attrs

from pika_async._ledger.codec import without_media
from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import JobRecord

UPLOADS: Final = "upload:"
"""Names of links of uploads begin so. A link is kept as `[link, until]`; `null` is one that was refused."""


def is_over(name: str, state: str, now: float) -> bool:
    """Return whether a link of an upload is good no longer, of what the ledger keeps as learned.

    >>> is_over("upload:pika:default:ab:image/png", '["https://up.test/1", 500.0]', 501.0)
    True
    >>> is_over("acedata:default", '["https://up.test/1", 500.0]', 501.0)
    False
    """
    if not name.startswith(UPLOADS):
        return False
    try:
        _, until = json.loads(state)
        return bool(until < now)
    except (ValueError, TypeError):
        return True


def forgotten(job: JobRecord, *, media_only: bool) -> JobRecord:
    """Return *job* without its prompt, media and raw answers; or, with *media_only*, without its media alone.

    Its key, digest, tasks, states and videos stay.
    """
    if media_only:
        return evolve(job, request=without_media(job.request))
    return evolve(
        job,
        request=None,
        files=None,
        attempts=tuple(evolve(a, outcome=bare(a.outcome)) for a in job.attempts),
        extras=tuple(bare(extra) for extra in job.extras),
    )


def bare(outcome: Any) -> Any:
    """Return an answer without the provider's own words, which may quote the prompt."""
    return attrs.evolve(outcome, raw=None) if getattr(outcome, "raw", None) is not None else outcome
