"""The client as its users see it: what each call takes, returns, costs and raises.

What opening and closing do is in `_lifecycle.py`, what the calls that order do in `_ordering.py`. Everything
heavy is loaded when a client is opened.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NoReturn, Self, Unpack

from pika_async import _arguments as check
from pika_async._crossing import process_bound
from pika_async._job import DEFAULT_TIMEOUT, Job, Timeout, Unset
from pika_async._lifecycle import Lifecycle
from pika_async._options import Downloads, Options, load
from pika_async._ordering import Ordering, as_request
from pika_async._secret import Secret
from pika_async.requests import (
    CommonFields,
    Edit,
    Generate,
    GenerateFields,
    Ingredients,
    Media,
    MediaFields,
    Style,
)
from pika_async.results import VideoResult

if TYPE_CHECKING:
    from datetime import timedelta
    from decimal import Decimal

    from pika_async._balances import AccountBalance
    from pika_async._bulk import Map
    from pika_async._download import Downloaded
    from pika_async._engine.clock import Clock
    from pika_async._engine.engine import Engine
    from pika_async._engine.stats import AccountStats
    from pika_async._events import JobEvent
    from pika_async._item import Order, Row
    from pika_async._job_view import JobState
    from pika_async._ledger import Ledger
    from pika_async._prices import Quote
    from pika_async._recovery import Recovered
    from pika_async._sender import Sender
    from pika_async.callbacks import Callbacks, Receiver
    from pika_async.provider import Provider


_STATES = (
    "open",
    "queued",
    "submitting",
    "sending",
    "running",
    "ambiguous",
    "unresolved",
    "succeeded",
    "failed",
    "cancelled",
)


@process_bound("open another with Pika(...) in the other process, and hand over the tokens of jobs")
class Pika:
    """A client for one event loop, opened by `async with`.

    *providers* are names or adapters in order of preference; with none, the one whose key is in the
    environment, where `PIKA_ASYNC_PROVIDER` names one of several. *api_key* and *base_url* go with exactly
    one provider. A request goes to the first provider that can express it, and on to the next only after a
    proven refusal. With `prefer="cheapest"`, providers that sell the same model, duration and resolution are
    ordered by price, published or your own; those without a price come last. `job.why_provider` says why a
    provider was chosen.

    *max_concurrency* bounds the jobs in flight per account, *poll_rate* the look-ups per second and account
    (left out: the rate that the provider is known to allow, else 1; None: no bound), *poll_interval* is the
    least time in seconds between two looks at one job.
    *callback_url* is your own receiver; False sends none where the provider allows that, and a lost answer
    can then not be found again. *ledger* is a file in which every job is recorded, also over restarts;
    without it jobs are kept in memory. *max_submits* caps the billed submits of the ledger, over its whole
    life and all processes. *max_cost* caps what they may cost in all, by their prices (see `quote`): a number
    of US dollars, or a text such as "500 credits". What may be billed counts, and what is proven unbilled
    does not. Units are never added together, so an order without a price in that unit is refused. *prices* is
    your file of prices, else the one that `PIKA_ASYNC_PRICES` names.
    *callbacks* lets providers call your application when a job changes. *trust_env* goes through the HTTP
    proxies that the environment names (`HTTPS_PROXY`, `NO_PROXY`), for API calls and downloads. With *work*
    False the client records orders and waits: it sends and looks up nothing, needs no key, and leaves that to
    the processes that work on the same ledger (docs/many-machines.md). With *keep_media* False the bytes of
    pictures and the like leave the ledger once their job has ended.

    *replay_window* is for how many seconds after an order was claimed its bytes may be sent again when the
    answer is lost, where the provider keeps idempotency keys and does not publish for how long; 0 never sends
    them again. The default of ten minutes is our assumption (docs/pay-once.md). Where a provider publishes a
    time, that counts.

    With *reuse*, a `timedelta`, an order that equals one of that age buys nothing and returns that job: same
    fields, same bytes of media, one of this client's accounts. Its video must be readable still, at the
    provider or as a whole copy where `download`, `batch` or a worker saved it. `job.reused` says so, and
    `job.stored` is the place of the copy; `download` and `open` then read it. Orders with an idempotency key
    are never replaced by an earlier one.

    For downloads: *media_hosts* are hosts inside your network that links may lead to (else those that
    `PIKA_ASYNC_MEDIA_HOST` names). *media_proxy* is an HTTP proxy other than that of the API calls; False is
    none. *max_download_bytes* bounds one file, and *min_download_speed* is the least speed in bytes per
    second, judged over half a minute of waiting; None is no bound. *transport* and *clock* are for tests
    (see `pika_async.testing`).
    """

    def __init__(
        self,
        *providers: str | Provider,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        account: str = "default",
        timeout: float | None = DEFAULT_TIMEOUT,
        callback_url: str | Literal[False] | None = None,
        callbacks: Callbacks | None = None,
        ledger: str | os.PathLike[str] | Secret | Ledger | None = None,
        max_submits: int | None = None,
        max_cost: float | Decimal | str | None = None,
        reuse: timedelta | None = None,
        prices: str | os.PathLike[str] | None = None,
        prefer: Literal["cheapest"] | None = None,
        max_concurrency: int = 32,
        poll_rate: float | Literal[Unset.PROVIDERS] | None = Unset.PROVIDERS,
        poll_batch: int = 50,
        poll_interval: float = 1.0,
        trust_env: bool = True,
        work: bool = True,
        keep_media: bool = True,
        replay_window: float = 600.0,
        media_hosts: Iterable[str] = (),
        media_proxy: str | Secret | Literal[False] | None = None,
        max_download_bytes: int | None = 4 * 1024**3,
        min_download_speed: float | None = 1024,
        transport: Sender | None = None,
        clock: Clock | None = None,
    ) -> None:
        if isinstance(api_key, str):
            api_key = Secret(api_key)  # before anything can fail: tracebacks show local variables
        media_proxy = Secret(media_proxy) if isinstance(media_proxy, str) else media_proxy
        self._options = Options(
            loaded=load(providers, api_key, base_url, needs_key=work),
            account=account,
            callback_url=callback_url,
            callbacks=callbacks,
            ledger=ledger,
            max_submits=max_submits,
            max_cost=max_cost,
            reuse=reuse,
            prices=prices,
            prefer=prefer,
            max_concurrency=max_concurrency,
            poll_rate=poll_rate,
            poll_batch=poll_batch,
            poll_interval=poll_interval,
            trust_env=trust_env,
            work=work,
            keep_media=keep_media,
            replay_window=replay_window,
            transport=transport,
            clock=clock,
        )
        downloads = Downloads(
            hosts=media_hosts,
            proxy=media_proxy,
            max_bytes=max_download_bytes,
            least_speed=min_download_speed,
            trust_env=trust_env,
        )
        self._lifecycle = Lifecycle(self._options, downloads)
        self._ordering = Ordering(self._lifecycle, self._options, timeout)

    @property
    def callbacks(self) -> Receiver:
        """The receiver to mount into your application; it answers 503 while the client is not open."""
        return self._lifecycle.receiver

    async def __aenter__(self) -> Self:
        await self._lifecycle.open()
        return self

    def __enter__(self) -> NoReturn:
        raise TypeError("The client is asynchronous: write `async with Pika(...) as pika:` in a coroutine.")

    def __exit__(self, *_: object) -> None:
        """Complete the pair, so that `with` reaches the message of `__enter__`."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client; waits up to 30 s for POSTs that are under way. Jobs go on without it."""
        await self._lifecycle.close()

    async def generate(
        self,
        prompt: str | None = None,
        *,
        timeout: Timeout = Unset.CLIENTS,
        queue_timeout: float | None = None,
        callback_url: str | Literal[False] | None = None,
        idempotency_key: str | None = None,
        on_event: Callable[[JobEvent], object] | None = None,
        **fields: Unpack[GenerateFields],
    ) -> VideoResult:
        """Buy one video of *prompt* and wait for it.

        *timeout* runs from the POST, *queue_timeout* bounds the wait for a slot; both are in seconds. The
        same *idempotency_key* returns the same job and never leads to a second POST. *on_event* is called
        with each `JobEvent`. The other fields are those of `Generate`: what to show (*image*, *video*,
        *last_image*, *frames*, *negative_prompt*), how (*duration*, *resolution*, *aspect_ratio*, *seed*,
        *frame_rate*, *guidance_scale*, *motion*, *camera*, *sound_effects*), with which *model*, and
        *extra_body* for fields of the provider itself.

        Costs one render. Raises a `PikaError` that says whether the order was charged, and holds the job's
        token.
        """
        return await self._ordering.video(
            Generate(prompt, **fields),
            timeout=timeout,
            queue_timeout=queue_timeout,
            callback_url=callback_url,
            idempotency_key=idempotency_key,
            on_event=on_event,
        )

    async def ingredients(
        self,
        prompt: str,
        images: Iterable[Media],
        *,
        mode: Literal["creative", "precise"] | None = None,
        timeout: Timeout = Unset.CLIENTS,
        queue_timeout: float | None = None,
        callback_url: str | Literal[False] | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[CommonFields],
    ) -> VideoResult:
        """Buy one video in which the things on *images* appear together, and wait for it."""
        request = Ingredients(prompt, images, mode=mode, **fields)
        return await self._ordering.video(
            request,
            timeout=timeout,
            queue_timeout=queue_timeout,
            callback_url=callback_url,
            idempotency_key=idempotency_key,
        )

    async def style(
        self,
        prompt: str | None = None,
        *old: str,
        style: str = "",
        timeout: Timeout = Unset.CLIENTS,
        queue_timeout: float | None = None,
        callback_url: str | Literal[False] | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[MediaFields],
    ) -> VideoResult:
        """Buy one video with the effect *style*, `Inflate` say, and wait for it.

        The other fields are those of `Style`. Two positional texts are read as style and prompt, their order
        in 0.1, until 0.3.
        """
        return await self._ordering.video(
            Style(prompt, *old, style=style, **fields),
            timeout=timeout,
            queue_timeout=queue_timeout,
            callback_url=callback_url,
            idempotency_key=idempotency_key,
        )

    async def edit(
        self,
        prompt: str,
        video: Media,
        *,
        image: Media | None = None,
        region: str | None = None,
        mask: Media | None = None,
        timeout: Timeout = Unset.CLIENTS,
        queue_timeout: float | None = None,
        callback_url: str | Literal[False] | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[CommonFields],
    ) -> VideoResult:
        """Buy one video that is *video* with what *prompt* and *image* show, and wait for it.

        It replaces what *region* names or *mask* covers, or is added where neither is set. The
        other fields are those of `Edit`.
        """
        return await self._ordering.video(
            Edit(prompt, video, image=image, region=region, mask=mask, **fields),
            timeout=timeout,
            queue_timeout=queue_timeout,
            callback_url=callback_url,
            idempotency_key=idempotency_key,
        )

    async def submit(
        self,
        request: Order,
        *,
        queue_timeout: float | None = None,
        callback_url: str | Literal[False] | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[GenerateFields],
    ) -> Job:
        """Buy a video and return as soon as the provider has the order; wait for the job later.

        *request* is a request, or a prompt with the *fields* of `generate`. Costs one render.
        """
        return await self._ordering.job(
            request,
            fields,
            queue_timeout=queue_timeout,
            callback_url=callback_url,
            idempotency_key=idempotency_key,
        )

    async def enqueue(
        self,
        request: Order,
        *,
        callback_url: str | Literal[False] | None = None,
        idempotency_key: str | None = None,
        connection: object = None,
        **fields: Unpack[GenerateFields],
    ) -> Job:
        """Record an order for the processes that work on this ledger; it is committed when this returns.

        *request* is a request, or a prompt with the *fields* of `generate`. Files and bytes are kept in the
        ledger, 20 MB each at most. The same *idempotency_key* returns the same job. Awaiting the job waits
        for the video, whichever process gets it; cancelling the caller does not cancel the order.

        With *connection*, a `psycopg.AsyncConnection` to the ledger's database, the order and its task are
        written in the open transaction of that connection: they are committed, or undone, with your own rows.
        Wait for the job only after that. A key that another open transaction holds is waited for two seconds.

        Costs nothing by itself: `process` sends it. Raises `LedgerError` when it is not known to be recorded;
        with a key, call again.
        """
        return await self._ordering.recorded(
            request,
            fields,
            callback_url=callback_url,
            idempotency_key=idempotency_key,
            connection=connection,
        )

    async def process(self, job: str, *, accepted: bool = False, patience: float | None = None) -> JobState:
        """Work on a recorded job until it ends, and return its state. Any queue may call it, at any time.

        *job* is the id or the token of a job. It is sent unless it was before, and waited for until it has
        ended; with *accepted*, until the provider has it: after that, a process on the ledger looks it up.
        For a job that only a person can settle, it returns "unresolved". Costs one render at most, however
        often it is called.

        Raises the error that kept the order unsent (an empty balance, a refused key, a failing ledger, or no
        slot within *patience* seconds): it stays queued, so call again later.
        """
        from pika_async._engine.processing import process
        from pika_async._job_view import view_of
        from pika_async.ledger import is_token, read_token

        check.seconds("patience", patience)
        job_id = read_token(job).job_id if is_token(check.text("job", job)) else job
        record = await process(self._lifecycle.engine.orders, job_id, accepted=accepted, patience=patience)
        return view_of(record).state

    async def drain(self) -> None:
        """Send nothing more, and wait for the POSTs under way; what is queued stays for other processes.

        Calls of `process` whose job is unsent end with an error. Look-ups go on until `aclose`.
        """
        await self._lifecycle.engine.drain()

    def job(self, token: str) -> Job:
        """Turn a token back into its job, which any process may have submitted at any time.

        What the ledger knows of the job is there at once. Costs nothing.
        """
        from pika_async._token import JobToken

        orders = self._lifecycle.engine.orders
        flight = orders.known.by_token(JobToken.decode(check.text("token", token)))
        flight.held = True
        return Job(orders, flight)

    async def jobs(
        self, state: str | None = None, *, limit: int = 100, before: str | None = None
    ) -> list[Job]:
        """Return the jobs that the ledger knows on this client's accounts, newest first. Costs nothing.

        *state* is one of a job (`open`, `succeeded`, `failed`, `cancelled`) or of an attempt (`queued`,
        `running`, `ambiguous`, `unresolved`); *before* is the id of the last job of the page before. The
        memory ledger keeps the last thousand jobs that ended.
        """
        orders = self._lifecycle.engine.orders
        state = None if state is None else check.word("state", state, _STATES)
        before = None if before is None else check.text("before", before)
        found = await orders.jobs(state, check.count("limit", limit), before)
        return [Job(orders, flight) for flight in found]

    def origin(self, video: VideoResult) -> Job | None:
        """Return the job that a *video* of this client came from; None for any other video. Costs nothing."""
        orders = self._lifecycle.engine.orders
        if not isinstance(video, VideoResult):
            raise TypeError(f"video must be a VideoResult, not a {type(video).__name__}.")
        flight = orders.origin(video)
        return None if flight is None else Job(orders, flight)

    def map(self, requests: Iterable[Row] | AsyncIterable[Row], *, timeout: Timeout = Unset.CLIENTS) -> Map:
        """Buy a video for each of *requests* and yield items in the order in which the jobs end.

        Each is a request, a prompt, or a pair of an idempotency key and one of these. Requests are pulled
        only when slots are free; each item holds its index, key, request, job, and result or error. If one
        fails, the others continue.
        """
        from pika_async._bulk import Map

        check.stream("requests", requests)
        orders, limit = self._lifecycle.engine.orders, self._ordering.limit(timeout)
        return Map(orders, requests, timeout=limit, callback_url=self._options.callback_url)

    async def quote(self, request: Order, **fields: Unpack[GenerateFields]) -> list[Quote]:
        """Return what *request* would cost at each provider of this client, without buying anything.

        *request* is a request, or a prompt with the *fields* of `generate`. A price of your own (*prices* of
        the client) is used before a published one; where there is neither, the estimate is None.
        """
        from pika_async._quotes import quote

        accounts = tuple(self._lifecycle.engine.desk.accounts.values())
        return await quote(accounts, self._options.own_prices, as_request(request, fields))

    async def balances(self) -> list[AccountBalance]:
        """Return the balance at each provider of this client, where the provider reports it."""
        from pika_async._balances import balances

        return await balances(tuple(self._lifecycle.engine.desk.accounts.values()))

    def stats(self) -> Mapping[str, AccountStats]:
        """Return what each account is doing now, by `provider:label`."""
        return self._lifecycle.engine.stats()

    def recover(self, *, queued: bool = False) -> Recovered:
        """Take over the jobs that dead processes left in the ledger: `jobs = await pika.recover()`.

        Jobs that may have been paid are looked up, at no cost. With *queued*, jobs that were never sent
        are bought as well. `async for job in pika.recover()` takes over a long list job by job.
        """
        from pika_async._recovery import Recovered

        return Recovered(self._lifecycle.engine.orders, queued=check.flag("queued", queued))

    async def download(
        self,
        video: VideoResult | Job,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        sidecar: bool = False,
        on_progress: Callable[[int, int | None], object] | None = None,
    ) -> Downloaded:
        """Bring a finished *video* to *path*, whole or not at all; an interrupted download continues.

        *path* is a file, or an object of a store such as `s3://bucket/cat.mp4` (needs the extra `[s3]`). With
        *sidecar*, a JSON file beside it holds the request, provider, token, hash and times.
        *on_progress* gets the bytes so far and in all (None: not known), and is awaited if it is async. Only
        public addresses and *media_hosts* are connected to. Costs nothing. Raises `DownloadError`, with the
        job of the *video*.
        """
        from pika_async._fetching import fetch

        check.flag("overwrite", overwrite)
        check.flag("sidecar", sidecar)
        if on_progress is not None and not callable(on_progress):
            raise TypeError(f"on_progress must be a function, not {type(on_progress).__name__}")
        orders = self._lifecycle.engine.orders
        return await fetch(
            orders,
            self._lifecycle.media,
            video,
            path,
            overwrite=overwrite,
            sidecar=sidecar,
            on_progress=on_progress,
        )

    def open(self, video: VideoResult | Job) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream a finished *video* without a file: `async with pika.open(video) as chunks`.

        `async for chunk in chunks` ends only where the video is whole. A download that breaks off continues;
        where it cannot, the iteration raises `DownloadError`. Costs nothing.
        """
        from pika_async._fetching import stream

        return stream(lambda: self._lifecycle.engine.orders, self._lifecycle.media, video)


def engine_of(pika: Pika) -> Engine:
    """Return the engine of an open client, for our own parts."""
    return pika._lifecycle.engine  # noqa: SLF001 - the same module
