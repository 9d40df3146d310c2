"""What a worker is told to do."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from pika_async._crossing import process_bound
from pika_async._secret import Secret


@process_bound("call work(Work(...)) in the other process")
@frozen(kw_only=True)
class Work:
    """The duties of a worker; see `pika-async work --help`.

    *places* is how many tasks it runs at once, *max_concurrency* the cap of each account: of different values
    among the workers the least holds. *out* is a folder or an address of an object store for finished videos,
    *hook* the user's function that is called for each. *health* is the address `host:port` of `/healthz` and
    `/readyz`. *options* are further ones of `Pika`.
    """

    providers: tuple[str, ...]
    ledger: Secret = field(converter=Secret)
    out: str | None = None
    hook: str | None = None
    places: int = 32
    max_concurrency: int = 32
    account: str = "default"
    health: str | None = None
    options: dict[str, Any] = field(factory=dict, repr=False)
