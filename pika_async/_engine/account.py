"""An account: a provider plus a user's label, with its own queue, limits and poller."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, cast

from attrs import frozen

from pika_async._crossing import Value
from pika_async._engine.limits import Limits
from pika_async._registry import Loaded
from pika_async.errors import ConfigError, PikaError
from pika_async.provider import Call, Capabilities, Finds, HttpRequest, Provider, VideoRequest

if TYPE_CHECKING:
    from pika_async._engine.flight import Flight
    from pika_async._engine.poller import Poller


@frozen(kw_only=True)
class AccountStats(Value):
    """What an account is doing: jobs *queued* and *in_flight* of *max_concurrency*, POSTs *on_the_wire*.

    *polled* counts tasks under look-up, *poll_lag* is how late the most overdue look is, in seconds;
    *submit_spacing* is the pace that a 429 left, in seconds between submits; *oldest_unresolved* is the age
    in seconds of the attempt that has waited longest for a person; *paused* says why nothing moves.
    """

    queued: int
    in_flight: int
    max_concurrency: int
    on_the_wire: int
    polled: int
    poll_lag: float
    submit_spacing: float
    oldest_unresolved: float | None
    paused: str | None


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
        """Return the provider's name."""
        return self.loaded.name

    @property
    def provider(self) -> Provider:
        """Return the adapter."""
        return self.loaded.provider

    @property
    def capabilities(self) -> Capabilities:
        """Return what the adapter declares."""
        return self.loaded.capabilities

    @property
    def finder(self) -> Finds:
        """Return the adapter as one that searches its history; only after its powers were asked."""
        return cast("Finds", self.loaded.provider)

    def stats(self, oldest_unresolved: float | None) -> AccountStats:
        """Count what goes on here; *oldest_unresolved* is the engine's to know."""
        paused = self.poller.paused
        return AccountStats(
            queued=len(self.queue),
            in_flight=self.limits.in_flight,
            max_concurrency=self.limits.max_concurrency,
            on_the_wire=self.limits.on_the_wire,
            polled=len(self.poller),
            poll_lag=self.poller.lag,
            submit_spacing=self.limits.spacing,
            oldest_unresolved=oldest_unresolved,
            paused=paused.message if paused is not None else None,
        )

    def build_submit(self, request: VideoRequest, call: Call) -> HttpRequest:
        """Have the adapter build the POST; raises `ConfigError` for a defect of the adapter."""
        try:
            return self.guarded(self.provider.build_submit(request, call))
        except PikaError:
            raise
        except Exception as error:
            raise ConfigError(
                f"The adapter {self.name} failed to build the request ({type(error).__name__}); nothing was "
                "sent. Report it to the adapter's author.",
                provider=self.name,
            ) from error

    def guarded(self, request: HttpRequest) -> HttpRequest:
        """Return *request* back; raises `ConfigError` when it would carry a key to a foreign host."""
        origin = self.loaded.origin
        if origin is not None and request.origin != origin and request.bears_secrets:
            raise ConfigError(
                f"The adapter {self.name} wanted to send a secret to {request.origin}, which is not its own "
                "host; report it to the adapter's author.",
                provider=self.name,
            )
        return request
