"""What comes out: a finished video, and what a provider said of a task on the way there."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    JSON: TypeAlias = "Mapping[str, JSON] | list[JSON] | tuple[JSON, ...] | str | int | float | bool | None"
else:
    # An alias that names itself cannot be resolved in other modules, where attrs and cattrs try to.
    JSON = Any

Charged: TypeAlias = Literal["no", "yes", "unknown"]


class State(StrEnum):
    """Where a job, or one video of it, stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@frozen
class VideoResult:
    """One rendered video.

    *duration* is in seconds, or None where the provider does not tell. Links expire at the
    provider's pleasure: download what you want to keep.
    """

    id: str
    video_url: str | None
    image_url: str | None
    duration: float | None
    state: State


@frozen
class Task:
    """The provider's own unit of work.

    *locator* is whatever else a later look-up needs: JSON-able, free of secrets, opaque to the core.
    """

    id: str
    locator: Mapping[str, JSON] = field(factory=dict)

    def merged(self, newer: Task) -> Task:
        """Add *newer*'s locator to ours; what we knew and it does not mention stays valid."""
        if not newer.locator or newer.locator == self.locator:
            return self
        return evolve(self, locator={**self.locator, **newer.locator})


@frozen(kw_only=True)
class Pending:
    """The provider has the task and has not finished it.

    *progress* runs from 0 to 1. *poll_after* is the provider's wish in seconds before the next
    look; 0 means "there is more to fetch now" and is honoured once in a row.
    """

    task: Task
    state: State = State.RUNNING
    progress: float | None = None
    queue_position: int | None = None
    poll_after: float | None = None
    trace_id: str | None = None
    cost: float | None = None
    raw: JSON = None


@frozen(kw_only=True)
class Succeeded:
    """At least one video is ready; *cost* is in the provider's own unit."""

    task: Task
    results: tuple[VideoResult, ...]
    trace_id: str | None = None
    cost: float | None = None
    raw: JSON = None


@frozen(kw_only=True)
class Failed:
    """The provider gave up on the task.

    *reason* is `content` (moderation), `no_output` (a success word without a link) or `provider`.
    """

    task: Task
    reason: Literal["content", "no_output", "provider"] = "provider"
    message: str = ""
    code: str | None = None
    charged: Charged = "unknown"
    trace_id: str | None = None
    cost: float | None = None
    raw: JSON = None


Snapshot: TypeAlias = Pending | Succeeded | Failed
