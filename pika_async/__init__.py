"""The async Python SDK for Pika video generation: any provider, never pays twice.

    async with Pika("acedata") as pika:
        video = await pika.generate("A cat surfing at sunset")

Not the RabbitMQ client `pika`.
"""

import typing

from pika_async._client import Pika
from pika_async._job import Job
from pika_async._plain import asdict
from pika_async.errors import (
    AuthError,
    BadReply,
    ConfigError,
    ContentBlocked,
    DownloadError,
    InsufficientBalance,
    JobFailed,
    JobTimeout,
    JobUnresolved,
    LedgerError,
    PikaError,
    ProviderUnavailable,
    RateLimited,
    SubmitRefused,
    SubmitUnknown,
    UnsupportedRequest,
)
from pika_async.requests import Blob, Camera, Edit, Frame, Generate, Ingredients, Style
from pika_async.results import State, VideoResult

if typing.TYPE_CHECKING:
    from pika_async.callbacks import Callbacks

__all__ = [
    "AuthError",
    "BadReply",
    "Blob",
    "Callbacks",
    "Camera",
    "ConfigError",
    "ContentBlocked",
    "DownloadError",
    "Edit",
    "Frame",
    "Generate",
    "Ingredients",
    "InsufficientBalance",
    "Job",
    "JobFailed",
    "JobTimeout",
    "JobUnresolved",
    "LedgerError",
    "Pika",
    "PikaError",
    "ProviderUnavailable",
    "RateLimited",
    "State",
    "Style",
    "SubmitRefused",
    "SubmitUnknown",
    "UnsupportedRequest",
    "VideoResult",
    "asdict",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Load `Callbacks` on first use: who receives none should not pay for its import."""
    if name == "Callbacks":
        from pika_async.callbacks import Callbacks

        return Callbacks
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
