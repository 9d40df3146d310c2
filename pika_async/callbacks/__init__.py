"""Callbacks: what providers send when a render ends. A pure handler, and adapters for web frameworks."""

import typing

from pika_async._lazily import lazily

if typing.TYPE_CHECKING:
    from pika_async.callbacks.handler import CallbackEvent, Handler, Reply
    from pika_async.callbacks.options import Callbacks
    from pika_async.callbacks.receiver import Inbox, Receiver

__all__ = ["CallbackEvent", "Callbacks", "Handler", "Inbox", "Receiver", "Reply"]

_HOMES = {
    "handler": ("CallbackEvent", "Handler", "Reply"),
    "options": ("Callbacks",),
    "receiver": ("Inbox", "Receiver"),
}

__getattr__ = lazily(
    __name__, {name: f"pika_async.callbacks.{home}" for home, names in _HOMES.items() for name in names}
)
