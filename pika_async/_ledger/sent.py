"""Which bytes of POSTs a change has the ledger keep, and which it has it forget. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pika_async._ledger.events import Event, Sending
from pika_async._ledger.records import JobRecord
from pika_async._ledger.standing import keeps_bytes


def sent_bytes(before: JobRecord, after: JobRecord, event: Event) -> Mapping[str, bytes | None]:
    """Return what is to be kept by the ids of attempts; None stands for bytes to forget."""
    found: dict[str, bytes | None] = {}
    for old, new in zip(before.attempts, after.attempts, strict=False):
        if old is new or keeps_bytes(old) is keeps_bytes(new):
            continue
        match event:
            case Sending(sent=sent) if sent is not None and keeps_bytes(new):
                found[new.id] = sent.data
            case _:
                found[new.id] = None
    return found
