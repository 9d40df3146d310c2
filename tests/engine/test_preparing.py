"""What is done for an order before it waits for a slot, and where it goes when that fails."""

from __future__ import annotations

import pytest
from attrs import evolve

from pika_async import (
    Generate,
    ProviderUnavailable,
)
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import AttemptState
from pika_async._transport import SendError
from pika_async.testing import FakeClock
from tests.engine.ledgers import WatchedLedger
from tests.engine.scripted import answer, scene
from tests.engine.uploading import CAT, DOG, Store, Uploader, two_hosts, uploading

pytestmark = pytest.mark.anyio


async def test_an_upload_holds_no_slot():
    """Others are sent meanwhile."""
    async with uploading(max_concurrency=1) as s:
        s.host.failing = [SendError("the line is cut", sent=True)] * 2
        slow = s.begin(s.pika.generate("a cat", image=CAT))
        await s.clock.advance(0.1)
        assert await s.after(0.1, s.pika.submit(Generate("words"))) is not None
        assert not slow.done()
        await s.clock.advance(60)
        assert slow.result()


async def test_a_failed_upload_goes_on_to_the_next_provider():
    """Nothing was sent, so it is a proven refusal: the job says why it went on, and one video is bought."""
    clock = FakeClock()
    hosts = {name: Store(clock, f"https://{name}.test/put") for name in ("scripted", "second")}
    second = Uploader(capabilities=evolve(Uploader().capabilities, name="second"))
    ledger = WatchedLedger()
    async with scene(Uploader(), second, clock=clock, hosts=hosts, ledger=ledger) as s:
        hosts["scripted"].failing = [answer(503, {})] * 3
        wait = s.begin(s.pika.submit(Generate("a cat", image=CAT)))
        await clock.advance(30)
        job = wait.result()
        assert (await s.after(60, job.wait())).id == "t1"
        why = "scripted could not take its media (ProviderUnavailable)"
        assert (job.provider, job.why_provider) == ("second", why)
        assert not hosts["scripted"].billed
        assert hosts["second"].billed == {"a cat": 1}
    first, last = ledger.job.attempts
    assert (first.state, first.claimed_at, last.state) == (AttemptState.REFUSED, None, AttemptState.SUCCEEDED)


async def test_the_last_providers_failed_upload_ends_the_order():
    """Then nobody is left to go on to, and the caller is told; no money went."""
    clock = FakeClock()
    hosts = {name: Store(clock, f"https://{name}.test/put") for name in ("scripted", "second")}
    second = Uploader(capabilities=evolve(Uploader().capabilities, name="second"))
    async with scene(Uploader(), second, clock=clock, hosts=hosts) as s:
        for host in hosts.values():
            host.failing = [answer(503, {})] * 3
        wait = s.begin(s.pika.generate("a cat", image=CAT))
        await clock.advance(60)
        assert isinstance(wait.exception(), ProviderUnavailable)
        assert (wait.exception().charged, wait.exception().provider) == ("no", "second")
        assert not any(host.billed for host in hosts.values())


async def test_closing_cuts_an_upload_short():
    """What is not sent is not bought."""
    async with uploading() as s:
        s.host.failing = [SendError("the line is cut", sent=True)] * 3
        job = s.begin(s.pika.generate("a cat", image=CAT))
        await s.clock.advance(0.1)
        closing = s.begin(s.pika.aclose())
        await s.clock.advance(1)
        assert closing.done()
        assert job.exception().charged == "no"
        assert not s.host.billed


async def test_a_job_cancelled_while_it_uploads_is_not_sent():
    """And costs nothing."""
    async with uploading() as s:
        s.host.failing = [answer(503, {})]
        job = s.begin(s.pika.generate("a cat", image=CAT))
        await s.clock.advance(0.1)
        job.cancel()
        await s.clock.advance(30)
        assert not s.host.billed


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_both_ledgers_say_whose_media_failed(kind, tmp_path):
    """Nothing was sent, which is as good a proof as a refusal; the job and the ledger say why."""
    async with two_hosts(ledger=MemoryLedger() if kind == "memory" else tmp_path / "jobs.db") as s:
        s.host.failing = [answer(401, {})]
        job = await s.pika.submit(Generate("a cat", image=CAT))
        assert (job.provider, job.why_provider) == (
            "second",
            "scripted could not take its media (AuthError)",
        )
        first, second = (await s.engine.desk.ledger.get(job.id)).attempts
        assert (first.state, first.slot, second.account) == ("refused", False, "second:default")
        assert "not uploaded, and nothing was bought" in first.outcome.message
        assert not s.host.billed
        assert s.hosts["second"].billed.total() == 1
        assert [account.in_flight for account in s.pika.stats().values()] == [0, 1]


async def test_a_short_trouble_is_outlasted_before_the_next_provider_is_asked():
    """Three tries, as where there is no other."""
    async with two_hosts() as s:
        s.host.failing = [answer(503, {})] * 2
        job = await s.after(10, s.pika.submit(Generate("a cat", image=CAT)))
        assert job.provider == "scripted"
        s.host.failing = [answer(503, {})] * 3
        job = await s.after(10, s.pika.submit(Generate("a dog", image=DOG)))
        assert job.provider == "second"


async def test_a_file_that_only_the_next_provider_takes_goes_there(tmp_path):
    """How large a file is is known only when it is read."""
    path = tmp_path / "cat.png"
    path.write_bytes(CAT * 20)
    async with two_hosts() as s:
        job = await s.pika.submit(Generate("a cat", image=path))
        assert job.provider == "second"
        assert not s.host.granted
