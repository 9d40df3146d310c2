"""The options of a client, checked, and the engine that they make."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from pika_async._secret import Secret
from pika_async.errors import ConfigError

if TYPE_CHECKING:
    from pika_async._download.media import MediaSession
    from pika_async._engine.clock import Clock
    from pika_async._engine.engine import Engine
    from pika_async._engine.flight import Flight
    from pika_async._job import Job
    from pika_async._ledger import Ledger
    from pika_async._proxies import Proxies
    from pika_async._registry import Loaded
    from pika_async._transport import Sender
    from pika_async.callbacks import Callbacks
    from pika_async.provider import Provider


@frozen(kw_only=True)
class Options:
    """What a client was made with; see `Pika` for the meaning of each."""

    loaded: Sequence[Loaded]
    account: str
    callback_url: str | Literal[False] | None
    callbacks: Callbacks | None
    ledger: str | os.PathLike[str] | Ledger | None
    max_submits: int | None
    max_concurrency: int = field()
    poll_rate: float | None = field()
    poll_batch: int = field()
    poll_interval: float = field()
    trust_env: bool
    transport: Sender | None
    clock: Clock | None

    def __attrs_post_init__(self) -> None:
        counts = (self.max_concurrency, self.poll_batch, 1 if self.poll_rate is None else self.poll_rate)
        if min(counts) <= 0 or self.poll_interval < 0:
            raise ConfigError(
                "max_concurrency, poll_batch and poll_rate must be above 0, and poll_interval not below 0."
            )
        if self.max_submits is not None and self.max_submits < 0:
            raise ConfigError("max_submits must be a whole number, or None for no cap.")
        if self.callbacks is not None and self.callback_url is not None:
            raise ConfigError("Give callbacks= or callback_url=, not both: a job has one callback address.")
        if not self.account or ":" in self.account:
            raise ConfigError("account must be a label without a colon.")

    async def open(self, handle: Callable[[Engine, Flight], Job]) -> Engine:
        """Make the engine inside the running event loop; raises `LedgerError`."""
        from pika_async._engine.clock import SystemClock
        from pika_async._engine.engine import Engine, Settings
        from pika_async._transport import Transport

        ledger = _ledger(self.ledger)
        clock = self.clock or SystemClock()
        await ledger.open(clock.wall)
        secret = await ledger.secret()
        settings = Settings(
            loaded=self.loaded,
            label=self.account,
            max_concurrency=self.max_concurrency,
            max_submits=self.max_submits,
            poll_rate=self.poll_rate,
            poll_batch=self.poll_batch,
            poll_interval=self.poll_interval,
            callback_url=self.callback_url,
            secrets=(secret,) if self.callbacks is None else self.callbacks.keys(secret),
            mounted=None if self.callbacks is None else self.callbacks.address,
        )
        transport = self.transport or Transport(trust_env=self.trust_env)
        engine: Engine

        def handle_of(flight: Flight) -> Job:
            return handle(engine, flight)

        engine = Engine(settings, ledger=ledger, transport=transport, clock=clock, handle=handle_of)
        await engine.open()
        return engine


def _hosts(given: Iterable[str]) -> tuple[str, ...]:
    try:
        # A lone text is one host, or several with blanks between them, as in the variable.
        hosts = given.split() if isinstance(given, str) else tuple(given)
    except TypeError:
        raise ConfigError("media_hosts must be hosts, as in ['media.lan', '127.0.0.1:8123'].") from None
    return tuple(hosts) or tuple(os.environ.get("PIKA_ASYNC_MEDIA_HOST", "").split())


@frozen(kw_only=True)
class Downloads:
    """What downloads may do; see `Pika` for the meaning of each."""

    hosts: tuple[str, ...] = field(converter=_hosts)
    proxy: Secret | Literal[False] | None
    max_bytes: int | None
    least_speed: float | None
    trust_env: bool

    def __attrs_post_init__(self) -> None:
        for host in self.hosts:
            if not _is_host(host):
                raise ConfigError(
                    f"media_hosts (or PIKA_ASYNC_MEDIA_HOST) names {host!r}: "
                    "write a host or an origin, as in 'media.lan' or '127.0.0.1:8123'."
                )
        _check_number("max_download_bytes", self.max_bytes, int)
        _check_number("min_download_speed", self.least_speed, int, float)
        if self.proxy is not None:
            self._proxies()

    def session(self) -> MediaSession:
        """Make the connections to media hosts inside the running event loop."""
        from pika_async._download.media import MediaSession

        return MediaSession(
            allowed_hosts=self.hosts,
            proxies=self._proxies(),
            max_bytes=self.max_bytes,
            least_speed=self.least_speed,
        )

    def _proxies(self) -> Proxies:
        from pika_async._proxies import Proxies

        match self.proxy:
            case None | False:
                return Proxies(self.trust_env and self.proxy is None)
            case Secret():
                proxies = Proxies(trusted=False, given=self.proxy)
                proxies.find("https://any.example")
                return proxies
            case _:
                raise ConfigError("media_proxy must be the address of a proxy, False for none, or None.")


def _is_host(text: object) -> bool:
    from yarl import URL

    try:
        return isinstance(text, str) and bool(URL(text if "://" in text else f"//{text}").host)
    except ValueError:
        return False


def _check_number(name: str, value: float | None, *kinds: type) -> None:
    if value is None:
        return
    if not isinstance(value, kinds) or isinstance(value, bool) or not 0 < float(value) < inf:
        raise ConfigError(f"{name} must be a number above 0, or None for no bound.")


def _ledger(ledger: str | os.PathLike[str] | Ledger | None) -> Ledger:
    from pika_async._ledger.memory import MemoryLedger

    match ledger:
        case None:
            return MemoryLedger()
        case str() | os.PathLike():
            from pika_async._ledger.sqlite import SqliteLedger

            return SqliteLedger(ledger)
        case _:
            return ledger


def load(providers: Sequence[str | Provider], api_key: Secret, base_url: str | None) -> list[Loaded]:
    """Load the named providers, or the only one whose key is in the environment; raises `ConfigError`."""
    from pika_async import _registry

    if not providers:
        providers = _registry.with_keys()
        if len(providers) != 1:
            found = f"keys of {' and '.join(map(str, providers))} are" if providers else "no API key is"
            raise ConfigError(f'Name a provider, as in Pika("acedata"): {found} in the environment.')
    if (api_key or base_url) and (len(providers) != 1 or not isinstance(providers[0], str)):
        raise ConfigError("api_key= and base_url= go with exactly one provider given by its name.")
    loaded = [
        _registry.make(p, api_key=api_key, base_url=base_url, environment=os.environ)
        if isinstance(p, str)
        else _registry.load(type(p).__name__.lower(), p)
        for p in providers
    ]
    names = [one.name for one in loaded]
    if len(set(names)) != len(names):
        raise ConfigError(f"A provider is named twice in {', '.join(names)}; open one client for each.")
    return loaded
