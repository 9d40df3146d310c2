"""A job in flight: what this process knows of it, and who waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from pika_async._engine.clock import Clock
from pika_async._engine.expectation import Expectation, Stage
from pika_async._http import HttpRequest
from pika_async._ledger.records import JobRecord
from pika_async._ledger.standing import in_doubt
from pika_async._token import JobToken
from pika_async.errors import PikaError
from pika_async.requests import VideoRequest
from pika_async.results import Pending, Snapshot, State, Succeeded, Task

if TYPE_CHECKING:
    from pika_async._engine.account import Account


LINK_MARGIN = 120.0
"""Seconds for which an uploaded link must still be good: a provider reads it some time after the submit."""


@frozen
class Prepared:
    """An order in the form for one *account*, good *until* (ledger time); *kept* names links made before."""

    account: str
    request: VideoRequest
    until: float
    kept: tuple[str, ...]


class Flight:
    """The engine's side of a job; ten thousand of them are alive at once, so it is kept small.

    *recorded* says whether the ledger has the job, *entered* whether it is under way here. *adopted* is a job
    of a token that no ledger has vouched for yet. *wanted* says whether a caller of this process ordered it
    or asked for it, and *asked_at* when (ledger time); *held* whether a caller has its handle and with it the
    token; *told* whether a caller has been told how it ended. *kept* says that the order is for whichever
    process works on it, so it is not cancelled with a caller.
    """

    __slots__ = (
        "__weakref__",
        "_waits",
        "account",
        "adopted",
        "asked_at",
        "built",
        "cancelled",
        "clock",
        "entered",
        "error",
        "held",
        "id",
        "kept",
        "listeners",
        "place",
        "posted_at",
        "prepared",
        "record",
        "recorded",
        "request",
        "reused",
        "sending",
        "snapshot",
        "stage",
        "stale",
        "told",
        "wanted",
        "why",
    )

    def __init__(
        self, record: JobRecord, account: Account, clock: Clock, request: VideoRequest | None = None
    ) -> None:
        self.id = record.id
        self.record = record
        self.account = account
        self.clock = clock
        self.request = request
        self.built: tuple[str, float, HttpRequest] | None = None
        self.prepared: Prepared | None = None
        self.asked_at = 0.0
        self.stage = Stage.WAITING
        self.posted_at: float | None = None
        self.snapshot: Snapshot | None = None
        self.error: PikaError | None = None
        self.recorded = True
        self.adopted = False
        self.cancelled = False
        self.entered = False
        self.wanted = False
        self.held = False
        self.kept = False
        self.why = ""
        self.reused = False
        self.told = False
        self.sending = False
        self.stale = 0
        self.place = 0
        self.listeners: list[Callable[[Flight], None]] | None = None
        self._waits: list[Expectation] = []

    def is_unprepared(self, ledger_now: float) -> bool:
        """Return whether media have to be fetched or uploaded before the job can be sent."""
        if self.request is None or not self.account.capabilities.prepares(self.request):
            return False
        done = self.prepared
        return done is None or done.account != self.account.key or ledger_now + LINK_MARGIN >= done.until

    @property
    def token(self) -> str:
        """Return the portable text that any process turns back into this job."""
        account = self.account
        address = self.record.newest.address or getattr(account, "address", None)
        return JobToken(
            job_id=self.id, provider=account.name, label=account.label, task=self.task, address=address
        ).encode()

    @property
    def task(self) -> Task | None:
        """Return the provider's task once it is known; the newest one, should there be several."""
        return next((a.task for a in reversed(self.record.attempts) if a.task is not None), None)

    @property
    def state(self) -> State:
        """Return the state as users see it."""
        match self.snapshot:
            case Succeeded():
                return State.SUCCEEDED
            case _ if self.stage is Stage.ENDED:
                return State.FAILED
            case None:
                return State.RUNNING if self.task is not None else State.QUEUED
            case snapshot:
                return getattr(snapshot, "state", State.RUNNING)

    @property
    def unresolved(self) -> bool:
        """Return whether only a person, or late evidence, can move this job."""
        return not self.ended and in_doubt(self.record) is not None

    @property
    def ended(self) -> bool:
        """Return whether nothing more will happen."""
        return self.stage is Stage.ENDED

    @property
    def awaited(self) -> bool:
        """Return whether anyone waits."""
        return any(not wait.future.done() for wait in self._waits)

    def posted(self) -> None:
        """Note that the POST starts now: from here the timeouts of the waits run."""
        self.posted_at = self.clock.now()
        for wait in self._waits:
            wait.start(self.clock, posted=True)

    def asked(self, at: float) -> None:
        """Note that a caller here wants the job, *at* ledger time: no pause that began before holds it."""
        self.wanted, self.asked_at = True, at

    def requeued(self) -> None:
        """Note that the job waits for a slot again: the timeouts start with its next POST."""
        self.posted_at = None
        for wait in self._waits:
            wait.start(self.clock, posted=False)

    def reach(self, stage: Stage) -> None:
        """Wake those who wait for *stage* or an earlier one."""
        self.stage = stage
        self.notify()
        waits, self._waits = self._waits, []
        for wait in waits:
            if wait.stage > stage:
                self._waits.append(wait)
            else:
                wait.settle()

    def progressed(self, snapshot: Pending) -> None:
        """Show those who watch that the job is under way."""
        if not self.ended:
            self.snapshot = snapshot
            self.notify()

    def trouble(self, error: PikaError) -> None:
        """End all present waits with *error*; the job itself goes on."""
        self.notify()
        waits, self._waits = self._waits, []
        for wait in waits:
            wait.settle(error)

    def end(self, error: PikaError | None = None) -> None:
        """Mark the job as ended, well or with *error*."""
        self.error = error
        self.reach(Stage.ENDED)

    def reopened(self, record: JobRecord) -> None:
        """Go on with a job that those who waited were told was left unsent."""
        self.record, self.error, self.stage = record, None, Stage.WAITING
        self.place, self.told, self.stale = 0, False, 0

    def notify(self) -> None:
        """Call those who listen for changes."""
        if self.listeners:
            for listener in tuple(self.listeners):
                listener(self)

    def expect(
        self, stage: Stage, *, timeout: float | None = None, queue_timeout: float | None = None
    ) -> Expectation:
        """Note that someone waits until the job reaches *stage*.

        *timeout* runs from the later of now and the POST, *queue_timeout* from now until the POST.
        """
        wait = Expectation(stage, timeout, queue_timeout)
        if self.stage >= stage:
            wait.settle()
        else:
            wait.start(self.clock, posted=self.posted_at is not None)
            self._waits.append(wait)
        return wait

    async def wait(
        self, stage: Stage, *, timeout: float | None = None, queue_timeout: float | None = None
    ) -> None:
        """Wait as `expect` says; raises `NoSlotError`, `TimeoutError`, and what `trouble` was given."""
        if self.stage >= stage:
            return
        wait = self.expect(stage, timeout=timeout, queue_timeout=queue_timeout)
        try:
            await wait.future
        finally:
            wait.withdraw()
            if wait in self._waits:
                self._waits.remove(wait)
