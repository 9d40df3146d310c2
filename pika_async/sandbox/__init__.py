"""The sandbox: every provider's real wire over real sockets, with faults on demand and no key."""

from pika_async.sandbox._callbacks import CallbackFault, ChoosesFault
from pika_async.sandbox._server import Sandbox

__all__ = ["CallbackFault", "ChoosesFault", "Sandbox"]
