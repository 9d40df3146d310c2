"""AceData's JSON as values: what it tells of a task, and the snapshot that amounts to."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from attrs import field, frozen

import pika_async.provider as api
from pika_acedata._refusals import error_code, error_message

_STATES = {
    **dict.fromkeys(
        ["succeed", "succeeded", "success", "completed", "complete", "finished"], api.State.SUCCEEDED
    ),
    **dict.fromkeys(["failed", "failure", "error", "cancelled", "canceled", "rejected"], api.State.FAILED),
    **dict.fromkeys(["queued", "pending"], api.State.QUEUED),
}
_ECHOES = frozenset({"request", "callback_url"})


def _text() -> Any:
    """Declare an id, word or link; a wrong type reads as nothing, so that it spoils nothing else."""
    return field(default=None, converter=lambda v: v if isinstance(v, str) and v.isprintable() else None)


@frozen
class Output:
    """One video of `data`."""

    id: Any = _text()
    video_url: Any = _text()
    image_url: Any = _text()
    duration: float | None = None
    state: Any = _text()


@frozen
class Told:
    """What a submit answers and a callback pushes; a record wraps the same as its `response`."""

    id: Any = _text()
    task_id: Any = _text()
    trace_id: Any = _text()
    success: Any = None
    error: Any = None
    data: Any = None
    created_at: float | None = None
    finished_at: float | None = None
    request: Any = None
    count: int | None = None

    @property
    def outputs(self) -> tuple[Output, ...]:
        items = self.data if isinstance(self.data, list) else [self.data]
        return tuple(api.structure(item, Output) for item in items if isinstance(item, Mapping))

    def sent(self, name: str) -> str | None:
        """Return a field of the echoed request: empty if it had none, None without an echo."""
        value = self.request.get(name) if isinstance(self.request, Mapping) else None
        return value if isinstance(value, str) else "" if isinstance(self.request, Mapping) else None


def decoded(body: bytes, *, form: bool = False) -> Any:
    """Decode JSON, or a *form* whose values may be JSON themselves; anything else is empty text."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        pairs = parse_qsl(body.decode(errors="replace")) if form else []
        return {
            name: value if value[0] not in "[{tfn" else decoded(value.encode()) or value
            for name, value in pairs
        } or ""


def read(body: Any) -> Told:
    """Read any JSON, unwrapping a record's `response` or an envelope's `data`; nonsense tells nothing."""
    outer = body if isinstance(body, Mapping) else {}
    inner = outer.get("response") or outer.get("data")
    if isinstance(inner, Mapping) and ("task_id" in inner or "response" in outer):
        outer = {**outer, **inner, "id": outer.get("id")}
    return api.structure(outer, Told)


def cleaned(value: Any, depth: int = 20) -> Any:
    """Copy foreign JSON without the echoed request and callback address, which bear our token."""
    # Called for every record of every look-up: leaves are copied without a call of their own.
    match value:
        case dict() if depth:
            return {
                name: cleaned(inner, depth - 1) if isinstance(inner, dict | list) else inner
                for name, inner in value.items()
                if name not in _ECHOES
            }
        case list() if depth:
            return [cleaned(inner, depth - 1) for inner in value]
    return None if isinstance(value, dict | list) else value


def snapshot(task: api.Task, told: Told, raw: Any, key: api.Secret, source: str | None) -> api.Snapshot:
    """Decide what *told* says of *task*.

    *source* is the video of the request, whose return proves nothing; None when the request is not at
    hand, and then no link proves anything without a state word.
    """
    finished = told.finished_at is not None
    failed = bool(told.error) or (told.success is False and finished)
    states, results = set(), []
    for output in told.outputs:
        url = output.video_url or ""
        linked = url.startswith(("http://", "https://")) and url != source
        settled = finished or (linked and source is not None and told.success is not False)
        word = (output.state or "").strip().casefold() or "finished" * settled
        state = _STATES.get(word, api.State.RUNNING)
        states.add(state)
        if linked and state is api.State.SUCCEEDED:
            results.append(
                api.VideoResult(output.id or task.id, url, output.image_url, output.duration, state)
            )
    still_open = states & {api.State.QUEUED, api.State.RUNNING}
    shared: dict[str, Any] = {"task": task, "trace_id": told.trace_id, "raw": cleaned(raw)}
    if results and (failed or not still_open):
        return api.Succeeded(results=tuple(results), **shared)
    if failed or (not still_open and (states or finished)):
        code, message = error_code(told.error), error_message(told.error, key)
        moderated = code == "forbidden" or re.search("(?i)moderat|community standards", message)
        empty = not failed and states != {api.State.FAILED}
        return api.Failed(
            reason="content" if moderated else "no_output" if empty else "provider",
            message=message,
            code=code,
            **shared,
        )
    state = api.State.QUEUED if still_open == {api.State.QUEUED} else api.State.RUNNING
    return api.Pending(state=state, **shared)
