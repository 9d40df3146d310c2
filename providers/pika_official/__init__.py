"""Pika's own API for pika_async: the adapter and the emulator of its wire."""

from pika_official._adapter import PikaOfficial
from pika_official._emulator import PikaEmulator

__all__ = ["PikaEmulator", "PikaOfficial"]
