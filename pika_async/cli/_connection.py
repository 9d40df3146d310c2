"""Where a command's request goes: chosen providers, an address of the user's, or the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from itertools import chain
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click
from attrs import frozen

from pika_async import ConfigError, Pika
from pika_async.cli._command import Decorator, gathered, paid_jobs_told
from pika_async.cli._ledger import (
    Place,
    arguments,
    ledger_option,
    max_cost_option,
    max_submits_option,
    ready,
)

SANDBOX_KEY: Final = "sandbox-key"
MEDIA_HOST_VARIABLE: Final = "PIKA_ASYNC_MEDIA_HOST"
WIDTH: Final = 32
TIMEOUT: Final = 900.0
"""What a batch does unless it is told otherwise: jobs in flight, and seconds for a job."""
RENDER_TIME: Final = 2.0
"""Seconds that the sandbox inside a command renders."""


@frozen(kw_only=True)
class Connection:
    """How to reach the provider, and the *ledger* that remembers what it was asked.

    *account* is the label that jobs are kept under.
    """

    providers: tuple[str, ...] = ()
    base_url: str | None = None
    media_hosts: tuple[str, ...] = ()
    sandbox: bool = False
    account: str = "default"
    ledger: Place | None = None
    max_submits: int | None = None
    max_cost: str | None = None

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[Pika]:
        """Open a client with *options*, in front of a sandbox of its own where that was asked for."""
        async with self.client(**options) as client, client as pika:
            yield pika

    @asynccontextmanager
    async def client(self, *, journal: Path | None = None, **options: Any) -> AsyncIterator[Pika]:
        """Make a client that is not open yet; *journal* is the file in which the sandbox keeps its orders."""
        async with self.address(journal) as url:
            if self.sandbox:
                yield self._tried(url or "", options)
            else:
                with paid_jobs_told():
                    yield self._real(options)

    @asynccontextmanager
    async def address(self, journal: Path | None = None) -> AsyncIterator[str | None]:
        """Return where requests go: the sandbox, which runs meanwhile, the user's address, or None."""
        if not self.sandbox:
            yield self.base_url
            return
        from pika_async.sandbox import Sandbox

        async with Sandbox(render_time=RENDER_TIME, journal=journal) as server:
            yield server.url

    @property
    def names(self) -> tuple[str, ...]:
        """The providers to ask, in order; raises `ConfigError` when nobody chose and no key decides."""
        return self.providers or (("acedata",) if self.sandbox else (_only_provider_with_key(),))

    def _tried(self, url: str, options: Mapping[str, Any]) -> Pika:
        from pika_async.installed import adapter

        adapters = [adapter(name, api_key=SANDBOX_KEY, base_url=url) for name in self.names]
        # Sandbox jobs live in memory. In a ledger that was named they are stored under the account
        # `sandbox`, apart from real ones.
        kept = {"account": "sandbox", "ledger": self.ledger, **self._caps}
        # Nobody is served but us: look-ups need no budget, and no proxy reaches our loopback.
        return Pika(
            *adapters,
            poll_rate=None,
            poll_interval=0.05,
            trust_env=False,
            media_hosts=[urlsplit(url).netloc],
            **{**kept, **options},
        )

    def _real(self, options: Mapping[str, Any]) -> Pika:
        kept = {"account": self.account, "ledger": ready(self.ledger), **self._caps}
        return Pika(*self.names, base_url=self.base_url, media_hosts=self.media_hosts, **{**kept, **options})

    @property
    def _caps(self) -> Mapping[str, Any]:
        return {"max_submits": self.max_submits, "max_cost": self.max_cost}

    def usual_render_time(self, provider: str) -> float | None:
        """Return the seconds that *provider* usually needs for a render, where that is known."""
        if self.sandbox:
            return RENDER_TIME
        from pika_async.installed import providers

        found = providers().get(provider)
        return found.capabilities.render_time if found and found.capabilities else None

    @property
    def remembers(self) -> bool:
        """Return whether jobs outlive the command."""
        return self.ledger is not None or not self.sandbox

    @property
    def arguments(self) -> list[str]:
        """The options with which another command reaches the same place and ledger."""
        address = ["--base-url", self.base_url] if self.base_url else []
        return (
            arguments(self.ledger)
            + address
            + [word for host in self.media_hosts for word in ("--media-host", host)]
        )


def _only_provider_with_key() -> str:
    from pika_async.installed import decided, providers

    found = providers().values()
    names = [one.name for one in found if one.key_variable is not None]
    if (name := decided(names)) is not None:
        return name
    match names:
        case []:
            known = (one.capabilities.key_variables[:1] for one in found if one.capabilities is not None)
            variables = " or ".join(chain.from_iterable(known)) or "one"
            told = f"No API key is in the environment; set {variables}, or add --sandbox, which needs none."
        case _:
            told = f"Keys of {' and '.join(names)} are in the environment; choose one with --provider."
    raise ConfigError(told)


_ADDRESS_OPTIONS = {
    "base_url": click.option("--base-url", metavar="URL", help="The address of the provider's API."),
    "media_hosts": click.option(
        "--media-host",
        "media_hosts",
        multiple=True,
        metavar="HOST",
        envvar=MEDIA_HOST_VARIABLE,
        show_envvar=True,
        help="Also download from this host or host:port, though it is not public.",
    ),
}

_CHOICE_OPTIONS = {
    "providers": click.option(
        "--provider",
        "providers",
        multiple=True,
        type=click.Choice(sorted(entry_points(group="pika_async.providers").names)),
        help="The provider to use; repeat it in order of preference.",
    ),
    "sandbox": click.option(
        "--sandbox", is_flag=True, help="Use a simulated provider inside this command: no key, no cost."
    ),
}


def _checked(**given: Any) -> Connection:
    connection = Connection(**given)
    if connection.base_url and connection.sandbox:
        raise click.UsageError("--sandbox has its own address; leave out --base-url.")
    if connection.base_url and len(connection.providers) > 1:
        raise click.UsageError("--base-url goes with one --provider; leave the others out.")
    return connection


_CAPS = {"max_submits": max_submits_option, "max_cost": max_cost_option}
_SPENDING_OPTIONS = {"ledger": ledger_option, **_CAPS}

connection_options: Decorator = gathered(
    "connection", _checked, {**_CHOICE_OPTIONS, **_SPENDING_OPTIONS, **_ADDRESS_OPTIONS}
)
"""Return the decorated function a `connection` for a new request."""

batch_options: Decorator = gathered("connection", _checked, {**_CHOICE_OPTIONS, **_CAPS, **_ADDRESS_OPTIONS})
"""Return the decorated function a `connection` for new requests whose ledger is known otherwise."""

choice_options: Decorator = gathered("connection", _checked, {**_CHOICE_OPTIONS, **_ADDRESS_OPTIONS})
"""Return the decorated function a `connection` that buys nothing, and whose provider may be chosen."""

buying_options: Decorator = gathered("connection", _checked, {**_SPENDING_OPTIONS, **_ADDRESS_OPTIONS})
"""Return the decorated function a `connection` that may buy, and whose provider is known otherwise."""

address_options: Decorator = gathered("connection", _checked, {"ledger": ledger_option, **_ADDRESS_OPTIONS})
"""Return the decorated function a `connection` that buys nothing, and whose provider is known otherwise."""
