"""Callbacks: answers that providers push, received by a pure handler in thin shells."""

from pika_async.callbacks.handler import CallbackEvent, Handler, Reply
from pika_async.callbacks.options import Callbacks
from pika_async.callbacks.receiver import Inbox, Receiver

__all__ = ["CallbackEvent", "Callbacks", "Handler", "Inbox", "Receiver", "Reply"]
