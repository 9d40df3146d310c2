"""What the engine of one client is made with."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from attrs import field, frozen

from pika_async._engine.account import UNPUBLISHED_REPLAY
from pika_async._engine.choosing import Rule
from pika_async._engine.claims import Price
from pika_async._ledger.records import Receiver
from pika_async._money import Money
from pika_async._registry import Loaded
from pika_async._secret import Secret


@frozen(kw_only=True)
class Settings:
    """The options of a client, checked; see `Pika` for the meaning of each."""

    loaded: Sequence[Loaded]
    label: str = "default"
    max_concurrency: int = 32
    max_submits: int | None = None
    max_cost: Money | None = None
    price: Price | None = None
    poll_rate: float | None = 1.0
    declared_rates: bool = False
    poll_batch: int = 50
    poll_interval: float = 1.0
    callback_url: Receiver = None
    secrets: tuple[bytes, ...] = field(factory=lambda: (os.urandom(32),), repr=False)
    mounted: Callable[[str], Secret] | None = None
    work: bool = True
    keep_media: bool = True
    rule: Rule | None = None
    unpublished_replay: float = UNPUBLISHED_REPLAY
