"""Rows carried to their ends: a full disk and a spending cap leave the rest for later."""

import errno
import re
from datetime import timedelta

import pytest
from attrs import frozen

from pika_acedata import AceData, AceDataEmulator
from pika_async import ConfigError, Generate, Pika
from pika_async.batch import MANIFEST, Batch, Manifest, RowState
from pika_async.provider import HttpResponse
from pika_async.sandbox import Sandbox
from pika_official import PikaEmulator, PikaOfficial

pytestmark = pytest.mark.anyio


async def test_a_full_disk_ends_the_run_and_loses_nothing(shop, monkeypatch):
    """What was bought is in the ledger; the next run fetches it."""
    append = Manifest.append

    def full(manifest, entry):
        if entry.state is RowState.DOWNLOADING:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(manifest, entry)

    monkeypatch.setattr(Manifest, "append", full)
    with pytest.raises(ConfigError, match="make room there"):
        await shop.bring("A cat", "A dog")
    monkeypatch.undo()
    assert (await shop.bring("A cat", "A dog")).done == 2
    assert shop.billed == {"A cat": 1, "A dog": 1}


async def test_at_the_cap_the_other_rows_wait(shop):
    """They are told why, once, and nothing is tried for them."""
    pika = shop.client(max_submits=1, max_concurrency=1)
    report = await shop.bring("A cat", "A dog", "A fox", pika=pika)
    assert [row.state for row in report.rows] == [RowState.DONE, RowState.QUEUED, RowState.QUEUED]
    assert {row.error.name for row in report.missing} == {"InsufficientBalance"}
    assert report.may_go_on


async def test_at_the_cap_on_money_the_other_rows_wait(shop, tmp_path):
    """As at the cap on orders; a row without a price waits for one, and stops nobody."""
    (tmp_path / "prices.toml").write_text('[[price]]\nprovider = "acedata"\namount = 1\nmodel = "2.0"\n')
    pika = shop.client(max_cost=1, prices=tmp_path / "prices.toml", max_concurrency=1)
    rows = [Generate("A bat"), *(Generate(words, model="2.0") for words in ("A cat", "A dog", "A fox"))]
    report = await shop.bring(*rows, pika=pika)
    assert [row.state for row in report.rows] == ["queued", "done", "queued", "queued"]
    assert "is not known in USD" in report.rows[0].error.message
    assert "above max_cost, 1 USD" in report.rows[2].error.message
    assert report.may_go_on


async def test_a_batch_that_may_reuse_takes_what_was_bought(shop):
    """Once for each row: a row that stands there twice is two videos. The next run buys nothing either."""
    ledger = shop.folder.parent / "shared.db"
    async with shop.client(ledger=ledger) as pika:
        await pika.generate("A cat")

    def client():
        return shop.client(ledger=ledger, reuse=timedelta(days=1))

    report = await shop.bring("A cat", "A cat", "A dog", pika=client())
    assert [row.state for row in report.rows] == ["done", "done", "done"]
    assert [row.why.startswith("reused") for row in report.rows] == [True, False, False]
    assert shop.billed == {"A cat": 2, "A dog": 1}
    (shop.folder / report.rows[0].file).unlink()
    assert (await shop.bring("A cat", "A cat", "A dog", pika=client())).done == 3
    assert shop.billed == {"A cat": 2, "A dog": 1}


async def test_an_empty_balance_stops_the_ordering_and_not_the_waiting(shop):
    """A thousand rows are not refused one by one; what is paid already is brought."""
    await shop.bring("A cat")
    (shop.folder / "001-a-cat.mp4").unlink()
    rows = ["A bat sandbox-no-balance", "A dog", "A fox", "A cat"]
    report = await shop.bring(*rows, pika=shop.client(max_concurrency=1))
    assert [row.state for row in report.rows] == ["failed", "queued", "queued", "done"]
    assert {row.error.name for row in report.missing} == {"InsufficientBalance"}
    assert report.may_go_on
    assert shop.billed == {"A cat": 1}
    assert (await shop.bring("A dog", "A fox")).done == 2


async def test_what_is_paid_goes_first(shop):
    """A job under way may hold the slot that a new row needs; a wait that is over frees nobody's job."""
    slow = "A dog sandbox-never-finishes"
    async with shop.batch(slow) as batch:
        async for event in batch:
            if event.row.state is RowState.RENDERING:
                break
    async with shop.batch("A cat", slow, pika=shop.client(max_concurrency=2), timeout=0.2) as batch:
        events = [event async for event in batch]
    assert events[0].row.number == 2
    assert [row.error and row.error.name for row in batch.report.rows] == [None, "JobTimeout"]
    assert shop.billed == {"A cat": 1, slow: 1}


@frozen
class NoUploads:
    """Pika's side of the wire, which takes no file today."""

    real: PikaEmulator = PikaEmulator()
    paths = PikaEmulator.paths

    def answer(self, request, world, /):
        if request.url.endswith("/v1/media/uploads"):
            return HttpResponse(status=415, body=b'{"message": "content_type is not supported"}')
        return self.real.answer(request, world)


async def test_the_manifest_says_who_took_over_after_a_failed_upload(tmp_path):
    """And why: the order itself was never refused, its media were; one video is billed."""
    emulators = [NoUploads(), AceDataEmulator()]
    async with Sandbox(render_time=0.0, emulators=emulators) as sandbox:
        at = {"api_key": "sandbox", "base_url": sandbox.url}
        pika = Pika(
            PikaOfficial(**at),
            AceData(**at),
            ledger=tmp_path / "jobs.db",
            media_hosts=[sandbox.media_host],
            poll_rate=None,
            poll_interval=0.01,
        )
        rows = [Generate("A cat", image=b"\x89PNG\r\n\x1a\n...")]
        async with Batch(rows, tmp_path / "out", pika=pika) as batch:
            async for _ in batch:
                pass
        assert dict(sandbox.billed) == {"A cat": 1}
    (entry,) = Manifest(tmp_path / "out" / MANIFEST).entries().values()
    assert (entry.state, entry.provider) == (RowState.DONE, "acedata")
    assert re.fullmatch(r"pika could not take its media \(\w+\)", entry.why)
