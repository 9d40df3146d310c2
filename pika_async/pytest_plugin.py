"""The pytest plugin: `pika_sandbox` for the tests of an application. It loads nothing until it is used."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pika_async import Pika, sync
    from pika_async.sandbox import Sandbox

_QUICK = {"poll_interval": 0.01, "poll_rate": None}


class PikaSandbox:
    """A running sandbox, to which every client in the test leads that names no address of its own.

    Words in the prompt choose a fault (`pika_async.emulator.Outcome`). *render_time* is how many seconds the
    next renders take; `advance` lets them pass, so that no test waits for them. Callbacks wait in real time.
    """

    def __init__(self) -> None:
        from pika_async.sandbox import Sandbox

        self.render_time = 0.0
        self._ahead = 0.0
        self.sandbox: Sandbox = Sandbox(
            render_time=lambda: self.render_time, clock=lambda: time.time() + self._ahead
        )

    @property
    def url(self) -> str:
        """The base URL for every provider."""
        return self.sandbox.url

    @property
    def billed(self) -> Counter[str]:
        """How many orders were accepted and billed, by prompt."""
        return self.sandbox.billed

    @property
    def requests(self) -> Counter[tuple[str, str]]:
        """How many requests arrived, by method and path."""
        return self.sandbox.requests

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass for renders."""
        self._ahead += seconds

    def client(self, provider: str = "acedata", /, **options: Any) -> Pika:
        """Return a client that buys here: `async with pika_sandbox.client() as pika`."""
        return self.sandbox.client(provider, **(_QUICK | options))

    def sync_client(self, provider: str = "acedata", /, **options: Any) -> sync.Pika:
        """Return a client without `await` that buys here."""
        from pika_async import sync

        given = {"api_key": "sandbox", "base_url": self.url, "media_hosts": [self.sandbox.media_host]}
        return sync.Pika(provider, **(given | _QUICK | options))


@pytest.fixture
def pika_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[PikaSandbox]:
    """Run a sandbox over real sockets for this test, without a key and without cost.

    The environment leads every client to it: keys and addresses of all installed providers are replaced, and
    no client looks less often than it may. What a client is given as arguments stays.
    """
    from pika_async import Pika
    from pika_async.installed import providers
    from pika_async.sync._background import Background

    background = Background()
    made = PikaSandbox()
    background.call(made.sandbox.start)
    for name, installed in providers().items():
        if installed.capabilities is not None:
            for variable in installed.capabilities.key_variables:
                monkeypatch.setenv(variable, "sandbox")
            variable = installed.capabilities.url_variable or f"{name.upper().replace('-', '_')}_BASE_URL"
            monkeypatch.setenv(variable, made.url)
    monkeypatch.setenv("PIKA_ASYNC_MEDIA_HOST", made.sandbox.media_host)
    monkeypatch.setattr(Pika.__init__, "__kwdefaults__", (Pika.__init__.__kwdefaults__ or {}) | _QUICK)
    yield made
    background.call(made.sandbox.stop)
    background.stop()
