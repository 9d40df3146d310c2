"""What a provider is asked on a user's word: to stop a task, and how a link of its own is opened."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

from pika_async._engine.account import Account
from pika_async._http import origin
from pika_async._sender import SendError
from pika_async.errors import ConfigError, DownloadError, ProviderUnavailable
from pika_async.provider import Cancels, KeyedLinks
from pika_async.results import Cancelled, Task

if TYPE_CHECKING:
    from pika_async._download.links import Link


async def ask_to_cancel(account: Account, task: Task) -> Cancelled:
    """Ask the provider to stop *task*; raises `PikaError` where its answer does not tell what came of it."""
    if "cancels" not in account.loaded.powers:
        return Cancelled.UNSUPPORTED
    adapter = cast("Cancels", account.provider)
    try:
        told: object = await account.ask(
            lambda: adapter.build_cancel(task), lambda response: adapter.read_cancel(response, task)
        )
    except SendError as error:
        raise ProviderUnavailable(
            f"{account.name} did not answer the request to cancel ({error}); the job goes on, so ask again.",
            provider=account.name,
            phase="poll",
        ) from None
    if told in {Cancelled.REQUESTED, Cancelled.TOO_LATE}:
        return Cancelled(cast("str", told))
    raise ConfigError(
        f"The adapter {account.name} returned {told!r} for a request to cancel; report it to its author.",
        provider=account.name,
    )


def opened(account: Account, link: str) -> Link:
    """Return *link*, or the request that opens it: a link of the provider's own host may need the key.

    Raises `DownloadError` where the adapter says that nobody here can open it.
    """
    if "keyed_links" not in account.loaded.powers:
        return link
    adapter = cast("KeyedLinks", account.provider)
    try:
        request = adapter.build_download(link)
    except DownloadError:
        raise
    except Exception as error:
        if not is_own(account, link):
            return link
        raise _defect(account, f"failed to open a link ({type(error).__name__})") from error
    if request is None or not is_own(account, link):
        return link
    if request.method != "GET" or request.origin != account.loaded.origin:
        raise _defect(account, f"opens a link with a {request.method} to {request.origin}")
    return request


def is_own(account: Account, link: str) -> bool:
    """Return whether *link* leads to the very scheme, host and port that the account's key belongs to."""
    with suppress(ValueError):
        return account.loaded.origin is not None and origin(link) == account.loaded.origin
    return False


def _defect(account: Account, what: str) -> ConfigError:
    return ConfigError(
        f"The adapter {account.name} {what}; report it to the adapter's author.",
        provider=account.name,
        phase="download",
        charged="yes",
    )
