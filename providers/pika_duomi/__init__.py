"""Duomi (多米API) for pika_async: the adapter and the emulator of its wire."""

import typing

from pika_duomi._adapter import Duomi

if typing.TYPE_CHECKING:
    from pika_duomi._emulator import DuomiEmulator

__all__ = ["Duomi", "DuomiEmulator"]


def __getattr__(name: str) -> object:
    """Load the emulator on first use: who buys needs none."""
    if name == "DuomiEmulator":
        from pika_duomi._emulator import DuomiEmulator

        return DuomiEmulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
