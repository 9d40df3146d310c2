"""What Comfy Router must be asked for a video: the model, and the fields of its body. Pure."""

from typing import Any

import pika_async.provider as api


def model(request: api.VideoRequest) -> tuple[str, dict[str, Any]]:
    """Return the model that a request needs, and its body; refuses what it cannot express."""
    name, fields = _chosen(request)
    return name, fields | api.given(prompt=request.prompt, resolution=request.resolution, seed=request.seed)


def _chosen(request: api.VideoRequest) -> tuple[str, dict[str, Any]]:
    """Return the model and the fields that are its own."""
    image, seconds = getattr(request, "image", None), request.duration
    if isinstance(request, api.Ingredients) or request.model == "h3-flex":
        if request.model == "2.5":
            raise api.UnsupportedRequest("model must be h3-flex with ingredients; leave it out.")
        if request.negative_prompt is not None or request.prompt is None or request.resolution == "720p":
            raise api.UnsupportedRequest(
                "negative_prompt and resolution 720p cannot go with h3-flex, and prompt is required."
            )
        if seconds is not None and seconds % 1:
            raise api.UnsupportedRequest("duration must be whole seconds, 5 to 15.")
        fields = api.given(duration=seconds, aspect_ratio=request.aspect_ratio, image=image)
        if isinstance(request, api.Ingredients):
            images = [{"type": "image", "url": link} for link in request.images]
            return "pika-h3-flex-reference-to-video", fields | {"references": images}
        return f"pika-h3-flex-{'image' if image else 'text'}-to-video", fields
    if request.aspect_ratio is not None or request.resolution not in {None, "720p", "1080p"}:
        raise api.UnsupportedRequest(
            "aspect_ratio and resolution other than 720p or 1080p need model h3-flex."
        )
    if seconds not in ({None, 5, 10} if image else {None, 5}):
        raise api.UnsupportedRequest("duration must be 5, or 10 beside an image, but for model h3-flex.")
    fields = api.given(image=image, duration_s=seconds, negative_prompt=request.negative_prompt)
    return f"pika-2.5-{'image' if image else 'text'}-to-video", fields
