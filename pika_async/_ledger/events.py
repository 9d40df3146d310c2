"""What can happen to a job: one frozen type for each move of the table in docs/pay-once.md."""

from __future__ import annotations

from typing import TypeAlias

from attrs import field, frozen

from pika_async._ledger.records import Refusal, Source
from pika_async._ledger.times import Times
from pika_async._money import Money
from pika_async.errors import PikaError
from pika_async.results import Snapshot


@frozen(kw_only=True)
class Claim:
    """An owner is about to POST a queued attempt, if slots, pace, pause and spending caps allow.

    *price* is what it is to cost. With *max_cost*, only a price in the same unit is granted, and only if all
    that may be billed on the ledger stays within it. *address* is the fingerprint of the provider's address.

    A pause holds what was asked for before it began: *asked_at* is when a person or program last asked for
    the order. One that has another provider to go on to is not held at all: *despite_pause*.
    """

    attempt: str
    owner: str
    times: Times = field(factory=Times)
    max_slots: int | None = None
    max_submits: int | None = None
    price: Money | None = None
    max_cost: Money | None = None
    asked_at: float = 0.0
    despite_pause: bool = False
    address: str | None = None


@frozen(kw_only=True)
class Sent:
    """What is about to leave, without secrets, for whoever may send it again *within* seconds of the claim.

    *key* is a keyed fingerprint of the credential. Only the engine reads *data*.
    """

    within: float
    key: str
    data: bytes = field(repr=False)


@frozen(kw_only=True)
class Sending:
    """The owner stands at the fence: once this is committed, the first byte may leave.

    *version* is that of the row it claimed; None asks for no version. *sent* is kept in the same commit.
    """

    attempt: str
    owner: str
    version: int | None = None
    sent: Sent | None = None


@frozen(kw_only=True)
class Replaying:
    """The same bytes are about to be sent again, *within* so many seconds of the claim.

    By the *owner*, or by a process that takes over from one that stopped responding: it reads the bytes from
    the ledger, and *key* is the fingerprint of its own credential. No other follows it for *lease* seconds.
    """

    attempt: str
    owner: str
    within: float
    key: str | None = None
    lease: float = Times().lease


@frozen(kw_only=True)
class ReplayOver:
    """The kept bytes are not sent again: T has passed or, with *owner*, the provider's answer forbids it."""

    attempt: str
    owner: str | None = None


@frozen(kw_only=True)
class NextAttempt:
    """The new queued row that a refusal or a person's word makes."""

    id: str
    account: str
    not_before: float = 0.0


@frozen(kw_only=True)
class Refused:
    """The owner knows that nothing was bought: no byte left, or the provider said no.

    *error* is what the caller is told; the ledger keeps *refusal*. With *later*, the trouble is the account's
    and not the order's: *next* stays queued until a caller asks for the job again.
    """

    attempt: str
    owner: str
    refusal: Refusal
    next: NextAttempt | None = None
    later: bool = False
    error: PikaError | None = field(default=None, eq=False, repr=False)


@frozen(kw_only=True)
class PassedOver:
    """Its media could not be brought to the provider of a queued attempt, so *next* goes to another one."""

    attempt: str
    refusal: Refusal
    next: NextAttempt


@frozen(kw_only=True)
class Evidence:
    """The provider knows this task as ours.

    A callback's task binds only an attempt that nothing else has answered: ambiguous or unresolved. With
    *account*, a row that the ledger has lost is made again. *doubted* says that one answer called the task
    done without a link, so the next such answer is believed.
    """

    attempt: str
    snapshot: Snapshot
    source: Source
    account: str | None = None
    doubted: bool = False


@frozen(kw_only=True)
class Unknown:
    """The owner cannot tell what became of the POST; *error* is what the caller is told."""

    attempt: str
    owner: str
    error: PikaError | None = field(default=None, eq=False, repr=False)


@frozen(kw_only=True)
class LeaseOver:
    """Nobody heard of the POST within its lease; *next* may follow it if it was provably not sent."""

    attempt: str
    next: NextAttempt | None = None


@frozen(kw_only=True)
class NothingFound:
    """A history look-up sent at *sent_at* did not find the token; None where there is no history."""

    attempt: str
    sent_at: float | None = None


@frozen(kw_only=True)
class Lost:
    """The provider repeatedly does not know the task, or the task is too old."""

    attempt: str


@frozen(kw_only=True)
class Mismatch:
    """A look-up of *task* echoes another attempt's token: the POST's own answer was a stranger's."""

    attempt: str
    task: str


@frozen(kw_only=True)
class Unbind:
    """A task that was bound without proof turned out to be another attempt's."""

    attempt: str


@frozen(kw_only=True)
class Cancel:
    """Nothing more is to be sent for the job; an attempt that is already on its way goes on."""


@frozen(kw_only=True)
class Resubmit:
    """A person's word; with *attempt*, a word about this one only, which no repeat can spread."""

    next: NextAttempt
    attempt: str | None = None


@frozen(kw_only=True)
class Abandon:
    """A person's word; with *attempt*, about this one only."""

    attempt: str | None = None


@frozen(kw_only=True)
class SlotOver:
    """Whatever was sent must have ended by now."""

    attempt: str


@frozen(kw_only=True)
class Restored:
    """The ledger is a copy or was restored: what it calls queued may have been sent since."""

    attempt: str


Event: TypeAlias = (
    Claim
    | Sending
    | Replaying
    | ReplayOver
    | Refused
    | PassedOver
    | Evidence
    | Unknown
    | LeaseOver
    | NothingFound
    | Lost
    | Mismatch
    | Unbind
    | Cancel
    | Resubmit
    | Abandon
    | SlotOver
    | Restored
)
