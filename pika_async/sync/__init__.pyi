"""The types of `pika_async.sync`, for mypy and editors.

Written by `python -m tests.sync.stub`: change the asynchronous classes, then run it.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from types import TracebackType
from typing import Literal, Self, Unpack

from pika_async import _item
from pika_async._balances import AccountBalance
from pika_async._download import Downloaded
from pika_async._engine.clock import Clock
from pika_async._engine.stats import AccountStats
from pika_async._events import JobEvent
from pika_async._item import Order, Row
from pika_async._job import Timeout, Unset
from pika_async._job_view import JobState
from pika_async._ledger import Ledger
from pika_async._prices import Quote
from pika_async._secret import Secret
from pika_async._sender import Sender
from pika_async.provider import Provider
from pika_async.requests import CommonFields, GenerateFields, Media, MediaFields
from pika_async.results import JSON, Cancelled, State, VideoResult

__all__ = ["Item", "Job", "JobEvents", "Map", "Pika"]

class Item(_item.Item):
    """An item of a `map`, whose *job* is waited for without `await`."""

    job: Job | None  # type: ignore[assignment]

class Job:
    """One video order under way, or ended. `job.wait(None)` returns the video.

    A job continues without its client: keep `token`, and use `pika.job(token)` in any process at any time.
    """

    @property
    def id(self) -> str:
        """Our own random id of the job."""

    @property
    def token(self) -> str:
        """Portable text without secrets that any process turns back into this job."""

    @property
    def provider(self) -> str:
        """The name of the provider that has the job, or will get it."""

    @property
    def why_provider(self) -> str:
        """Why that provider has the job: its place, its price, or an earlier refusal."""

    @property
    def reused(self) -> bool:
        """Whether an equal order has returned this job again and bought nothing; see `Pika(reuse=...)`."""

    @property
    def stored(self) -> str | None:
        """Where a whole copy of the video lies, for a job that was reused because of it; its link is gone."""

    @property
    def state(self) -> State:
        """What was last known; `refresh()` asks the provider."""

    @property
    def progress(self) -> float | None:
        """How far the render is, from 0 to 1, where the provider tells."""

    @property
    def results(self) -> tuple[VideoResult, ...]:
        """Every video of the job; empty before it has succeeded."""

    @property
    def trace_id(self) -> str | None:
        """The provider's id for its support."""

    @property
    def cost(self) -> float | None:
        """What the job cost, in the provider's own unit, where it tells."""

    @property
    def raw(self) -> JSON:
        """The provider's own words about the task when they were last read."""

    def wait(self, timeout: float | None = ...) -> VideoResult:
        """Wait for the video; `job.wait(None)` does the same without a time limit.

        *timeout* is in seconds, from the later of now and the POST; None is no limit. Raises `JobTimeout`
        when it is over (the job goes on), `JobFailed`, `JobUnresolved`, or the error with which the provider
        refused. Costs nothing.
        """

    def refresh(self) -> State:
        """Ask the provider now, within the account's budget of look-ups, and return the state."""

    def status(self) -> State:
        """Do what `refresh` does, under its old name, until 0.3."""

    def events(self) -> JobEvents:
        """Return what happens to the job: its state now, every change, and the end."""

    def cancel(self, *, remote: bool = False) -> Cancelled:
        """Give the job up if it was never sent, at no cost; what was sent goes on and is not lost.

        A job that waits for a slot is unsent. With *remote* the provider is asked to stop what was sent,
        where it supports that. It may finish and bill the video all the same; the job then returns it. The
        end of a wait or the closing of a client never asks it. Raises `PikaError` where the provider does not
        answer, and `LedgerError` while the ledger fails: another process may send the job until it works.
        """

    def resubmit(self) -> None:
        """Order an unresolved job once more, on your word: the first one may turn out to be paid as well."""

    def abandon(self) -> None:
        """Give an unresolved job up, on your word; a video that still turns up is kept."""

class JobEvents(Iterator[JobEvent]):
    """Yields the job's present state first, then every change, and ends when the job has ended.

    Raises what ends a wait but not the job: `JobUnresolved`, an `AuthError` of a look-up, a closed client.
    """

    def __next__(self) -> JobEvent: ...
    def __iter__(self) -> Self: ...

class Map(Iterator[Item]):
    """Yields an item for each request, in the order in which the jobs end.

    No more requests are pulled than jobs fit into the slots, and none while that many items wait to be
    taken, so an endless iterable needs no more memory than a short one.
    """

    def __next__(self) -> Item: ...
    def close(self) -> list[Item]:
        """Stop pulling and return the items not taken yet, those of running jobs among them."""

    def __exit__(self, *_: object) -> None: ...
    def __iter__(self) -> Self: ...
    def __enter__(self) -> Self: ...

class Pika:
    """The client without `await`: the methods and options of `pika_async.Pika`, for any number of threads.

    It is opened by `with`, or by its first call. Its work is done in one thread of its own, so it may be used
    where an event loop runs, as in a notebook. Functions and iterables that you hand over (*on_event*,
    *on_progress*, the requests of `map`) are called in your own thread, while it waits in that call.

    Ctrl-C ends the call that waits, not the client; the tokens of jobs that may be paid are noted on the
    `KeyboardInterrupt`. Open it after a fork, not before. It takes no *callbacks*: those belong to an
    application with an event loop.
    """

    def __init__(
        self,
        *providers: str | Provider,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        account: str = "default",
        timeout: float | None = ...,
        callback_url: str | Literal[False] | None = None,
        ledger: str | os.PathLike[str] | Secret | Ledger | None = None,
        max_submits: int | None = None,
        max_cost: float | Decimal | str | None = None,
        reuse: timedelta | None = None,
        prices: str | os.PathLike[str] | None = None,
        prefer: Literal["cheapest"] | None = None,
        max_concurrency: int = 32,
        poll_rate: float | Literal[Unset.PROVIDERS] | None = ...,
        poll_batch: int = 50,
        poll_interval: float = 1.0,
        trust_env: bool = True,
        work: bool = True,
        keep_media: bool = True,
        replay_window: float = 600.0,
        media_hosts: Iterable[str] = (),
        media_proxy: str | Secret | Literal[False] | None = None,
        max_download_bytes: int | None = ...,
        min_download_speed: float | None = 1024,
        transport: Sender | None = None,
        clock: Clock | None = None,
    ) -> None: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def close(self) -> None:
        """Close the client; waits up to 30 s for POSTs that are under way. Jobs go on without it."""

    def generate(
        self,
        prompt: str | None = None,
        *,
        timeout: Timeout = ...,
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

    def ingredients(
        self,
        prompt: str,
        images: Iterable[Media],
        *,
        mode: Literal["creative", "precise"] | None = None,
        timeout: Timeout = ...,
        queue_timeout: float | None = None,
        callback_url: str | Literal[False] | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[CommonFields],
    ) -> VideoResult:
        """Buy one video in which the things on *images* appear together, and wait for it."""

    def style(
        self,
        prompt: str | None = None,
        *old: str,
        style: str = "",
        timeout: Timeout = ...,
        queue_timeout: float | None = None,
        callback_url: str | Literal[False] | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[MediaFields],
    ) -> VideoResult:
        """Buy one video with the effect *style*, `Inflate` say, and wait for it.

        The other fields are those of `Style`. Two positional texts are read as style and prompt, their order
        in 0.1, until 0.3.
        """

    def edit(
        self,
        prompt: str,
        video: Media,
        *,
        image: Media | None = None,
        region: str | None = None,
        mask: Media | None = None,
        timeout: Timeout = ...,
        queue_timeout: float | None = None,
        callback_url: str | Literal[False] | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[CommonFields],
    ) -> VideoResult:
        """Buy one video that is *video* with what *prompt* and *image* show, and wait for it.

        It replaces what *region* names or *mask* covers, or is added where neither is set. The
        other fields are those of `Edit`.
        """

    def submit(
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

    def enqueue(
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

    def process(self, job: str, *, accepted: bool = False, patience: float | None = None) -> JobState:
        """Work on a recorded job until it ends, and return its state. Any queue may call it, at any time.

        *job* is the id or the token of a job. It is sent unless it was before, and waited for until it has
        ended; with *accepted*, until the provider has it: after that, a process on the ledger looks it up.
        For a job that only a person can settle, it returns "unresolved". Costs one render at most, however
        often it is called.

        Raises the error that kept the order unsent (an empty balance, a refused key, a failing ledger, or no
        slot within *patience* seconds): it stays queued, so call again later.
        """

    def drain(self) -> None:
        """Send nothing more, and wait for the POSTs under way; what is queued stays for other processes.

        Calls of `process` whose job is unsent end with an error. Look-ups go on until `close`.
        """

    def job(self, token: str) -> Job:
        """Turn a token back into its job, which any process may have submitted at any time.

        What the ledger knows of the job is there at once. Costs nothing.
        """

    def jobs(self, state: str | None = None, *, limit: int = 100, before: str | None = None) -> list[Job]:
        """Return the jobs that the ledger knows on this client's accounts, newest first. Costs nothing.

        *state* is one of a job (`open`, `succeeded`, `failed`, `cancelled`) or of an attempt (`queued`,
        `running`, `ambiguous`, `unresolved`); *before* is the id of the last job of the page before. The
        memory ledger keeps the last thousand jobs that ended.
        """

    def origin(self, video: VideoResult) -> Job | None:
        """Return the job that a *video* of this client came from; None for any other video. Costs nothing."""

    def map(self, requests: Iterable[Row], *, timeout: Timeout = ...) -> Map:
        """Buy a video for each of *requests* and yield items in the order in which the jobs end.

        Each is a request, a prompt, or a pair of an idempotency key and one of these. Requests are pulled
        only when slots are free; each item holds its index, key, request, job, and result or error. If one
        fails, the others continue.
        """

    def quote(self, request: Order, **fields: Unpack[GenerateFields]) -> list[Quote]:
        """Return what *request* would cost at each provider of this client, without buying anything.

        *request* is a request, or a prompt with the *fields* of `generate`. A price of your own (*prices* of
        the client) is used before a published one; where there is neither, the estimate is None.
        """

    def balances(self) -> list[AccountBalance]:
        """Return the balance at each provider of this client, where the provider reports it."""

    def stats(self) -> Mapping[str, AccountStats]:
        """Return what each account is doing now, by `provider:label`."""

    def recover(self, *, queued: bool = False) -> list[Job]:
        """Take over the jobs that dead processes left in the ledger: `jobs = pika.recover()`.

        Jobs that may have been paid are looked up, at no cost. With *queued*, jobs that were never sent
        are bought as well. `for job in pika.recover()` takes over a long list job by job.
        """

    def download(
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

    def open(self, video: VideoResult | Job) -> AbstractContextManager[Iterator[bytes]]:
        """Stream a finished *video* without a file: `with pika.open(video) as chunks`.

        `for chunk in chunks` ends only where the video is whole. A download that breaks off continues;
        where it cannot, the iteration raises `DownloadError`. Costs nothing.
        """

    def __enter__(self) -> Self: ...
