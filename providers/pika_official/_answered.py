"""An answer in JSON, as Pika's own API sends all of its answers. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pika_async.provider import JSON, HttpResponse


def answered(status: int, body: Mapping[str, JSON], headers: Mapping[str, str] | None = None) -> HttpResponse:
    return HttpResponse(
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
        body=json.dumps(body, ensure_ascii=False).encode(),
    )
