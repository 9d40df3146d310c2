"""What can happen to a job: one frozen type for each thing that the table knows."""

from __future__ import annotations

from typing import TypeAlias

from attrs import field, frozen

from pika_async._ledger.records import Refusal, Source
from pika_async.results import Snapshot


@frozen(kw_only=True)
class Times:
    """The document's letters, in seconds; `deadline` is D, `longest_render` is R."""

    claim_to_byte: float = 5.0
    deadline: float = 60.0
    commit: float = 5.0
    slack: float = 5.0
    acceptance: float = 120.0
    resolve: float = 404.0
    longest_render: float = 1800.0

    @property
    def lease(self) -> float:
        """L > W + D + C + S."""
        return self.claim_to_byte + self.deadline + self.commit + self.slack + 1.0


@frozen(kw_only=True)
class Claim:
    """Row 2: an owner is about to POST, if slot and spending cap allow."""

    attempt: str
    owner: str
    times: Times = field(factory=Times)
    max_slots: int | None = None
    max_submits: int | None = None


@frozen(kw_only=True)
class NextAttempt:
    """The new queued row that a refusal or a person's word makes."""

    id: str
    account: str
    not_before: float = 0.0


@frozen(kw_only=True)
class Refused:
    """Rows 3 and 4: the owner knows that nothing was bought."""

    attempt: str
    owner: str
    refusal: Refusal
    next: NextAttempt | None = None


@frozen(kw_only=True)
class Evidence:
    """Rows 5, 10, 11 and 16: the provider knows this task as ours.

    A `callback` binds by bare token alone, so only what nothing else has answered: ambiguous or unresolved.
    Where the look-up that confirms it echoes the token, the source is `history`. With *account*, a row that
    the ledger has lost is made again.
    """

    attempt: str
    snapshot: Snapshot
    source: Source
    account: str | None = None


@frozen(kw_only=True)
class Unknown:
    """Row 6: the owner cannot tell what became of the POST."""

    attempt: str
    owner: str


@frozen(kw_only=True)
class LeaseOver:
    """Row 7: nobody heard of the POST within its lease."""

    attempt: str


@frozen(kw_only=True)
class NothingFound:
    """Row 8: a history look-up sent at *sent_at* did not find the token; None where there is no history."""

    attempt: str
    sent_at: float | None = None


@frozen(kw_only=True)
class Lost:
    """Row 9: the provider repeatedly does not know the task, or it is too old."""

    attempt: str


@frozen(kw_only=True)
class Unbind:
    """A task bound by a bare callback turned out to be another attempt's."""

    attempt: str


@frozen(kw_only=True)
class Cancel:
    """Row 12, and the stored flag for an attempt that is already on its way."""


@frozen(kw_only=True)
class Resubmit:
    """Row 13: a person's word; with *attempt*, a word about this one only, which no repeat can spread."""

    next: NextAttempt
    attempt: str | None = None


@frozen(kw_only=True)
class Abandon:
    """Row 14: a person's word; with *attempt*, about this one only."""

    attempt: str | None = None


@frozen(kw_only=True)
class SlotOver:
    """Row 15: whatever was sent must have ended by now."""

    attempt: str


@frozen(kw_only=True)
class Restored:
    """The ledger is a copy or was restored: what it calls queued may have been sent since."""

    attempt: str


Event: TypeAlias = (
    Claim
    | Refused
    | Evidence
    | Unknown
    | LeaseOver
    | NothingFound
    | Lost
    | Unbind
    | Cancel
    | Resubmit
    | Abandon
    | SlotOver
    | Restored
)
