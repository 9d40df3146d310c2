"""What callers are told of an order that was not sent, as errors. Pure."""

from __future__ import annotations

from pika_async._ledger.sharing import NO_KEY
from pika_async._money import Money
from pika_async.errors import (
    AuthError,
    Charged,
    InsufficientBalance,
    JobTimeout,
    LedgerError,
    PikaError,
)


def capped(max_submits: int | None) -> InsufficientBalance:
    """Make the error for an order that the spending cap holds back."""
    return InsufficientBalance(
        f"The spending cap of {max_submits} submits is reached; nothing was bought. "
        "Raise max_submits to continue.",
        phase="submit",
        code="max_submits",
    )


def too_dear(max_cost: Money) -> InsufficientBalance:
    """Make the error for an order that the cap on money holds back."""
    return InsufficientBalance(
        f"This order would bring the ledger above max_cost, {max_cost}; nothing was bought. "
        "Raise max_cost to continue.",
        phase="submit",
        code="max_cost",
    )


def unpriced(provider: str, max_cost: Money) -> InsufficientBalance:
    """Make the error for an order that the cap on money cannot count."""
    return InsufficientBalance(
        f"The price of this order at {provider} is not known in {max_cost.unit}, so max_cost cannot count "
        "it; nothing was bought. Add its price to your file of prices, then ask for the job again.",
        provider=provider,
        phase="submit",
        code="no_price",
    )


def paused(why: str | None) -> InsufficientBalance | AuthError:
    """Make the error for an order that waits because its account is paused."""
    said = f" ({why.rstrip('.')})" if why else ""
    is_about_keys = why is not None and why.startswith(NO_KEY)
    mend = "Correct the key" if is_about_keys else "Top the account up"
    return (AuthError if is_about_keys else InsufficientBalance)(
        f"The account is paused{said}; nothing was bought, and the order stays queued in the ledger. {mend}, "
        "then ask for the job again.",
        phase="submit",
        code="paused",
    )


def left_unsent(what: str) -> JobTimeout:
    """Make the error for an order that stays queued in the ledger, where nothing sends it by itself."""
    return JobTimeout(
        f"{what}; it stays queued in the ledger, and nothing was bought. pika.recover(queued=True) or its "
        "idempotency key buys it, job.cancel() gives it up.",
        charged="no",
        phase="submit",
    )


def sent_elsewhere(charged: Charged) -> JobTimeout:
    """Make the error for an order that this process did not send, and another one may have sent."""
    return JobTimeout(
        "This process did not send the order, but another one may have sent it; wait for error.job again, "
        "and do not order it once more.",
        charged=charged,
        phase="submit",
    )


def not_cancelled() -> LedgerError:
    """Make the error for a job that cannot be cancelled before the ledger works."""
    return LedgerError(
        "The ledger failed, so the job is not cancelled yet, and another process may send it. This client "
        "tells the ledger again; look at the job later.",
        charged="unknown",
        phase="submit",
    )


def still_queued(timeout: float | None) -> JobTimeout:
    """Make the error for a wait that is over while the order is queued for whichever process sends it."""
    return JobTimeout(
        f"The order was not sent within {timeout:g} s; it stays queued in the ledger, and the process that "
        "sends it buys it: wait for error.job again, send it with pika.recover(queued=True), or give it up "
        "with job.cancel().",
        charged="unknown",
        phase="submit",
    )


def later(refused: PikaError, *, stays: bool = True) -> PikaError:
    """Make the error for an order that was not sent because the key or the account was just refused."""
    kept = " and stays queued in the ledger" if stays else ""
    return type(refused)(
        f"{refused.message.rstrip('.')}. This order was not sent{kept}.",
        provider=refused.provider,
        phase="submit",
        charged="no",
        status=refused.status,
        code=refused.code,
        trace_id=refused.trace_id,
    )
