"""A provider that pushes, a client that listens, and what arrives."""

from __future__ import annotations

import json

import pytest
from attrs import frozen

from pika_async import Generate
from pika_async.callbacks import CallbackEvent, Callbacks
from pika_async.callbacks.token import token_in
from pika_async.errors import LedgerError, SubmitUnknown
from tests.engine import ledgers
from tests.engine.scripted import LOST, Historian, Scripted, capable, scene, snapshot

CALLBACKS = Callbacks(public_url="https://app.test/pika", secret="a secret of the tests")
DONE = {"state": "done", "url": "https://forged.test/a.mp4"}
NO_BATCH = capable(poll_batch=1)


@frozen(kw_only=True)
class Pusher(Scripted):
    """Pushes what its look-ups answer; whoever reads a push cannot tell its token."""

    def read_callback(self, body, headers, received_at, keys, /):
        told = json.loads(body)
        return snapshot(told) if "id" in told else None


@frozen(kw_only=True)
class Rememberer(Historian, Pusher):
    """Pushes, and echoes the token in its history."""


class SharedLedger(ledgers.SharedLedger):
    """Looks like a file that several processes share, and fails when it is told to."""

    failing = False

    async def inbox_put(self, attempt_id, body, headers):
        if self.failing:
            raise LedgerError("The disk is full.")
        return await super().inbox_put(attempt_id, body, headers)

    async def inbox_pending(self, limit=100, after=0):
        if self.failing:
            raise LedgerError("The disk is full.")
        return await super().inbox_pending(limit, after)


def scene_with(*providers, **options):
    """Open a client with callbacks on."""
    options = {"callbacks": CALLBACKS, "poll_rate": None, "poll_interval": 0.1, **options}
    return scene(*(providers or (Pusher(),)), **options)


def attempt_of(s, number=-1):
    """Return the attempt that a POST was for, by the callback address it bore."""
    url = s.wire.submits[number].body.value["callback_url"].reveal()
    return token_in(url).rpartition(".")[0]


async def push(s, told, number=-1, *, attempt=None, **headers):
    """Have a callback arrive about a POST."""
    body = json.dumps(told).encode()
    event = CallbackEvent(
        attempt_id=attempt or attempt_of(s, number),
        content_type="application/json",
        headers=headers,
        body=body,
    )
    await s.engine.inbox.receive(event)


async def finished(s, id_="t1", number=-1):
    """Let a render end, and its callback arrive."""
    s.host.tasks[id_]["done_at"] = s.clock.now()
    await push(s, s.host.tell(id_), number)


async def lost(s, prompt="a cat"):
    """Buy a video whose answer is lost, and give the job."""
    s.host.at_submit.append(LOST)
    with pytest.raises(SubmitUnknown) as caught:
        await s.pika.submit(Generate(prompt))
    return caught.value.job


async def drain(s):
    """Let the inbox come to rest."""
    await s.clock.advance(0.01)
