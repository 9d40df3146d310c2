"""Media leave the ledger once their job has ended, where the user wants none kept."""

from __future__ import annotations

import pytest

from pika_async.requests import Generate
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import scene

pytestmark = pytest.mark.anyio

PICTURE = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("keep", [True, False])
async def test_media_leave_with_the_end_of_their_job(keep):
    """The prompt stays, and so does what keeps the job from being bought again."""
    async with scene(ledger=SharedLedger(), keep_media=keep) as s:
        order = Generate("a cat", image=PICTURE)
        job = await s.pika.submit(order, idempotency_key="k")
        ledger = s.engine.desk.ledger
        assert (await ledger.get(job.id)).request.image == PICTURE
        waiting = s.begin(job.wait())
        await s.clock.advance(60)
        assert waiting.result().id
        await s.clock.advance(1)
        kept = await ledger.get(job.id)
        assert (kept.request.prompt, kept.request.image, kept.key) == (
            "a cat",
            PICTURE if keep else None,
            "k",
        )
