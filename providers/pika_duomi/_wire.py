"""Duomi's JSON as values: the envelope, what it tells of a task, and the snapshot that amounts to."""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl

from attrs import field, frozen

import pika_async.provider as api
from pika_duomi._refusals import MODERATED, shown

# The feed's page says `succeeded` and its own example `success`, hence every word its siblings use.
_STATES = {
    **dict.fromkeys(["succeeded", "success", "completed", "complete", "finished"], api.State.SUCCEEDED),
    **dict.fromkeys(["error", "failed", "failure", "cancelled", "canceled"], api.State.FAILED),
    **dict.fromkeys(["pending", "queued", "waiting"], api.State.QUEUED),
}
_STATUSES = {
    **dict.fromkeys([2, -1, 4], api.State.FAILED),
    3: api.State.SUCCEEDED,
    1: api.State.RUNNING,
    0: api.State.QUEUED,
}


def _text() -> Any:
    """Declare an id, word or link; a wrong type reads as nothing, so that it spoils nothing else."""
    return field(default="", converter=lambda v: v if isinstance(v, str) and v.isprintable() else "")


@frozen
class Envelope:
    """What every answer comes in; its `ip` is the caller's address and goes no further."""

    code: int | None = None
    msg: Any = _text()
    data: Any = None


@frozen
class Told:
    """A task as the feed and callbacks tell it; `state` is the newer word, `status` the older number."""

    task_id: Any = _text()
    state: Any = _text()
    status: int | None = None
    video_url: Any = _text()
    image_url: Any = _text()
    poster: Any = _text()
    msg: Any = _text()
    point: float | None = None
    refund: int | None = None


@frozen
class Account:
    """What is left, in points."""

    total: float | None = None


def decoded(body: bytes, *, form: bool = False) -> Any:
    """Decode JSON, or a *form* whose values may be JSON themselves; anything else is None."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        pairs = parse_qsl(body.decode(errors="replace")) if form else []
        return {name: decoded(value.encode()) if value[0] == "{" else value for name, value in pairs}


def envelope(body: Any) -> Envelope:
    """Read an envelope; nonsense is an empty one."""
    return api.structure(body if isinstance(body, Mapping) else {}, Envelope)


def tasks(data: Any) -> dict[str, tuple[Told, Any]]:
    """Read `data`, an object or a list of them, by the ids of the tasks they name."""
    items = [item for item in (data if isinstance(data, list) else [data]) if isinstance(item, Mapping)]
    told = [(api.structure(item, Told), item) for item in items]
    return {one.task_id: (one, item) for one, item in told if one.task_id}


def cleaned(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Copy what was told of a task without what is secret or personal."""
    return {name: value for name, value in raw.items() if name not in {"ip", "key", "callback_url"}}


def snapshot(task: api.Task, told: Told, raw: Mapping[str, Any], key: api.Secret) -> api.Snapshot:
    """Decide what *told* says of *task*: `state` and `status` may differ, and a link alone is no success."""
    word, number = told.state.strip().casefold(), told.status
    said = {_STATES.get(word, api.State.RUNNING)} if word else set()
    said |= set() if number is None else {_STATUSES.get(number, api.State.RUNNING)}
    linked = told.video_url.startswith(("http://", "https://"))
    shared: dict[str, Any] = {"task": task, "cost": told.point, "raw": cleaned(raw)}
    if linked and api.State.SUCCEEDED in said:
        cover = told.poster or told.image_url or None
        video = api.VideoResult(task.id, told.video_url, cover, None, api.State.SUCCEEDED)
        return api.Succeeded(results=(video,), **shared)
    if said == {api.State.SUCCEEDED}:
        return api.Failed(reason="no_output", message=shown(told.msg, key), **shared)
    if said == {api.State.FAILED} or (api.State.FAILED in said and not linked):
        return api.Failed(
            reason="content" if MODERATED.search(told.msg) else "provider",
            message=shown(told.msg, key),
            charged=_charged(told),
            **shared,
        )
    waits = api.State.QUEUED in said and api.State.RUNNING not in said
    return api.Pending(state=api.State.QUEUED if waits else api.State.RUNNING, **shared)


def _charged(told: Told) -> Literal["no", "yes", "unknown"]:
    """Return whether a failure cost points, as far as `refund` can: only its `0` is documented."""
    if told.refund == 1 or re.search("退还|退款", told.msg):
        return "no"
    return "yes" if told.refund == 0 and told.point else "unknown"
