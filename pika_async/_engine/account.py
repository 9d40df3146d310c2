"""An account: a provider plus a user's label, with its own queue, limits and poller."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pika_async._engine.limits import Limits
from pika_async._registry import Loaded
from pika_async.errors import ConfigError
from pika_async.provider import Capabilities, HttpRequest, Provider

if TYPE_CHECKING:
    from pika_async._engine.flight import Flight
    from pika_async._engine.poller import Poller


class Account:
    """Where jobs of one provider and label wait, run and are polled."""

    poller: Poller

    def __init__(self, loaded: Loaded, label: str, max_concurrency: int) -> None:
        self.loaded = loaded
        self.label = label
        self.key = f"{loaded.name}:{label}"
        self.limits = Limits(max_concurrency)
        self.queue: deque[Flight] = deque()

    @property
    def name(self) -> str:
        """Give the provider's name."""
        return self.loaded.name

    @property
    def provider(self) -> Provider:
        """Give the adapter."""
        return self.loaded.provider

    @property
    def capabilities(self) -> Capabilities:
        """Give what the adapter declares."""
        return self.loaded.capabilities

    def guarded(self, request: HttpRequest) -> HttpRequest:
        """Give *request* back; raises `ConfigError` when it would carry a key to a foreign host."""
        origin = self.loaded.origin
        if origin is not None and request.origin != origin and request.bears_secrets:
            raise ConfigError(
                f"The adapter {self.name} wanted to send a secret to {request.origin}, which is not its own "
                "host; report it to the adapter's author.",
                provider=self.name,
            )
        return request
