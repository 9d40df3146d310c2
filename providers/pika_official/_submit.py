"""What Pika's own API must be asked for a video: the operation, and the fields of its body. Pure."""

from collections.abc import Sequence
from typing import Any

import pika_async.provider as api


def operation(request: api.VideoRequest) -> tuple[str, dict[str, Any]]:
    """Return the operation that a request needs, and its body; refuses what it cannot express."""
    name, fields = _chosen(request)
    return name, fields | api.given(
        prompt=request.prompt,
        resolution=request.resolution,
        negative_prompt=request.negative_prompt,
        seed=request.seed,
    )


def _chosen(request: api.VideoRequest) -> tuple[str, dict[str, Any]]:
    """Return the operation and the fields that are its own."""
    image, video, seconds = (getattr(request, name, None) for name in ("image", "video", "duration"))
    match request:
        case api.Style(style=style):
            if (image is None) == (video is None):
                raise api.UnsupportedRequest("image or video, one of the two, must come with an effect.")
            kind = "video" if image is None else "image"
            return f"pikaffects/{kind}-to-video", {"pikaffect": style, kind: video or image}
        case _ if frames := api.key_frames(request):
            return "pikaframes/image-to-video", _between(request, frames)
        case _ if seconds not in ({None, 5, 10} if image or video else {None, 5}):
            raise api.UnsupportedRequest("duration must be 5, or 10 beside an image or a video.")
        case api.Edit(region=region, mask=mask):
            name = "pikadditions" if region is mask is None else "pikaswaps"
            where = api.given(modify_region_roi=region, modify_region_mask=mask)
            return f"{name}/video-to-video", api.given(video=video, image=image, duration_s=seconds) | where
    name = "image" if image else "text"
    return f"pika-2.5/{name}-to-video", api.given(image=image, duration_s=seconds)


def _between(request: api.VideoRequest, frames: Sequence[api.Frame]) -> dict[str, Any]:
    """Return the fields of key frames: one time for all gaps, over five seconds for a single gap only."""
    seconds = {frame.seconds or request.duration for frame in frames} - {None}
    most = 10 if len(frames) == 2 else 5
    if request.model is not None:
        raise api.UnsupportedRequest("model cannot go with frames or last_image; leave it out.")
    if len(seconds) > 1 or any(frame.prompt for frame in frames):
        raise api.UnsupportedRequest("frames must have the same seconds between all, and no own prompts.")
    if not seconds <= {*range(1, most + 1)}:
        raise api.UnsupportedRequest(f"duration between frames must be 1 to {most} whole seconds.")
    images = [frame.image for frame in frames]
    return {"images": images} | api.given(transition_duration_s=next(iter(seconds), None))
