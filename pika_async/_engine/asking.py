"""What a provider is asked on a user's word: to stop a task, and where a link of its own leads."""

from __future__ import annotations

from contextlib import suppress
from typing import cast
from urllib.parse import urljoin

from attrs import evolve

from pika_async._engine.account import Account
from pika_async._http import HttpRequest, HttpResponse, origin
from pika_async._sender import SendError
from pika_async.errors import ConfigError, DownloadError, PikaError, ProviderUnavailable
from pika_async.provider import Cancels, KeyedLinks
from pika_async.results import Cancelled, Task

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


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
            charged="unknown",
        ) from None
    if told in {Cancelled.REQUESTED, Cancelled.TOO_LATE}:
        return Cancelled(cast("str", told))
    raise ConfigError(
        f"The adapter {account.name} returned {told!r} for a request to cancel; report it to its author.",
        provider=account.name,
    )


async def opened(account: Account, link: str) -> str:
    """Return where *link* leads: a link of the provider's own host may need the key, on that one request.

    Raises `DownloadError`.
    """
    if "keyed_links" not in account.loaded.powers or not _is_own(account, link):
        return link
    adapter = cast("KeyedLinks", account.provider)
    request = adapter.build_download(link)
    if request is None:
        return link
    # Only where it leads is asked here: the file itself is read by who has no key.
    request = evolve(request, headers={**request.headers, "range": "bytes=0-0"})
    if request.method != "GET" or request.origin != account.loaded.origin:
        raise ConfigError(
            f"The adapter {account.name} opens a link with a {request.method} to {request.origin}; report it "
            "to the adapter's author.",
            provider=account.name,
        )
    try:
        return await account.ask(lambda: request, lambda answer: _led_to(request, answer), budgeted=False)
    except SendError as error:
        raise _unopened(account, str(error), retryable=True) from None
    except DownloadError as error:
        raise _unopened(
            account, error.message, retryable=bool(error.status and error.status >= 500)
        ) from None
    except PikaError as error:
        raise _unopened(account, error.message.rstrip("."), retryable=False) from None


def _is_own(account: Account, link: str) -> bool:
    with suppress(ValueError):
        return account.loaded.origin is not None and origin(link) == account.loaded.origin
    return False


def _led_to(request: HttpRequest, answer: HttpResponse) -> str:
    target = answer.headers.get("location")
    if answer.status in _REDIRECTS and target:
        return urljoin(request.url, target)
    if answer.status in {200, 206}:
        return request.url
    raise DownloadError(f"it answered HTTP {answer.status} and led nowhere", status=answer.status)


def _unopened(account: Account, why: str, *, retryable: bool) -> DownloadError:
    return DownloadError(
        f"{account.name} did not open its own link to the video: {why}. Look the job up for a fresh link.",
        provider=account.name,
        phase="download",
        retryable=retryable,
    )
