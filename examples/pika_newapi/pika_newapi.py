"""Pika behind a gateway of the 'new-api' style (gptbest, V-API, openai-hk): one instance for each.

`POST {base}/pika/generate` answers `{"id": ...}`, bare or as the `data` of an envelope, and
`GET {base}/pika/feed/{id}` tells of each video how far it is. There are no callbacks.
"""

from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

import pika_async.provider as api

CAPABILITIES = api.Capabilities(
    kinds={api.Generate, api.Style},
    fields={"image", "model", "aspect_ratio", "negative_prompt", "frame_rate", "guidance_scale", "motion"},
    words_only={"aspect_ratio"},
    media={"image": api.Takes(inline=True)},
)
STATES = {"queued": api.State.QUEUED, "pending": api.State.RUNNING, "error": api.State.FAILED}
NO_MONEY = "insufficient_user_quota pre_consume_token_quota_failed"


@frozen
class Video:
    """One video of a look-up."""

    id: Any = api.text()
    status: Any = api.text()
    link: Any = api.text()
    poster: Any = api.text()
    error: Any = api.text()
    duration: float | None = None
    progress: float | None = None

    @property
    def state(self) -> api.State | None:
        return STATES.get(self.status) or api.state(self.status)

    @property
    def result(self) -> api.VideoResult:
        poster = self.poster if api.is_link(self.poster) else None
        return api.VideoResult(self.id, self.link, poster, self.duration, api.State.SUCCEEDED)


@frozen
class Answer:
    """What any answer tells."""

    id: Any = api.text()
    videos: Any = ()
    error: Any = None

    @property
    def wrong(self) -> api.ErrorInfo:
        """Return what went wrong: `{"error": {"code": ..., "message": ...}}`, or a text alone."""
        code = api.members(self.error).get("code")
        return api.ErrorInfo(code=code if isinstance(code, str) else None, message=api.first_text(self.error))


def read(response: api.HttpResponse) -> Answer:
    """Read any answer; the task is in the answer itself, or in its `data`."""
    body = api.members(api.decoded(response.body))
    return api.structure({**body, **api.members(body.get("data"))}, Answer)


def read_video(item: Any) -> Video:
    """Read one video; its links get our names."""
    told = api.members(item)
    return api.structure({**told, "link": told.get("resultUrl"), "poster": told.get("videoPoster")}, Video)


def ratio(text: str) -> float:
    """Return `16:9` as a number."""
    width, height = text.split(":")
    return int(width) / int(height)


@frozen(kw_only=True)
class NewApi:
    """Speak to one gateway; *name* tells it from another gateway of the same client."""

    api_key: api.Secret = api.key("NEWAPI_API_KEY")
    base_url: str = api.base_url("https://gateway.invalid")
    name: str = "newapi"

    @property
    def capabilities(self) -> api.Capabilities:
        """Return what the wire can carry, with this gateway's name and variables: `GPTBEST_API_KEY`."""
        prefix = self.name.upper().replace("-", "_")
        return evolve(
            CAPABILITIES,
            name=self.name,
            key_variables=(f"{prefix}_API_KEY",),
            url_variable=f"{prefix}_BASE_URL",
        )

    @property
    def _refusals(self) -> api.Refusals:
        return api.Refusals(provider=self.name, codes={api.InsufficientBalance: NO_MONEY})

    @property
    def _headers(self) -> dict[str, str | api.Secret]:
        return {"authorization": self.api_key.within("Bearer {}")}

    def build_submit(self, request: api.VideoRequest, _call: api.Call, /) -> api.HttpRequest:
        """Send what the caller set; members of `extra_body`'s `options`, such as `extend`, join ours."""
        told = api.fields_set(request)
        parameters = api.given(
            guidanceScale=told.get("guidance_scale"),
            motion=told.get("motion"),
            negativePrompt=told.get("negative_prompt"),
        )
        options = api.given(
            aspectRatio=ratio(told["aspect_ratio"]) if "aspect_ratio" in told else None,
            frameRate=told.get("frame_rate"),
            parameters=parameters or None,
        )
        body = api.given(
            promptText=told.get("prompt"),
            pikaffect=told.get("style"),
            model=told.get("model"),
            image=api.inlined(told["image"]) if "image" in told else None,
            options=options or None,
        )
        url = f"{self.base_url}/pika/generate"
        return api.HttpRequest(
            method="POST",
            url=url,
            headers=self._headers,
            body=api.Json(api.merged(body, told.get("extra_body"))),
        )

    def read_submit(self, response: api.HttpResponse, _request: api.VideoRequest, /) -> api.Snapshot:
        """Return the task if the answer names one; raise what the rest proves."""
        answer = read(response)
        if answer.id:
            return api.Pending(task=api.Task(answer.id), raw=api.Raw(api.decoded(response.body)))
        raise self._refusals.at_submit(response, answer.wrong, self.api_key)

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        url = f"{self.base_url}/pika/feed/{tasks[0].id}"
        return api.HttpRequest(method="GET", url=url, headers=self._headers)

    def read_poll(self, response: api.HttpResponse, tasks: Sequence[api.Task], /) -> api.Snapshots:
        """Return what is known of the task: nothing after a 404, an error for what speaks of the call."""
        answer = read(response)
        if response.status == 404:
            return {}
        if response.status != 200:
            raise self._refusals.at_lookup(response, answer.wrong, self.api_key)
        raw = api.Raw(api.decoded(response.body))
        return {task.id: self._snapshot(task, answer, raw) for task in tasks if task.id == answer.id}

    def _snapshot(self, task: api.Task, answer: Answer, raw: api.Raw) -> api.Snapshot:
        """Wait for every video of the task, then return those that have a link."""
        videos = [read_video(item) for item in answer.videos] if isinstance(answer.videos, list) else []
        ended = [video for video in videos if video.state in {api.State.SUCCEEDED, api.State.FAILED}]
        if not videos or len(ended) < len(videos):
            queued = bool(videos) and all(video.state is api.State.QUEUED for video in videos)
            done = [video.progress for video in videos if video.progress is not None]
            return api.Pending(
                task=task,
                state=api.State.QUEUED if queued else api.State.RUNNING,
                progress=min(max(min(done) / 100, 0), 1) if done else None,
                raw=raw,
            )
        ready = [video for video in ended if video.state is api.State.SUCCEEDED]
        results = tuple(video.result for video in ready if api.is_link(video.link))
        if results:
            return api.Succeeded(task=task, results=results, raw=raw)
        if ready:
            return api.Failed(task=task, reason="no_output", raw=raw)
        message = api.first_text([video.error for video in videos])
        return api.Failed(
            task=task,
            reason="content" if "violation" in message.casefold() else "provider",
            message=api.shown(message, self.api_key),
            raw=raw,
        )
