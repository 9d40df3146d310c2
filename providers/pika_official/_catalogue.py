"""The public catalogue of Pika's own API: what an operation costs, for which no key is asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pika_async.provider import JSON, HttpResponse
from pika_official._answered import answered
from pika_official._operations import OPERATIONS, SECOND, price


def catalogued(api_id: str, body: Any) -> HttpResponse:
    """Tell the price of an operation: of its catalogue entry, or of one body."""
    name, quote = api_id.removesuffix("/quote"), api_id.endswith("/quote")
    operation = name.removeprefix("pika/")
    if operation not in OPERATIONS:
        return answered(404, {"message": "not found"})
    if quote:
        whole = price(operation, body) if isinstance(body, Mapping) else 0
        return answered(200, {"micro_usd": whole, "sell_usd": f"{whole / 1_000_000:.4f}"})
    tiers: list[JSON] = [{"spec": {"resolution": r}, "micro_usd": each} for r, each in SECOND.items()]
    unit: JSON = {"type": "second", "quantity": 1, "included": 0}
    components: JSON = [{"role": "output", "unit": unit, "price_tiers": tiers}]
    call: JSON = {"method": "POST", "path": f"/v1/media/{name}"}
    entry: dict[str, JSON] = {"api_id": name, "category": "video", "call": call}
    return answered(
        200, {**entry, "display_pricing": {"components": components}}, {"cache-control": "no-store"}
    )
