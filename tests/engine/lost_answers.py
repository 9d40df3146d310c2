"""Orders whose answers are lost, for tests of what is found out about them."""

from __future__ import annotations

import pytest

from pika_async import Generate
from pika_async._ledger.records import AttemptState
from pika_async._transport import SendError
from pika_async.errors import SubmitUnknown
from tests.engine.ledgers import SharedLedger
from tests.ledger.records import attempt, job

NEVER_ARRIVED = SendError("the line is cut before the host has read a thing", sent=True)
E = 485.0
"""Seconds after the claim at which "not found" begins to count."""


async def lost(s, request="a cat", **options):
    """Buy a video whose answer is lost, and give the job."""
    with pytest.raises(SubmitUnknown) as caught:
        await s.pika.submit(Generate(request), **options)
    return caught.value.job


class Telling(SharedLedger):
    """Keeps the events that it was told."""

    def __init__(self):
        super().__init__()
        self.told = []

    async def apply(self, job_id, event):
        self.told.append(event)
        return await super().apply(job_id, event)

    def kinds(self):
        return {type(event) for event in self.told}


async def left(ledger, name="j", state=AttemptState.AMBIGUOUS, **fields):
    """Put an attempt of a process that is gone into the ledger, claimed now."""
    now = ledger.now()
    times = {"claimed_at": now, "lease_until": now + 900, "resolve_after": now + 900, "slot_until": now + 900}
    fields = {"account": "scripted:default", "owner": "dead", "slot": True, **times, **fields}
    await ledger.create(job(attempt(job_id=name, state=state, **fields), name=name))
