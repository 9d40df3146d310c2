"""What the tools tell a model of a job, in values that JSON Schema can describe. Pure."""

from __future__ import annotations

import hashlib
import json

from attrs import asdict
from pydantic import BaseModel, Field

from pika_async import Generate, Job, PikaError, State
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
    State.FAILED: "Read what went wrong with look_at_video; a new order costs again.",
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


def of_error(error: PikaError) -> str:
    """Say what went wrong in one text: the message, whether the order was charged, and the token."""
    facts = [f"Charged: {error.charged}."]
    if error.retryable:
        facts.append("The same call may be made again; it cannot be charged twice.")
    if error.token is not None:
        facts.append(f"Token: {error.token}")
    return " ".join([error.message, *facts])


def order_key(request: Generate, copy: int) -> str:
    """Return the idempotency key of an order: a repeated call, also after a crash, is the same order.

    >>> order_key(Generate("A cat"), 1) == order_key(Generate("A cat"), 1) != order_key(Generate("A cat"), 2)
    True
    """
    asked = [request.prompt, request.negative_prompt, request.model, request.aspect_ratio, request.seed]
    text = json.dumps([*asked, request.image, request.video, copy])
    return f"mcp-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
