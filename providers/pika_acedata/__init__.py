"""AceData Cloud for pika_async: the adapter and the emulator of its wire."""

import typing

from pika_acedata._adapter import AceData

if typing.TYPE_CHECKING:
    from pika_acedata._emulator import AceDataEmulator

__all__ = ["AceData", "AceDataEmulator"]


def __getattr__(name: str) -> object:
    """Load the emulator on first use: who buys needs none."""
    if name == "AceDataEmulator":
        from pika_acedata._emulator import AceDataEmulator

        return AceDataEmulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
