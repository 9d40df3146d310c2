"""Comfy Router for pika_async: the adapter and the emulator of its wire."""

from pika_comfy._adapter import Comfy
from pika_comfy._emulator import ComfyEmulator

__all__ = ["Comfy", "ComfyEmulator"]
