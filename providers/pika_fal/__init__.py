"""fal.ai for pika_async: the adapter and the emulator of its wire."""

from pika_fal._adapter import Fal
from pika_fal._emulator import FalEmulator

__all__ = ["Fal", "FalEmulator"]
