"""What an adapter is: four functions that every one has, and what it may be able to do beside them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import frozen

from pika_async._capabilities import Capabilities
from pika_async._crossing import Value
from pika_async._http import HttpRequest, HttpResponse
from pika_async._powers import Estimate, Uploaded, Uploading
from pika_async._secret import Secret
from pika_async.errors import PikaError
from pika_async.requests import Blob, VideoRequest
from pika_async.results import Cancelled, Snapshot, Task


@frozen(kw_only=True)
class Call(Value):
    """What the engine adds to a request: where to call back, which attempt this is, wall-clock time.

    *callback_url* is None when the user switched callbacks off; it bears the attempt's token.
    """

    callback_url: Secret | None
    attempt_id: str
    now: float


class Provider(Protocol):
    """An adapter. `read_submit` raises one of the refusals as proof that nothing was bought."""

    @property
    def capabilities(self) -> Capabilities: ...
    def build_submit(self, request: VideoRequest, call: Call, /) -> HttpRequest: ...
    def read_submit(self, response: HttpResponse, request: VideoRequest, /) -> Snapshot: ...
    def build_poll(self, tasks: Sequence[Task], /) -> HttpRequest: ...
    def read_poll(self, response: HttpResponse, tasks: Sequence[Task], /) -> Mapping[str, Snapshot]: ...


class ProviderFactory(Protocol):
    """What an entry point of the group `pika_async.providers` names."""

    def __call__(self, *, api_key: str, base_url: str | None = None) -> Provider: ...


class Checks(Protocol):
    """A provider with rules that capabilities cannot declare, such as two fields that exclude each other.

    It raises `UnsupportedRequest` that names the field. It is called after the capabilities were checked,
    with files that are not read yet.
    """

    def check_request(self, request: VideoRequest, /) -> None: ...


class ReadsCallbacks(Protocol):
    """A provider that pushes; None means "not for us, ignore", which is also the answer to a forged one.

    *headers* have names in lower case. *keys* are what `Signs` fetched, or the secret that both sides share
    (`Capabilities.secret_variable`), or None if there are none.
    """

    def read_callback(
        self, body: bytes, headers: Mapping[str, str], received_at: float, keys: bytes | None, /
    ) -> Snapshot | None: ...


class Signs(Protocol):
    """A provider whose callbacks are signed: the request for its public keys, cached by the engine."""

    def build_keys(self) -> HttpRequest: ...


@frozen(kw_only=True)
class Found(Value):
    """A recent task in the provider's history, with the callback address it echoes."""

    snapshot: Snapshot
    callback_url: Secret | None


@frozen(kw_only=True)
class Page(Value):
    """One page of history; *next_cursor* None means there is no older one."""

    found: tuple[Found, ...]
    next_cursor: str | None


class Finds(Protocol):
    """A provider with a history of recent tasks, by which lost answers are reconciled."""

    def build_find(self, since: float, until: float, cursor: str | None, /) -> HttpRequest: ...
    def read_find(self, response: HttpResponse, /) -> Page: ...


@frozen
class Balance(Value):
    """What is left on the account, in the provider's own *unit*."""

    amount: float
    unit: str


class ReportsBalance(Protocol):
    """A provider that tells the balance of the account."""

    def build_balance(self) -> HttpRequest: ...
    def read_balance(self, response: HttpResponse, /) -> Balance: ...


class Uploads(Protocol):
    """A provider that takes media by an upload before the submit, in as many steps as it needs.

    `build_upload` is called with an empty `Uploading` first, and `read_upload` returns what the step told,
    until it returns `Uploaded`. Requests go to hosts that `Capabilities.hosts` lists, or to that of
    `base_url`. An upload buys nothing: every step may be repeated, and an error of it ends the order
    unbought. The core keeps the link by the SHA-256 of the bytes. It makes it again when its time is over,
    and once after a `SubmitRefused` of a submit that bore a kept one.
    """

    def build_upload(self, blob: Blob, step: Uploading, /) -> HttpRequest: ...
    def read_upload(self, response: HttpResponse, blob: Blob, step: Uploading, /) -> Uploading | Uploaded: ...


class Cancels(Protocol):
    """A provider that can be asked to stop a task. Only the user can cause that.

    `read_cancel` returns `Cancelled.REQUESTED` or `Cancelled.TOO_LATE`, and raises as a look-up does.
    """

    def build_cancel(self, task: Task, /) -> HttpRequest: ...
    def read_cancel(self, response: HttpResponse, task: Task, /) -> Cancelled: ...


class Estimates(Protocol):
    """A provider whose prices are known before anything is bought.

    `build_estimate` returns a free look-up, or None where the adapter has a table of its own. `read_estimate`
    gets its answer, or None without one (no look-up, or a failed one); it returns None for what nobody
    publishes.
    """

    def build_estimate(self, request: VideoRequest, /) -> HttpRequest | None: ...
    def read_estimate(self, response: HttpResponse | None, request: VideoRequest, /) -> Estimate | None: ...


class Reroutes(Protocol):
    """A provider with a second route to the same account, where an account may lack the first.

    `other_route` gets the error of a refused submit. It returns the adapter that the account goes on with
    from then on, beginning with the refused order; None for an error that is not about the route.
    """

    def other_route(self, error: PikaError, /) -> Provider | None: ...


class KeyedLinks(Protocol):
    """A provider some of whose links open only with the key.

    `build_download` returns the GET of *link* with the key, or None for a link that opens without; it raises
    `DownloadError` for one that this key cannot open. The core sends the GET to the host of `base_url` alone,
    once more for each part of the file, and follows a redirect without the key.
    """

    def build_download(self, link: str, /) -> HttpRequest | None: ...
