"""What memory does of its own: it forgets."""

import pytest

from pika_async._ledger import memory
from pika_async._ledger.events import Cancel
from pika_async._ledger.memory import MemoryLedger
from tests.ledger.records import claim, job, pending, refused, succeeded, told

pytestmark = pytest.mark.anyio

NOW = 2000.0


async def test_settled_jobs_are_forgotten():
    """A client that runs for weeks stays small; a key is remembered with its job."""
    ledger = MemoryLedger()
    for name, key in (("a", None), ("b", "k")):
        await ledger.create(job(name=name, key=key))
        await ledger.apply(name, claim(1, name), NOW)
        await ledger.apply(name, told(1, pending(name), job_id=name), NOW)
        await ledger.apply(name, told(1, succeeded(name), job_id=name), NOW)
    assert await ledger.get("a") is None
    assert (await ledger.get("b")).winner == "b-1"


async def test_a_key_that_moved_on_lets_its_refused_job_go():
    """Retrying an empty balance for weeks leaves one job."""
    ledger = MemoryLedger()
    for name in "abc":
        await ledger.create(job(name=name, key="k"))
        await ledger.apply(name, claim(1, name), NOW)
        await ledger.apply(name, refused(1, job_id=name), NOW)
    assert [j.id for j in await ledger.jobs()] == ["c"]
    assert (await ledger.create(job(name="d", key="k"))).id == "d"


async def test_a_pruned_key_is_free():
    """Forgetting is a person's word."""
    ledger = MemoryLedger()
    await ledger.create(job(name="a", key="k"))
    await ledger.apply("a", Cancel(), NOW)
    assert await ledger.prune(NOW) == 1
    assert (await ledger.create(job(name="b", key="k"))).id == "b"


async def test_old_callbacks_are_no_longer_known(monkeypatch):
    """The oldest go first."""
    monkeypatch.setattr(memory, "_CALLBACKS_REMEMBERED", 2)
    ledger = MemoryLedger()
    for name in ("a", "b", "c"):
        assert await ledger.inbox_put(name, b"", {}, NOW)
    assert not await ledger.inbox_put("c", b"", {}, NOW)
    assert await ledger.inbox_put("a", b"", {}, NOW)
