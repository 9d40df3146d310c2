"""What AceData Cloud's documents show, for the conformance kit to hold the adapter against; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import asdict

import pika_async.provider as api

DECLARED: Final = api.Capabilities(
    name="acedata",
    inline_media=True,
    styles=(*api.IMAGE_EFFECTS, *api.VIDEO_EFFECTS[:5]),
    render_time=90,
    key_variables=("ACEDATA_API_KEY", "ACEDATACLOUD_API_TOKEN"),
    url_variable="ACEDATA_BASE_URL",
    poll_batch=50,
    callbacks="optional",
    echoes_token=True,
    refuses_by_body=False,
    replay=None,
    reserved={"callback_url"},
    private={"request", "callback_url"},
    words_only={"aspect_ratio"},
    models=("2.0", "1.5"),
    kinds={api.Generate, api.Ingredients, api.Style},
    fields={"negative_prompt", "model", "aspect_ratio", "image", "video", "mode"},
)
LIMITS: Final[Mapping[str, object]] = asdict(DECLARED, recurse=False)
