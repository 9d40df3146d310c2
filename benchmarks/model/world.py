"""A small world as one value: what the ledger has, what is truly the case, and which faults are left."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from attrs import frozen

Owner: TypeAlias = Literal["one", "two"]
OWNERS: tuple[Owner, ...] = ("one", "two")
GONE = "gone"
"""What a row calls an owner whose process has died: every start makes a new name."""

CONNECTING = "connecting"
"""Claimed; the fence is still to come."""
UNHEARD = "unheard"
"""Claimed by a commit that was not acknowledged; nothing will be sent."""
FLYING = "flying"
"""Past the fence: the provider may accept it now, or days later, or never."""
ANSWERED = "answered"
"""The provider took it; the answer is on its way."""
REFUSED = "refused"
"""The provider said no; the answer is on its way."""
LOST = "lost"
"""The answer is lost, and its owner may send the same bytes again."""
VANISHED = "vanished"
"""The bytes never arrive; nobody knows."""


class Post(NamedTuple):
    """One POST, from its claim on; *owner* is None once nobody waits for its answer.

    *late*: more than W has passed since the claim. *task* is what the answer names.
    *again*: these bytes were sent before, and the provider keeps their key.
    """

    attempt: str
    owner: Owner | None
    phase: str
    late: bool = False
    task: str = ""
    again: bool = False


class Billed(NamedTuple):
    """A task that the provider made of an attempt's POST, and how it ended."""

    task: str
    attempt: str
    end: str = ""


class Left(NamedTuple):
    """How often each fault, and each word of a person, may still happen."""

    crash: int = 0
    replay: int = 0
    lose: int = 0
    unheard: int = 0
    stranger: int = 0
    forged: int = 0
    lost: int = 0
    restore: int = 0
    cancel: int = 0
    resubmit: int = 0
    abandon: int = 0


class World(NamedTuple):
    """*jobs* are numbers of records in the `Book`; the rest is the truth, which no process knows as a whole.

    *told* are the tasks that an answer or an echo has named to the ledger, *posted* the attempts of which
    bytes may have left, *words* how often a person ordered each job again, *made* the number of attempts
    so far. *backup* is an earlier state of the ledger.
    """

    jobs: tuple[int, ...]
    posts: tuple[Post, ...] = ()
    billed: tuple[Billed, ...] = ()
    told: tuple[str, ...] = ()
    posted: tuple[str, ...] = ()
    words: tuple[int, ...] = ()
    made: int = 0
    backup: tuple[tuple[int, ...], tuple[str, ...]] | None = None
    left: Left = Left()


@frozen(kw_only=True)
class Setting:
    """One small world to search: its size, its provider, and how often each fault happens.

    *echoes*: look-ups and a history tell whose task it is; otherwise only callbacks do. *fails*: it may
    fail a task. *keeps*: it keeps the keys of POSTs, and the ledger their bytes. *caps* is
    `max_concurrency`. *adopted*: the job was known by its token alone, and is paid already.
    """

    name: str
    jobs: int = 1
    owners: int = 2
    attempts: int = 3
    echoes: bool = True
    fails: bool = True
    caps: int | None = None
    adopted: bool = False
    keeps: bool = False
    left: Left = Left()
