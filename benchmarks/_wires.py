"""What the fake server answers: AceData's wire, Duomi's, and each peer's own, as bytes made beforehand.

A task's id ends with the time at which its render is done, in microseconds of the machine's monotonic clock.
So the server keeps no clock per task, and whoever holds a result can tell how late it was found.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

_TRACE = b"00b1ef3a-c274-4005-8432-becd386fbb11"
_RECORD = (
    b'{"_id":"67780ea4550a4144a544ff6a","id":"%b","api_id":"05b5a06a-1c3c-42a1-a09e-8c5d245e8468",'
    b'"application_id":"c885f188-fda1-4cb9-a15e-d29ba3e62716","created_at":1735919612.279,'
    b'"credential_id":"b54d36d2-bbf2-4a9a-9da5-c64ac04398a1","request":%b,"trace_id":"' + _TRACE + b'",'
    b'"user_id":"ad7afe47-cea9-4cda-980f-2ad8810e51cf"%b}'
)
_RESPONSE = (
    b',"response":{"success":true,"task_id":"%b","trace_id":"' + _TRACE + b'","data":[{"id":"%b",'
    b'"prompt":null,"video_url":"https://cdn.example/v1/07358527/moving_seed2114993542.mp4",'
    b'"image_url":"https://cdn.example/v1/07358527/thumbnail.jpg","duration":5,"state":"succeeded"}]}'
)
_LINK = "https://cdn.example/v1/07358527/moving_seed2114993542.mp4"


def done_at(task_id: str) -> float:
    """Read from an id when its render was done, on the monotonic clock."""
    return int(task_id[-12:], 16) / 1e6


class Wires:
    """Every provider's answers; *requests* counts what was asked, by kind."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.base = ""
        self._tasks: dict[bytes, bytes] = {}
        self._random = random.Random(1)
        self._renders = (0.0, 0.0)
        self.on_callback: Callable[[str, bytes], None] | None = None

    def reset(self, shortest: float, longest: float) -> None:
        """Forget everything; renders take *shortest* to *longest* seconds from now on."""
        self.requests.clear()
        self._tasks.clear()
        self._random.seed(1)
        self._renders = (shortest, longest)

    def answer(self, method: bytes, path: str, body: bytes) -> bytes:
        """Return the JSON body of the answer; raises KeyError for what is not here."""
        path, _, query = path.partition("?")
        match path.strip("/").split("/"):
            case ["pika", "videos"]:
                return b'{"task_id":"%b"}' % self._accept(body)
            case ["pika", "tasks"]:
                return self._look_up(json.loads(body))
            case ["api", "video", "pika", "pro", "generate"]:
                return b'{"code":200,"msg":"ok","data":{"task_id":"%b"}}' % self._accept(body)
            case ["api", "video", "pika", "feed"]:
                return _dump(_duomi(task := query.removeprefix("task_id="), done=self._done(task)))
            case ["fal-ai", "pika", "requests", task, "status"]:
                word = "COMPLETED" if self._done(task) else "IN_PROGRESS"
                return _dump({"status": word, "request_id": task, "logs": None, "metrics": {}})
            case ["fal-ai", "pika", "requests", task]:
                self.requests["look-up"] += 1
                return _dump({"video": {"url": _LINK, "file_name": task}})
            case ["fal-ai", "pika", *_]:
                task = self._accept(body).decode()
                url = f"{self.base}/fal-ai/pika/requests/{task}"
                urls = {"response_url": url, "status_url": f"{url}/status", "cancel_url": f"{url}/cancel"}
                return _dump({"status": "IN_QUEUE", "request_id": task, "queue_position": 0, **urls})
            case ["v1", "text_to_video"]:
                return b'{"id":"%b"}' % self._accept(body)
            case ["v1", "tasks", task]:
                return _dump(_runway(task, done=self._done(task)))
            case ["v1", "predictions"]:
                return _dump(_replicate(self.base, self._accept(body).decode(), done=False))
            case ["v1", "predictions", task]:
                return _dump(_replicate(self.base, task, done=self._done(task)))
            case ["v1", "videos"] if method == b"POST":
                return _dump(_openai(self._accept(body).decode(), done=False))
            case ["v1", "videos", task]:
                return _dump(_openai(task, done=self._done(task)))
        raise KeyError(path)

    def _accept(self, body: bytes) -> bytes:
        self.requests["submit"] += 1
        done = time.monotonic() + self._random.uniform(*self._renders)
        task = b"%08x-550a-4144-a544-%012x" % (self.requests["submit"], int(done * 1e6))
        self._tasks[task] = body
        if self.on_callback is not None and b'"callback_url"' in body and b"//callback.invalid/" not in body:
            self.on_callback(json.loads(body)["callback_url"], task)
        return task

    def _done(self, task: str) -> bool:
        self.requests["look-up"] += 1
        return done_at(task) <= time.monotonic()

    def _look_up(self, asked: dict[str, Any]) -> bytes:
        self.requests["look-up"] += 1
        now = time.monotonic()
        if asked.get("action") == "retrieve_batch":
            records = [self._record(task.encode(), now) for task in asked["ids"]]
            return b'{"items":[%b],"count":%d}' % (b",".join(records), len(records))
        return self._record(asked["id"].encode(), now)

    def _record(self, task: bytes, now: float) -> bytes:
        response = _RESPONSE % (task, task) if done_at(task.decode()) <= now else b""
        return _RECORD % (task, self._tasks[task], response)

    def result(self, task: bytes) -> bytes:
        """Return what a callback says of a task."""
        return (_RESPONSE % (task, task)).partition(b":")[2]


def _duomi(task: str, *, done: bool) -> dict[str, Any]:
    told = {"state": "succeeded", "status": 3, "video_url": _LINK} if done else {"state": "running"}
    return {"code": 200, "msg": "ok", "data": {"task_id": task, "point": 5, **told}, "ip": "203.0.113.7"}


def _runway(task: str, *, done: bool) -> dict[str, Any]:
    base = {"id": task, "createdAt": "2025-01-01T00:00:00Z"}
    if done:
        return {**base, "status": "SUCCEEDED", "output": [_LINK], "cost": {"credits": 5}}
    return {**base, "status": "RUNNING", "progress": 0.5, "estimatedCost": {"credits": 5}}


def _replicate(base: str, task: str, *, done: bool) -> dict[str, Any]:
    url = f"{base}/v1/predictions/{task}"
    return {
        "id": task,
        "model": "pika/pika",
        "version": "0" * 64,
        "status": "succeeded" if done else "starting",
        "input": {"prompt": "a cat"},
        "output": _LINK if done else None,
        "logs": "",
        "error": None,
        "metrics": {},
        "created_at": "2025-01-01T00:00:00Z",
        "started_at": None,
        "completed_at": None,
        "urls": {"get": url, "cancel": f"{url}/cancel"},
    }


def _openai(task: str, *, done: bool) -> dict[str, Any]:
    state = {"status": "completed", "progress": 100} if done else {"status": "queued", "progress": 0}
    return {
        "id": task,
        "object": "video",
        "created_at": 1735919612,
        "model": "sora-2",
        "seconds": "4",
        "size": "720x1280",
        **state,
    }


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
