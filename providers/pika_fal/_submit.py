"""What fal must be asked for a video: the endpoint, and the fields of its body. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import pika_async.provider as api


def endpoint(request: api.VideoRequest) -> tuple[str, dict[str, Any]]:
    """Return the endpoint that a request needs, and its body; refuses what it cannot express."""
    name, fields = _chosen(request)
    return name, fields | api.given(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        seed=request.seed,
        aspect_ratio=request.aspect_ratio,
        resolution=request.resolution,
    )


def inlined(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return *body* with the bytes of media as `data:` links."""
    return {name: _link(value) if "_url" in name else value for name, value in body.items()}


def _chosen(request: api.VideoRequest) -> tuple[str, dict[str, Any]]:
    """Return the endpoint and the fields that are its own."""
    image, seconds, model = (getattr(request, name, None) for name in ("image", "duration", "model"))
    media = api.given(image_url=image)
    match request:
        case api.Style(style=style):
            if image is None:
                raise api.UnsupportedRequest("image must come with an effect; add it.")
            return "v1.5/pikaffects", {"pikaffect": style} | media
        case api.Edit(video=video, region=region):
            if image is None and region is None:
                raise api.UnsupportedRequest("image or region must say what changes in the video; add one.")
            name = "pikadditions" if region is None else "pikaswaps"
            return f"v2/{name}", {"video_url": video} | media | api.given(modify_region=region)
        case _ if frames := api.key_frames(request):
            if model not in {None, "2.2"} or request.aspect_ratio:
                raise api.UnsupportedRequest("model other than 2.2 and aspect_ratio cannot go with frames.")
            return "v2.2/pikaframes", _between(frames, seconds)
    if seconds not in {None, 5, 10}:
        raise api.UnsupportedRequest("duration must be 5 or 10.")
    length = api.given(duration=seconds)
    if isinstance(request, api.Ingredients):
        length |= api.given(ingredients_mode=request.mode)
        return "v2.2/pikascenes", {"image_urls": request.images} | length
    if image is not None and (request.prompt is None or request.aspect_ratio):
        raise api.UnsupportedRequest("prompt must come with an image, and aspect_ratio cannot.")
    version = f"v{model or '2.2'}".replace("-", "/")
    return f"{version}/{'text' if image is None else 'image'}-to-video", media | length


def _between(frames: Sequence[api.Frame], seconds: float | None) -> dict[str, Any]:
    """Return the fields of key frames, with a transition for each gap where one is described."""
    gaps = [api.given(duration=frame.seconds or seconds, prompt=frame.prompt) for frame in frames[:-1]]
    lengths, last = [gap.get("duration", 5) for gap in gaps], frames[-1]
    if sum(lengths) > 25 or any(length % 1 for length in lengths) or last != api.Frame(last.image):
        raise api.UnsupportedRequest("frames must have 25 whole seconds at most, and none after the last.")
    images = [frame.image for frame in frames]
    return {"image_urls": images} | ({"transitions": gaps} if any(gaps) else {})


def _link(value: Any) -> Any:
    return [*map(api.inlined, value)] if isinstance(value, tuple | list) else api.inlined(value)
