"""Names for annotations: whatever a method of this library returns or takes and `pika_async` does not export.

    from pika_async.types import Item

Each name is loaded on first use, so that the import of this module costs nothing.
"""

import typing

from pika_async._lazily import lazily

if typing.TYPE_CHECKING:
    from pika_async._balances import AccountBalance
    from pika_async._bulk import Map
    from pika_async._download import Downloaded
    from pika_async._engine.stats import AccountStats
    from pika_async._events import JobEvent, JobEvents
    from pika_async._item import Item, Order, Row
    from pika_async._prices import Quote
    from pika_async._recovery import Recovered
    from pika_async._sender import Timeouts
    from pika_async.callbacks import Receiver, Reply
    from pika_async.callbacks._asgi import AsgiApp
    from pika_async.errors import Charged, JobHandle, Phase
    from pika_async.requests import Media, VideoRequest
    from pika_async.results import JSON, Cancelled

__all__ = [
    "JSON",
    "AccountBalance",
    "AccountStats",
    "AsgiApp",
    "Cancelled",
    "Charged",
    "Downloaded",
    "Item",
    "JobEvent",
    "JobEvents",
    "JobHandle",
    "Map",
    "Media",
    "Order",
    "Phase",
    "Quote",
    "Receiver",
    "Recovered",
    "Reply",
    "Row",
    "Timeouts",
    "VideoRequest",
]

_HOMES = {
    "_balances": ("AccountBalance",),
    "_bulk": ("Map",),
    "_download": ("Downloaded",),
    "_engine.stats": ("AccountStats",),
    "_events": ("JobEvent", "JobEvents"),
    "_item": ("Item", "Order", "Row"),
    "_prices": ("Quote",),
    "_sender": ("Timeouts",),
    "_recovery": ("Recovered",),
    "callbacks": ("Receiver", "Reply"),
    "callbacks._asgi": ("AsgiApp",),
    "errors": ("Charged", "JobHandle", "Phase"),
    "requests": ("Media", "VideoRequest"),
    "results": ("JSON", "Cancelled"),
}


__getattr__ = lazily(
    __name__, {name: f"pika_async.{home}" for home, names in _HOMES.items() for name in names}
)
