"""Jobs as a table for a terminal: one line each, however narrow it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pika_async.cli._record import SHORT, charge, decisive, kind, prompt, standing
from pika_async.cli._words import age, printable

if TYPE_CHECKING:
    from pika_async._ledger.records import JobRecord

_STYLES = {
    "succeeded": "green",
    "running": "cyan",
    "submitting": "cyan",
    "failed": "red",
    "ambiguous": "yellow",
    "unresolved": "bold yellow",
}


def show(jobs: Sequence[JobRecord], now: float) -> None:
    """Print *jobs* in their order; *now* is wall-clock seconds."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
    table.add_column("id", no_wrap=True, min_width=SHORT)
    for name in ("state", "provider", "kind"):
        table.add_column(name, no_wrap=True)
    table.add_column("prompt", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("age", no_wrap=True, justify="right")
    table.add_column("paid", no_wrap=True)
    for job in jobs:
        state = standing(job)
        table.add_row(
            job.id[:SHORT],
            Text(state, style=_STYLES.get(state, "")),
            Text(printable(decisive(job).account.partition(":")[0])),
            kind(job) or "-",
            Text(printable(prompt(job) or "-")),
            age(now - job.created_at),
            charge(job),
        )
    Console().print(table)
