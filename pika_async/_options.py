"""The options of a client, checked: nothing is opened here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal

from attrs import field, frozen

from pika_async import _arguments as check
from pika_async._job import Unset
from pika_async._opening import is_dsn, ledger_at
from pika_async._secret import Secret
from pika_async.errors import ConfigError

if TYPE_CHECKING:
    from datetime import timedelta
    from decimal import Decimal

    from pika_async._download.answer import Tape
    from pika_async._download.media import MediaSession
    from pika_async._engine.clock import Clock
    from pika_async._ledger import Ledger
    from pika_async._money import Money
    from pika_async._prices import Price
    from pika_async._proxies import Proxies
    from pika_async._registry import Loaded
    from pika_async._sender import Sender
    from pika_async.callbacks import Callbacks
    from pika_async.provider import Provider


def _callback_url(value: str | Literal[False] | None) -> str | Literal[False] | None:
    return check.callback_url("callback_url", value)


def _max_cost(value: float | Decimal | str | None) -> Money | None:
    return check.money("max_cost", value)


_LONGEST_WINDOW: Final = 86_400.0


@frozen(kw_only=True)
class Options:
    """What a client was made with; see `Pika` for the meaning of each."""

    loaded: Sequence[Loaded]
    account: str
    callback_url: str | Literal[False] | None = field(converter=_callback_url)
    callbacks: Callbacks | None
    ledger: str | os.PathLike[str] | Secret | Ledger | None
    max_submits: int | None
    max_cost: Money | None = field(converter=_max_cost)
    reuse: timedelta | None
    prices: str | os.PathLike[str] | None
    prefer: Literal["cheapest"] | None
    max_concurrency: int
    poll_rate: float | Unset | None
    poll_batch: int
    poll_interval: float
    trust_env: bool
    transport: Sender | None
    clock: Clock | None
    work: bool = True
    keep_media: bool = True
    replay_window: float = 600.0

    def __attrs_post_init__(self) -> None:
        check.count("max_concurrency", self.max_concurrency)
        check.count("poll_batch", self.poll_batch)
        check.number("poll_interval", self.poll_interval)
        if not isinstance(self.poll_rate, Unset | None):
            check.number("poll_rate", self.poll_rate, above=0)
        if self.reuse is not None:
            _check_reuse(self.reuse)
        if self.max_submits is not None:
            check.count("max_submits", self.max_submits, least=0)
        check.flag("trust_env", self.trust_env)
        check.flag("work", self.work)
        check.flag("keep_media", self.keep_media)
        if check.number("replay_window", self.replay_window) > _LONGEST_WINDOW:
            raise check.refuse("replay_window", "at most 86400 seconds, a day", self.replay_window)
        if self.prefer is not None:
            check.word("prefer", self.prefer, ("cheapest",))
        check.label("account", self.account)
        _check_parts(self)

    @property
    def own_prices(self) -> Sequence[Price]:
        """Return the user's own prices; reads their file, and raises `ConfigError`."""
        from pika_async._prices import read_prices

        return read_prices(self.prices, os.environ)


def _hosts(given: Iterable[str]) -> tuple[str, ...]:
    # A lone text is one host, or several with blanks between them, as in the variable.
    hosts = check.hosts("media_hosts", given.split() if isinstance(given, str) else given)
    variable = "PIKA_ASYNC_MEDIA_HOST"
    return hosts or check.hosts(variable, os.environ.get(variable, "").split())


@frozen(kw_only=True)
class Downloads:
    """What downloads may do; see `Pika` for the meaning of each."""

    hosts: tuple[str, ...] = field(converter=_hosts)
    proxy: Secret | Literal[False] | None
    max_bytes: int | None
    least_speed: float | None
    trust_env: bool

    def __attrs_post_init__(self) -> None:
        if self.max_bytes is not None:
            check.count("max_download_bytes", self.max_bytes)
        if self.least_speed is not None:
            check.number("min_download_speed", self.least_speed, above=0)
        if self.proxy is not None:
            self._proxies()

    def session(self, tape: Tape | None = None) -> MediaSession:
        """Make the connections to media hosts inside the running event loop."""
        from pika_async._download.media import MediaSession

        return MediaSession(
            allowed_hosts=self.hosts,
            proxies=self._proxies(),
            max_bytes=self.max_bytes,
            least_speed=self.least_speed,
            tape=tape,
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


def _check_reuse(reuse: timedelta) -> None:
    from datetime import timedelta

    if check.instance("reuse", reuse, timedelta) <= timedelta():
        raise check.refuse("reuse", "a timedelta above zero", reuse)


def _check_parts(options: Options) -> None:
    """Check what the client is put together from."""
    if options.callbacks is not None:
        from pika_async.callbacks import Callbacks

        check.instance("callbacks", options.callbacks, Callbacks)
        if options.callback_url is not None:
            raise ConfigError("Use callbacks= or callback_url=, not both: a job has one callback address.")
    if options.prices is not None:
        check.path("prices", options.prices)
    if is_dsn(options.ledger):
        ledger_at(options.ledger)
    elif isinstance(options.ledger, str | os.PathLike):
        check.path("ledger", options.ledger)
    elif options.ledger is not None:
        check.able("ledger", options.ledger, "open", "create", "apply")
    if options.transport is not None:
        check.able("transport", options.transport, "submit", "poll")
    if options.clock is not None:
        check.able("clock", options.clock, "now", "wall")


def load(
    providers: Sequence[str | Provider],
    api_key: str | Secret | None,
    base_url: str | None,
    *,
    needs_key: bool = True,
) -> list[Loaded]:
    """Load the named providers, or the only one whose key is in the environment; raises `ConfigError`.

    With *needs_key* False, a provider without a key is loaded as well: nobody will call it.
    """
    from pika_async import _registry
    from pika_async._default_provider import decided, with_keys

    api_key = _registry.given_key(api_key)
    if not isinstance(base_url, str | None):
        raise check.refuse("base_url", "an http(s) address", base_url)
    for provider in providers:
        if isinstance(provider, str):
            check.name("providers", provider)
        elif not hasattr(provider, "capabilities"):
            raise check.refuse("providers", 'names such as "acedata", or adapters', provider)
    if not providers:
        names = with_keys()
        if (name := decided(names)) is None:
            found = f"keys of {' and '.join(names)} are" if names else "no API key is"
            also = ", or set PIKA_ASYNC_PROVIDER" if names else ""
            raise ConfigError(f'Name a provider, as in Pika("acedata"){also}: {found} in the environment.')
        providers = (name,)
    if (api_key or base_url) and (len(providers) != 1 or not isinstance(providers[0], str)):
        raise ConfigError("api_key= and base_url= go with exactly one provider given by its name.")
    loaded = [
        _registry.make(p, api_key=api_key, base_url=base_url, environment=os.environ, needs_key=needs_key)
        if isinstance(p, str)
        else _registry.load(type(p).__name__.lower(), p)
        for p in providers
    ]
    names = [one.name for one in loaded]
    if len(set(names)) != len(names):
        raise ConfigError(
            f"A provider is named twice in {', '.join(names)}; use a different name for each adapter in its "
            "capabilities, or open one client for each."
        )
    return loaded
