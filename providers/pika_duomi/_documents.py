"""What Duomi's documents show, for the conformance kit to hold the adapter against; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import asdict

import pika_async.provider as api

_STYLES: Final = (
    "Inflate Melt Explode Squish Crush Cake-ify Ta-da Deflate Crumble Dissolve Levitate Decapitate Eye-pop"
)
DECLARED: Final = api.Capabilities(
    name="duomi",
    styles=tuple(_STYLES.split()),
    cost_unit="points",
    key_variables=("DUOMI_API_KEY",),
    url_variable="DUOMI_BASE_URL",
    poll_batch=1,
    callbacks="required",
    closed_styles=True,
    refuses_by_body=False,
    echoes_token=False,
    inline_media=False,
    replay=None,
    ranges={"frame_rate": (8, 24), "guidance_scale": (5, 25), "motion": (0, 4)},
    words_only={"aspect_ratio"},
    reserved={"key", "callback_url"},
    private={"ip", "key", "callback_url"},
    models=("1.5",),
    kinds={api.Generate, api.Style},
    fields={"negative_prompt", "model", "aspect_ratio", "seed", "frame_rate", "guidance_scale", "motion"}
    | {"camera", "sound_effects", "image", "video"},
)
LIMITS: Final[Mapping[str, object]] = asdict(DECLARED, recurse=False)
