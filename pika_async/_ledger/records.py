"""What a ledger keeps: jobs, their attempts, and what became of them. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, TypeAlias

from attrs import field, frozen

from pika_async._money import Money
from pika_async.results import Failed, Snapshot, Succeeded, Task


class AttemptState(StrEnum):
    """Where one billed POST stands; see the table."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    SENDING = "sending"
    AMBIGUOUS = "ambiguous"
    UNRESOLVED = "unresolved"
    REFUSED = "refused"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """How a job ended, or that it has not."""

    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


CALLBACKS_PER_ATTEMPT = 32
"""More different bodies than any provider sends about one task; the inbox keeps no more."""

Source: TypeAlias = Literal["callback", "answer", "echo"]
"""What binds a task to an attempt, weakest first: a callback by bare token, the POST's own answer, or a
look-up or history in which the provider echoes our token. Only the last one is proof."""

Receiver: TypeAlias = str | Literal[False] | None
"""A user's own callback address for one order; False for none at all, None for the client's."""


@frozen(kw_only=True, weakref_slot=False)
class Refusal:
    """Why an attempt was refused, as the error that the caller will see."""

    error: str
    message: str
    code: str | None = None
    status: int | None = None
    trace_id: str | None = None
    retry_after: float | None = None


@frozen(kw_only=True, weakref_slot=False)
class Replayable:
    """That the bytes of a POST may be sent again until *until*, by any process with the same key.

    *key* is a keyed fingerprint of the credential that they were sent with. *kept*: the ledger still has the
    bytes; False once the time has passed and nobody learned what became of them.
    """

    until: float
    key: str
    kept: bool = True


@frozen(kw_only=True, weakref_slot=False)
class Attempt:
    """One row is one POST, and never returns to `queued`.

    Times are wall-clock seconds. *resolve_after* is E of the document; *negatives* counts history
    look-ups sent after it that did not find the token; *task* is kept once bound. *price* is what it was to
    cost when it was claimed, None where nobody could tell. *address* is the fingerprint of the provider's
    address at that time, None where the adapter has none or an older version claimed. *replay* is set while
    nobody knows what became of a POST whose bytes the ledger was given.
    """

    id: str
    job_id: str
    number: int
    account: str
    state: AttemptState = AttemptState.QUEUED
    version: int = 0
    slot: bool = False
    superseded: bool = False
    abandoned: bool = False
    owner: str | None = None
    not_before: float = 0.0
    claimed_at: float | None = None
    lease_until: float = 0.0
    resolve_after: float = 0.0
    slot_until: float = 0.0
    negatives: int = 0
    task: Task | None = None
    bound_by: Source | None = None
    outcome: Succeeded | Failed | Refusal | None = None
    price: Money | None = None
    replay: Replayable | None = None
    address: str | None = None


@frozen(kw_only=True, weakref_slot=False)
class JobRecord:
    """A job and its attempts, oldest first.

    *request* is opaque here; *files* holds the SHA-256 of each file it names, by path; *extras* are further
    tasks the provider took for this job, each with the last that is known of it. *fallbacks* are the accounts
    that may follow after a proven refusal, *callback_url* is the order's own receiver. *enqueued* says that
    workers send it, whoever still waits; a file does not keep that, because no worker reads it.

    *version* counts changes of the job's own fields; an attempt counts its own.
    """

    id: str
    request: object
    created_at: float
    attempts: tuple[Attempt, ...]
    files: Mapping[str, str] | None = None
    key: str | None = None
    digest: str | None = None
    state: JobState = JobState.OPEN
    version: int = 0
    cancel_requested: bool = False
    winner: str | None = None
    extras: tuple[Snapshot, ...] = ()
    fallbacks: tuple[str, ...] = ()
    callback_url: Receiver = None
    enqueued: bool = False

    @property
    def newest(self) -> Attempt:
        """Return the attempt made last; a job always has one."""
        return self.attempts[-1]

    def attempt(self, attempt_id: str) -> Attempt | None:
        """Return one attempt by its id."""
        for attempt in self.attempts:
            if attempt.id == attempt_id:
                return attempt
        return None


@frozen(kw_only=True, weakref_slot=False)
class Usage:
    """What an account uses now: *slots* taken, and all *submits* ever claimed on this ledger.

    *spent* is the sum of all prices on this ledger that may be billed, in millionths by unit.

    Nothing is submitted before *next_submit_at*; *spacing* is the pace in seconds between submits that a 429
    left; *recent* is the rate of submits per second at *recent_at*. *paused_until* and *paused_why* say that
    the provider refuses the account as such: its balance is empty, or no process has a key that is taken.
    Times are wall-clock seconds.

    *members* is how many processes send for the account, *max_slots* the least of their caps, and *waiting*
    are the owners whose turn it is to take a slot, the first one first.

    No claim is granted before *held_until*, because the ledger cannot vouch for its clock or for what was
    sent; that is known to one process alone, and kept nowhere.
    """

    slots: int = 0
    submits: int = 0
    next_submit_at: float = 0.0
    spacing: float = 0.0
    recent: float = 0.0
    recent_at: float = 0.0
    paused_until: float = 0.0
    paused_why: str | None = None
    members: int = 0
    max_slots: int | None = None
    waiting: tuple[str, ...] = ()
    held_until: float = 0.0
    spent: Mapping[str, int] = field(factory=dict)


@frozen(kw_only=True, weakref_slot=False)
class Member:
    """A process that sends for an account, as it last said of itself; times are wall-clock seconds.

    It counts as alive until *until*. *max_slots* is the cap that it was started with, *places* how many tasks
    it runs at once (0 for a client that is no worker). The provider refuses its key until *refused_until*.
    Until *waits_until* it waits for a slot that another may free. *lag* is how late its latest look-up is,
    below 0 where another process looks up.
    """

    owner: str
    max_slots: int
    until: float = 0.0
    label: str = ""
    version: str = ""
    places: int = 0
    refused_until: float = 0.0
    refused_why: str | None = None
    waits_until: float = 0.0
    lag: float = 0.0


@frozen(kw_only=True, weakref_slot=False)
class Move:
    """A line of a job's history; *subject* is an attempt's id, or the job's for what concerns all of it."""

    subject: str
    at: float
    before: str | None
    after: str
    note: str = ""


@frozen(kw_only=True, weakref_slot=False)
class Received:
    """A callback in the inbox; *id* is the ledger's."""

    id: int
    attempt_id: str
    received_at: float
    headers: Mapping[str, str]
    body: bytes
