"""Pika's own API for pika_async: the adapter and the emulator of its wire."""

import typing

from pika_official._adapter import PikaOfficial

if typing.TYPE_CHECKING:
    from pika_official._emulator import PikaEmulator

__all__ = ["PikaEmulator", "PikaOfficial"]


def __getattr__(name: str) -> object:
    """Load the emulator on first use: who buys needs none."""
    if name == "PikaEmulator":
        from pika_official._emulator import PikaEmulator

        return PikaEmulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
