"""What the ledger in a file acknowledged is there after the power went, at whatever write it went.

`python -m benchmarks.power_cut` tries every write of the program, with many falls of the dice.
"""

from __future__ import annotations

import pytest

from tests.power_cut import Disk, compiled

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """Return a disk that forgets what was not synced when its power goes."""
    folder = tmp_path_factory.mktemp("power")
    library = compiled(folder)
    if library is None:
        pytest.skip("needs Linux and a C compiler")
    return Disk(library, folder / "disk")


@pytest.fixture(scope="module")
def operations(disk):
    """Return how many writes and syncs the program makes."""
    return disk.operations()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("part", [0.03, 0.1, 0.2, 0.33, 0.5, 0.7, 0.95])
async def test_what_was_acknowledged_survives(disk, operations, part, seed):
    """With seed 0 nothing survives that was not synced, with others some of it, in any order, or torn."""
    said = disk.run(int(operations * part), seed=seed)
    assert await disk.lost(said) == []


async def test_a_ledger_that_does_not_sync_is_caught(disk, operations):
    """The disk really forgets: without SQLite's syncs, acknowledged changes are gone."""
    said = disk.run(int(operations * 0.4), unsafe=True)
    assert await disk.lost(said)
