"""AceData Cloud for pika_async: the adapter and the emulator of its wire."""

from pika_acedata._adapter import AceData
from pika_acedata._emulator import AceDataEmulator

__all__ = ["AceData", "AceDataEmulator"]
