"""The sandbox: a local server with every provider's API, with faults on demand and no real key."""

from pika_async.sandbox._callbacks import CallbackFault, ChoosesFault
from pika_async.sandbox._server import Sandbox

__all__ = ["CallbackFault", "ChoosesFault", "Sandbox"]
