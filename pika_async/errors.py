"""What goes wrong, by what happened and who must act.

PikaError
├─ ConfigError · UnsupportedRequest              change the call: nothing was sent
├─ AuthError · RateLimited · InsufficientBalance
│  ContentBlocked · ProviderUnavailable
│  SubmitRefused                                 the provider refused the order
├─ SubmitUnknown                                 it may have been accepted
├─ JobFailed · JobTimeout · JobUnresolved        how a wait ended
└─ BadReply · DownloadError · LedgerError
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar

from pika_async import _pydantic
from pika_async._plain import plain
from pika_async._secret import Secret, conceal_text

if TYPE_CHECKING:
    from typing import Self

    from pydantic_core import CoreSchema

E = TypeVar("E", bound="PikaError")

Phase: TypeAlias = Literal["submit", "poll", "download"]
Charged: TypeAlias = Literal["no", "yes", "unknown"]


class JobHandle(Protocol):
    """The job that an error holds: a `Job`, as far as the handling of errors needs it.

    Its video is a `VideoResult`. That is not said here, because a result raises errors of this module. The
    wait of a job of `pika_async.sync` returns it without `await`.
    """

    @property
    def token(self) -> str: ...
    def wait(self, timeout: float | None = ...) -> Any: ...
    def __await__(self) -> Generator[Any, None, Any]: ...


class PikaError(Exception):
    """The root of everything this library raises.

    *provider*, *job*, *phase*, *status*, *code* and *trace_id* say where it happened; *charged* says
    whether the order was charged (`no`, `yes`, `unknown`); *retryable* says whether the same call may be made
    again: it may succeed, and cannot pay twice.

    An error can be pickled. What arrives in the other process holds the *token* in place of the *job*:
    `pika.job(error.token)` goes on there.
    """

    default_retryable: ClassVar[bool] = False
    default_charged: ClassVar[Charged] = "no"
    settles_key: bool = False
    """Whether the answer names the job of the submit's idempotency key: then it is true of each send."""

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        job: JobHandle | None = None,
        phase: Phase | None = None,
        charged: Charged | None = None,
        retryable: bool | None = None,
        trace_id: str | None = None,
        status: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.job = job
        self.phase = phase
        self.charged: Charged = charged or self.default_charged
        self.retryable = self.default_retryable if retryable is None else retryable
        self.trace_id = trace_id
        self.status = status
        self.code = code
        self._token: str | None = None

    @property
    def token(self) -> str | None:
        """The job's token, with which any process can go on; None before there was a job."""
        return self.job.token if self.job is not None else self._token

    def conceal(self, secrets: Iterable[Secret]) -> Self:
        """Replace *secrets*, and the callback tokens of attempts, by `***`; returns the error itself."""
        keys = tuple(secrets)
        self.message = conceal_text(self.message, keys)
        self.args = tuple(conceal_text(arg, keys) if isinstance(arg, str) else arg for arg in self.args)
        self.trace_id = None if self.trace_id is None else conceal_text(self.trace_id, keys)
        self.code = None if self.code is None else conceal_text(self.code, keys)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _bare, (type(self), self.args), {**self.__dict__, "job": None, "_token": self.token}

    def __copy__(self) -> Self:
        twin = _bare(type(self), self.args)
        twin.__dict__.update(self.__dict__)
        return twin

    @classmethod
    def __get_pydantic_core_schema__(cls, _: object, __: object) -> CoreSchema:
        return _pydantic.error_schema(cls, partial(_revived, cls))


class ConfigError(PikaError):
    """A key, option or use of the client is wrong: change it; nothing was sent."""


class UnsupportedRequest(PikaError, ValueError):
    """The request is malformed, or no chosen provider can express it; nothing was sent."""


class AuthError(PikaError):
    """The provider does not accept the key, or the account may not do this: check both."""


class RateLimited(PikaError):
    """The provider refused because of too many requests; wait *retry_after* seconds."""

    default_retryable = True
    retry_after: float | None = None


class InsufficientBalance(PikaError):
    """The account cannot pay: top it up, then call again."""


class ContentBlocked(PikaError):
    """The provider's moderation refused the prompt or the media: change them."""


class ProviderUnavailable(PikaError):
    """The provider does not offer this now: try later, or another provider."""

    default_retryable = True


class SubmitRefused(PikaError):
    """The provider refused the request for another reason of its own; nothing was bought."""


class SubmitUnknown(PikaError):
    """The request may have been accepted and paid: reconcile by the token, never resubmit blindly."""

    default_charged = "unknown"


class JobFailed(PikaError):
    """The provider took the job and did not deliver a video."""

    default_charged = "unknown"


class JobTimeout(PikaError, TimeoutError):
    """The wait is over, the job is not: wait for `error.job` again, at any later time."""

    default_charged = "yes"
    default_retryable = False


class JobUnresolved(PikaError):
    """It is not known whether the video was bought: a person must decide."""

    default_charged = "unknown"


class BadReply(PikaError):
    """The provider's answer cannot be read; *status* and a clipped body tell more."""

    default_charged = "unknown"


class DownloadError(PikaError):
    """The video exists and could not be fetched whole; the message says what to do."""

    default_charged = "yes"
    default_retryable = True


class LedgerError(PikaError):
    """The record of jobs cannot be read or written; nothing is bought without it.

    *recorded* is False where the change is surely not in the ledger, None where nobody knows.
    """

    recorded: Literal[False] | None = None


# Not by `kind(*args)`: an adapter's own error may take other arguments than its root.
def _bare(kind: type[E], args: tuple[Any, ...]) -> E:
    error = kind.__new__(kind, *args)
    error.args = args
    return error


@plain.register
def _plain_error(error: PikaError) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "message": error.message,
        "provider": error.provider,
        "token": error.token,
        "phase": error.phase,
        "charged": error.charged,
        "retryable": error.retryable,
        "trace_id": error.trace_id,
        "status": error.status,
        "code": error.code,
        "retry_after": getattr(error, "retry_after", None),
        "notes": list(getattr(error, "__notes__", ())),
    }


def _revived(root: type[PikaError], given: Mapping[str, Any]) -> PikaError:
    """Return the error of which `asdict` made *given*; raises `ValueError` if it is no kind of *root*."""
    kinds = {kind.__name__: kind for kind in (root, *_below(root))}
    if given["type"] not in kinds:
        raise ValueError(f"{given['type'][:80]!r} is not a kind of {root.__name__}")
    facts = {n: v for n, v in given.items() if n not in {"type", "message", "token", "retry_after", "notes"}}
    error = _bare(kinds[given["type"]], (given["message"],))
    PikaError.__init__(error, given["message"], **facts)
    error._token = given.get("token")  # noqa: SLF001
    if isinstance(error, RateLimited):
        error.retry_after = given.get("retry_after")
    for note in given.get("notes", ()):
        error.add_note(note)
    return error


def _below(kind: type[PikaError]) -> Iterable[type[PikaError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _below(below)
