"""What the tools tell a model of a job, in values that JSON Schema can describe. Pure."""

from __future__ import annotations

import hashlib
import json
import re

from attrs import asdict
from pydantic import BaseModel, Field

from pika_async import ConfigError, Generate, Job, PikaError, State
from pika_async.ledger import read_token
from pika_async.results import Charged
from pika_async.types import Quote


class Told(BaseModel):
    """A video order, as a model sees it."""

    token: str = Field(description="Names the order in every other tool; keep it.")
    state: str = Field(description="queued, running, succeeded or failed.")
    provider: str
    progress: float | None = Field(None, description="From 0 to 1, where the provider tells.")
    video_url: str | None = Field(None, description="The link; it expires, so download what is to be kept.")
    cost: float | None = Field(None, description="What it cost, in the provider's own unit, where it tells.")
    next_step: str | None = Field(None, description="What to do now.")


class Priced(BaseModel):
    """What a video would cost at a provider, as a model sees it."""

    provider: str
    amount: float | None = Field(None, description="None where nobody publishes a price.")
    unit: str | None = Field(None, description="A currency, or the provider's own, credits say.")
    source: str | None = Field(None, description="Who says so.")
    date: str | None = Field(None, description="When that was read.")
    cannot: str | None = Field(None, description="Why this provider cannot make such a video.")


_NEXT = {
    State.QUEUED: "Call wait_for_video with the token.",
    State.RUNNING: "Call wait_for_video with the token; a render takes one to two minutes.",
    State.SUCCEEDED: "Call download_video with the token to keep the file.",
    State.FAILED: "Call wait_for_video with the token to read what went wrong; a new order costs again.",
}


def of_job(job: Job) -> Told:
    """Say what is known of *job* now."""
    return Told(
        token=job.token,
        state=job.state.value,
        provider=job.provider,
        progress=job.progress,
        video_url=job.results[0].video_url if job.results else None,
        cost=job.cost,
        next_step=_NEXT[job.state],
    )


def of_quote(quote: Quote) -> Priced:
    """Say what *quote* says."""
    facts = {} if quote.estimate is None else asdict(quote.estimate)
    return Priced.model_validate({**facts, "provider": quote.provider, "cannot": quote.unsupported})


def of_error(error: PikaError, token: str | None = None) -> str:
    """Say what went wrong with the order of *token*, or with the one that *error* holds.

    One that holds no order says that this call costs nothing, and proves nothing of an earlier order.
    """
    message, charged = error.message, error.charged
    if error.token is None and token is not None and charged == "no":
        charged = "unknown"
    if error.retryable:
        message += " The same call may be made again; it cannot be charged twice."
    return of_trouble(message, charged=charged, token=error.token or token)


def of_trouble(message: str, *, charged: Charged, token: str | None) -> str:
    """Say in one text what went wrong, whether the order was charged, and its token.

    >>> of_trouble("No.", charged="no", token=None)
    'No. Charged: no. Token: none.'
    """
    return f"{message} Charged: {charged}. Token: {token or 'none.'}"


def is_whole(token: str) -> bool:
    """Return whether *token* is one that an order may have.

    >>> is_whole("pika1.WyJqMSIsImFjZWRhdGEiLCJkZWZhdWx0IiwidDEiXQ.7bf3f28e"), is_whole("cat")
    (True, False)
    """
    try:
        read_token(token)
    except ConfigError:
        return False
    return True


def file_name(job_id: str) -> str:
    """Return the name of a video that was given none; it leads into no other folder.

    >>> file_name("b13l1hfns6pj9b1b"), file_name("../b1")
    ('b13l1hfns6pj9b1b.mp4', '___b1.mp4')
    """
    return re.sub(r"[^\w-]", "_", job_id)[:100] + ".mp4"


def order_key(request: Generate, copy: int) -> str:
    """Return the idempotency key of an order: a repeated call, also after a crash, is the same order.

    >>> order_key(Generate("A cat"), 1) == order_key(Generate("A cat"), 1) != order_key(Generate("A cat"), 2)
    True
    """
    asked = [request.prompt, request.negative_prompt, request.model, request.aspect_ratio, request.seed]
    text = json.dumps([*asked, request.image, request.video, copy])
    return f"mcp-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
