"""Callbacks: what providers send when a render ends. A pure handler, and adapters for web frameworks."""

from pika_async.callbacks.handler import CallbackEvent, Handler, Reply
from pika_async.callbacks.options import Callbacks
from pika_async.callbacks.receiver import Inbox, Receiver

__all__ = ["CallbackEvent", "Callbacks", "Handler", "Inbox", "Receiver", "Reply"]
