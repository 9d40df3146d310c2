"""The async Python SDK for Pika video generation: any provider, never pays twice.

    async with Pika("acedata") as pika:
        video = await pika.generate("A cat surfing at sunset")

Not the RabbitMQ client `pika`.
"""

import typing

from pika_async import _lazily

if typing.TYPE_CHECKING:
    from pika_async import errors as errors
    from pika_async import requests as requests
    from pika_async import results as results
    from pika_async._client import Pika
    from pika_async._job import Job
    from pika_async._plain import asdict
    from pika_async.callbacks import Callbacks
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

_HOMES = {
    "pika_async.": ("errors", "requests", "results"),
    "pika_async._client": ("Pika",),
    "pika_async._job": ("Job",),
    "pika_async._plain": ("asdict",),
    "pika_async.callbacks": ("Callbacks",),
    "pika_async.requests": ("Blob", "Camera", "Edit", "Frame", "Generate", "Ingredients", "Style"),
    "pika_async.results": ("State", "VideoResult"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__getattr__ = _lazily.lazily(__name__, dict.fromkeys(__all__, "pika_async.errors") | _HOME)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
