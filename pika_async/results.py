"""What comes out: a finished video, and what a provider said of a task on the way there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from attrs import evolve, field, fields, frozen

from pika_async import errors
from pika_async._crossing import Value
from pika_async._plain import plain
from pika_async._secret import Secret, conceal, conceal_text

if TYPE_CHECKING:
    JSON: TypeAlias = "Mapping[str, JSON] | list[JSON] | tuple[JSON, ...] | str | int | float | bool | None"
else:
    # An alias that names itself cannot be resolved in other modules, where attrs and cattrs try to.
    JSON = Any

Charged: TypeAlias = errors.Charged


class State(StrEnum):
    """Where a job, or one video of it, stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Cancelled(StrEnum):
    """The result of cancelling a job.

    `unsent`: the job was never sent, and costs nothing. `requested`: the provider was asked to stop it; it
    may be finished and billed all the same. `too_late`: it was sent and goes on, or it has ended.
    `unsupported`: it was sent, and the provider stops nothing.
    """

    UNSENT = "unsent"
    REQUESTED = "requested"
    TOO_LATE = "too_late"
    UNSUPPORTED = "unsupported"


@frozen
class VideoResult(Value):
    """One rendered video.

    *duration* is in seconds, or None where the provider does not tell. Links expire when the
    provider decides: download what you want to keep.
    """

    id: str
    video_url: str | None
    image_url: str | None
    duration: float | None
    state: State

    @property
    def url(self) -> str:
        """The link to the video, like *video_url*, and never None; raises `DownloadError` without one."""
        if not self.video_url:
            raise errors.DownloadError(
                f"Video {self.id} holds no link and its state is {self.state}; wait for its job, or ask the "
                "provider.",
                phase="download",
                charged="unknown",
                retryable=False,
            )
        return self.video_url

    def _repr_html_(self) -> str:
        from pika_async._html import player

        long = "" if self.duration is None else f", {self.duration:g} s"
        return player(self.video_url, self.image_url, f"{self.id}{long}, {self.state}")


@frozen
class Task(Value):
    """The provider's own unit of work.

    *locator* is whatever else a later look-up needs: JSON-able, free of secrets, opaque to the core.
    """

    id: str
    locator: Mapping[str, JSON] = field(factory=dict)

    def merged(self, newer: Task) -> Task:
        """Add *newer*'s locator to ours; what we knew and it does not mention stays valid."""
        if not newer.locator or newer.locator == self.locator:
            return self
        return evolve(self, locator={**self.locator, **newer.locator})


class Raw:
    """A provider's own JSON about a task, cleaned when it is first read.

    An adapter passes it as `raw=Raw(item, without={"request"}, secrets=[self.api_key])`: members called
    *without* are dropped, and *secrets* are replaced by `***` in every text, as callback tokens always are.
    `snapshot.raw`, `repr`, `==`, pickle, `deepcopy`, `asdict` and the ledger see the cleaned copy only. Most
    answers are never asked for it, and cost nothing.

    >>> Raw({"id": "t1", "ip": "192.0.2.1"}, without={"ip"})
    {'id': 't1'}
    """

    __slots__ = ("_secrets", "_told", "_without")

    def __init__(self, told: JSON, *, without: Iterable[str] = (), secrets: Iterable[Secret] = ()) -> None:
        self._told = told
        self._without = frozenset(without)
        self._secrets: tuple[Secret, ...] | None = tuple(secrets)

    def conceal(self, secrets: Iterable[Secret]) -> None:
        """Hide *secrets* as well, for an author who did not think of them."""
        self._secrets = (*(self._secrets or ()), *secrets)

    def cleaned(self) -> JSON:
        """Return the cleaned copy, made once."""
        if self._secrets is not None:
            self._told = conceal(self._told, self._secrets, self._without)
            self._secrets = None
        return self._told

    def __repr__(self) -> str:
        return repr(self.cleaned())

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (self.cleaned(),)


@plain.register
def _plain_raw(raw: Raw) -> Any:
    return plain(raw.cleaned())


def _same(value: JSON) -> JSON:
    return value


def _cleaned(raw: JSON | Raw) -> JSON:
    return raw.cleaned() if isinstance(raw, Raw) else raw


class _Told(Value):
    """What the three kinds of snapshot share: `raw` is cleaned when it is first read."""

    __slots__ = ()

    @property
    def raw(self) -> JSON:
        """The provider's own JSON about the task, without secrets."""
        return _cleaned(self._raw)  # type: ignore[attr-defined]

    def conceal(self, secrets: Iterable[Secret]) -> Self:
        """Return the snapshot with `***` in the place of *secrets* in all that a provider words freely.

        That is `trace_id`, `message` and `code` at once, and `raw` when it is first read. The core calls
        it with the secrets of the adapter, whose author need not think of them.
        """
        keys = tuple(secrets)
        changed: dict[str, Any] = {}
        for name in ("trace_id", "message", "code"):
            text = getattr(self, name, None)
            if isinstance(text, str) and (hidden := conceal_text(text, keys)) != text:
                changed[name] = hidden
        match self._raw:  # type: ignore[attr-defined]
            case Raw() as raw:
                raw.conceal(keys)
            case dict() | list() | tuple() | str() as raw:
                changed["raw"] = Raw(raw, secrets=keys)
        return evolve(self, **changed) if changed else self  # type: ignore[misc]

    def __repr__(self) -> str:
        kind: Any = type(self)
        shown = ", ".join(f"{a.alias}={getattr(self, a.alias)!r}" for a in fields(kind))
        return f"{kind.__name__}({shown})"


def _echo_field() -> Any:
    # Not kept, shown or compared: it serves once, to tell whose task this is.
    return field(default=None, eq=False, repr=False)


def _raw_field() -> Any:
    return field(default=None, eq=_cleaned)


@frozen(kw_only=True, repr=False)
class Pending(_Told):
    """The provider has the task and has not finished it.

    *progress* runs from 0 to 1; what an adapter reads beyond that is clipped by the core, and what is no
    number is dropped. *poll_after* is the provider's wish in seconds before the next look; 0 means "the
    render is over, and its result is fetched by another look": the next look follows at once, one time in a
    row, with the locator of this snapshot. In every snapshot, *callback_url* is the address that the provider
    echoes for the task: it proves whose task this is.
    """

    task: Task
    state: State = State.RUNNING
    progress: float | None = None
    queue_position: int | None = None
    poll_after: float | None = None
    trace_id: str | None = None
    cost: float | None = None
    callback_url: Secret | None = _echo_field()
    _raw: JSON | Raw = _raw_field()


@frozen(kw_only=True, repr=False)
class Succeeded(_Told):
    """At least one video is ready; *cost* is in the provider's own unit."""

    task: Task
    results: tuple[VideoResult, ...]
    trace_id: str | None = None
    cost: float | None = None
    callback_url: Secret | None = _echo_field()
    _raw: JSON | Raw = _raw_field()


@frozen(kw_only=True, repr=False)
class Failed(_Told):
    """The provider gave up on the task.

    *reason* is `content` (moderation), `no_output` (a success word without a link) or `provider`.
    """

    task: Task
    reason: Literal["content", "no_output", "provider"] = "provider"
    message: str = ""
    code: str | None = None
    charged: Charged = "unknown"
    trace_id: str | None = None
    cost: float | None = None
    callback_url: Secret | None = _echo_field()
    _raw: JSON | Raw = _raw_field()


Snapshot: TypeAlias = Pending | Succeeded | Failed
