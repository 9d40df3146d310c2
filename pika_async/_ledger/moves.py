"""The pay-once table as data: docs/pay-once.md is drawn from it, and tests hold the machine to it."""

from __future__ import annotations

from attrs import frozen

from pika_async._ledger import events
from pika_async._ledger.records import AttemptState
from pika_async._ledger.standing import CLAIMED, FINAL, LOST, REPLAYABLE, UNANSWERED, UNSENT

_S = AttemptState
_WATCHED = frozenset({_S.RUNNING, _S.UNRESOLVED})


@frozen(kw_only=True)
class MoveRule:
    """What one event does to an attempt: *start* are the states it can be in, *guard* what else must hold.

    *effect* is what follows, *who* who may tell the event.
    """

    event: type
    start: frozenset[AttemptState]
    guard: str
    effect: str
    who: str


MOVES = (
    MoveRule(
        event=events.Claim,
        start=frozenset({_S.QUEUED}),
        guard="slot, pace and spending cap free, account not paused; job open and not cancelled; siblings "
        "refused, failed, cancelled or superseded",
        effect="submitting, with a slot; COMMIT **acknowledged**, then connect",
        who="winner",
    ),
    MoveRule(
        event=events.Sending,
        start=frozenset({_S.SUBMITTING}),
        guard="the fence: connected, within W; job open and not cancelled, siblings as for the claim",
        effect="sending; COMMIT **acknowledged**, then the first byte",
        who="owner",
    ),
    MoveRule(
        event=events.Replaying,
        start=REPLAYABLE,
        guard="the provider keeps the key in these bytes; within T of the claim; not superseded; job open "
        "and not cancelled, siblings as for the claim",
        effect="the same; COMMIT **acknowledged**, then the same bytes again; of their answers only an "
        "acceptance counts",
        who="owner; once its lease is over, any process with the same key",
    ),
    MoveRule(
        event=events.ReplayOver,
        start=REPLAYABLE,
        guard="the ledger has its bytes; T has passed, or the answer to a replay allows no other",
        effect="the same; the bytes are forgotten",
        who="sweeper; owner",
    ),
    MoveRule(
        event=events.Refused,
        start=UNANSWERED,
        guard="no task; provably no byte left (stale fence, DNS, refused, TLS, COMMIT raised), or the "
        "provider's classified refusal",
        effect="refused, slot free; a *new* queued attempt only if this one is newest, not superseded or "
        "abandoned, and the job open and not cancelled",
        who="owner",
    ),
    MoveRule(
        event=events.PassedOver,
        start=frozenset({_S.QUEUED}),
        guard="its media could not be uploaded, and there is another provider to go on to; job open and not "
        "cancelled, siblings as for the claim",
        effect="refused; a *new* queued attempt on the next account",
        who="any",
    ),
    MoveRule(
        event=events.Evidence,
        start=frozenset(_S) - FINAL,
        guard="own answer, our token echoed by a look-up or the history, or a confirmed callback; a callback "
        "without an echo binds only what is ambiguous or unresolved",
        effect="running or final; task bound; queued siblings cancelled; another paid task goes to the job's "
        "extras",
        who="any",
    ),
    MoveRule(
        event=events.Unknown,
        start=CLAIMED,
        guard="any other outcome of the POST",
        effect="ambiguous",
        who="owner",
    ),
    MoveRule(
        event=events.LeaseOver,
        start=CLAIMED,
        guard="the lease is over",
        effect="from sending: ambiguous, no other effect. From submitting, of which no byte has left or ever "
        "will: refused, slot free, and a new queued attempt as above where the ledger remembers",
        who="sweeper",
    ),
    MoveRule(
        event=events.NothingFound,
        start=frozenset({_S.AMBIGUOUS}),
        guard="after E, and at least two completed negative look-ups sent after E (where a look-up exists)",
        effect="unresolved; surfaced",
        who="sweeper",
    ),
    MoveRule(
        event=events.Lost,
        start=frozenset({_S.RUNNING}),
        guard="repeated, spaced not-found, or older than any render",
        effect="unresolved; task kept, looked up slowly",
        who="looks",
    ),
    MoveRule(
        event=events.Mismatch,
        start=_WATCHED,
        guard="bound by an answer or a callback, and the look-up of its task echoes another token",
        effect="ambiguous; task free, slot kept",
        who="looks",
    ),
    MoveRule(
        event=events.Unbind,
        start=_WATCHED,
        guard="bound with less proof than another attempt now has for the same task",
        effect="ambiguous; task free, slot kept",
        who="ledger",
    ),
    MoveRule(
        event=events.Cancel,
        start=frozenset({_S.QUEUED}),
        guard="the job is open",
        effect="cancelled; what is under way goes on, and nothing follows it",
        who="any",
    ),
    MoveRule(
        event=events.Resubmit,
        start=frozenset({_S.UNRESOLVED}),
        guard="not superseded or abandoned; job open and not cancelled; no sibling queued, submitting, "
        "ambiguous or running",
        effect="superseded, plus a new queued attempt",
        who="a person",
    ),
    MoveRule(
        event=events.Abandon,
        start=frozenset({_S.UNRESOLVED}),
        guard="not abandoned",
        effect="abandoned; slot kept",
        who="a person",
    ),
    MoveRule(
        event=events.SlotOver,
        start=LOST,
        guard="it holds a slot, and whatever was sent must have ended by now",
        effect="slot free",
        who="sweeper",
    ),
    MoveRule(
        event=events.Restored,
        start=UNSENT,
        guard="the ledger is a copy, or was moved or restored",
        effect="ambiguous",
        who="ledger",
    ),
)


def table() -> str:
    """Return the table of docs/pay-once.md, as Markdown."""
    lines = ["| move | from | guard | to, effects | who |", "|---|---|---|---|---|"]
    for rule in MOVES:
        start = (
            "any but final"
            if rule.start == frozenset(_S) - FINAL
            else ", ".join(s for s in _S if s in rule.start)
        )
        lines.append(f"| {rule.event.__name__} | {start} | {rule.guard} | {rule.effect} | {rule.who} |")
    return "\n".join(lines) + "\n"
