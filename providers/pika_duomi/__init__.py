"""Duomi (多米API) for pika_async: the adapter and the emulator of its wire."""

from pika_duomi._adapter import Duomi
from pika_duomi._emulator import DuomiEmulator

__all__ = ["Duomi", "DuomiEmulator"]
