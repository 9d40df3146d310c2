"""What this process is called where others read of it."""

from __future__ import annotations

import os
import socket
from functools import cache
from importlib.metadata import PackageNotFoundError, version


def described() -> tuple[str, str]:
    """Return how people name this process, by its host and number, and the version that it runs."""
    return f"{socket.gethostname()}:{os.getpid()}", _our_version()


@cache
def _our_version() -> str:
    """Return our version, which takes longer to read than the rest of opening a client."""
    try:
        return version("pika-async")
    except PackageNotFoundError:
        return ""
