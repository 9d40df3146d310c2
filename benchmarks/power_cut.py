"""What a power cut costs a ledger in a file: at every write of a program, with many falls of the dice.

A layer below SQLite (`tests/power_cut.c`) forgets what was written and not synced, then kills the process.
What the ledger had acknowledged must be there when it is opened again.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks._campaign import Campaign, Tally
from tests.power_cut import Disk, compiled

CLAIM = "what the ledger acknowledged survives a power cut at any write"
_STRIDE = 8


def one(seed: int) -> Tally:
    """Cut at every eighth write; eight seeds cut at all of them, and the next eight with other falls."""
    tally = Tally()
    with TemporaryDirectory() as folder:
        library = compiled(Path(folder))
        if library is None:
            raise OSError("needs Linux and a C compiler")
        disk = Disk(library, Path(folder) / "disk")
        for at in range(1 + seed % _STRIDE, disk.operations() + 1, _STRIDE):
            said = disk.run(at, seed=seed // _STRIDE)
            lost = asyncio.run(disk.lost(said))
            tally.counts["power cuts"] += 1
            tally.counts["acknowledged and lost"] += len(lost)
            tally.broken += [f"cut at {at}: {what}" for what in lost]
    return tally


CAMPAIGN = Campaign(name="power_cut", claim=CLAIM, one=one, quick=1, full=64, none=("acknowledged and lost",))
measure = CAMPAIGN.measure

if __name__ == "__main__":
    CAMPAIGN.main()
