"""What goes wrong, by what happened and who must act.

PikaError
├─ ConfigError · UnsupportedRequest              you: nothing was sent
├─ AuthError · RateLimited · InsufficientBalance
│  ContentBlocked · ProviderUnavailable
│  SubmitRefused                                 the provider said no
├─ SubmitUnknown                                 it may have been accepted
├─ JobFailed · JobTimeout · JobUnresolved        how a wait ended
└─ BadReply · DownloadError · LedgerError
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from pika_async.results import Charged

if TYPE_CHECKING:
    from pika_async._job import Job

Phase: TypeAlias = Literal["submit", "poll", "download"]


class PikaError(Exception):
    """The root of everything this library raises.

    *provider*, *job*, *phase*, *status*, *code* and *trace_id* say where it happened; *charged* says
    whether money went (`no`, `yes`, `unknown`); *retryable* says whether the very same call may be
    made again with a chance of success and without any risk of paying twice.
    """

    default_retryable: ClassVar[bool] = False
    default_charged: ClassVar[Charged] = "no"

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        job: Job | None = None,
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

    @property
    def token(self) -> str | None:
        """The job's token, with which any process can go on; None before there was a job."""
        return self.job.token if self.job is not None else None


class ConfigError(PikaError):
    """A key, option or use of the client is wrong: change it; nothing was sent."""


class UnsupportedRequest(PikaError, ValueError):
    """The request is malformed, or no chosen provider can express it; nothing was sent."""


class AuthError(PikaError):
    """The provider does not accept the key, or the account may not do this: check both."""


class RateLimited(PikaError):
    """The provider refused because of too many requests; *retry_after* is its wish in seconds."""

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
    """The wait is over, the job is not: wait for `error.job` again, today or any day."""

    default_charged = "yes"
    default_retryable = False


class JobUnresolved(PikaError):
    """Nobody can tell whether the video was bought: a person must settle it."""

    default_charged = "unknown"


class BadReply(PikaError):
    """The provider's answer cannot be read; *status* and a clipped body tell more."""

    default_charged = "unknown"


class DownloadError(PikaError):
    """The video exists and could not be fetched whole; the message says what to do."""

    default_charged = "yes"
    default_retryable = True


class LedgerError(PikaError):
    """The record of jobs cannot be read or written; nothing is bought without it."""
