"""A batch as a library: its events, its report, and that no run buys what an earlier one has bought."""

import asyncio
import hashlib
import json
import os
from pathlib import Path

import pytest

from pika_async import ConfigError, Generate, Pika, Style
from pika_async._engine.digest import digest, first_digest
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.batch import Entry, RowState, known

pytestmark = pytest.mark.anyio


async def test_rows_become_files_and_events_tell_how(shop):
    """Each state that a row comes to is one event, and the report counts the files and has the posters."""
    async with shop.batch("A cat", "A dog") as batch:
        events = [event async for event in batch]
    states = [event.row.state for event in events if event.row.number == 1]
    assert states == [RowState.RENDERING, RowState.DOWNLOADING, RowState.DONE]
    assert (batch.report.done, batch.report.total, batch.report.missing) == (2, 2, [])
    assert [entry.file for entry in shop.entries] == ["001-a-cat.mp4", "002-a-dog.mp4"]
    assert [entry.poster for entry in batch.report.rows] == ["001-a-cat.jpg", "002-a-dog.jpg"]


async def test_a_poster_that_comes_later_is_no_event(shop):
    """The next run fetches a poster that is missing, and its row does not become done again."""
    await shop.bring("A cat")
    (shop.folder / "001-a-cat.jpg").unlink()
    async with shop.batch("A cat") as batch:
        assert not [event async for event in batch]
    assert (shop.folder / "001-a-cat.jpg").exists()


async def test_a_failed_row_tells_its_error_and_stops_no_other(shop):
    """The error is in the event with which the row fails; nothing would be gained by going on."""
    async with shop.batch("A bat sandbox-render-fails", "A dog") as batch:
        errors = {event.line: event.error async for event in batch if event.error}
    assert list(errors) == [1]
    assert (batch.report.done, batch.report.failed, batch.report.may_go_on) == (1, 1, False)


async def test_a_client_that_is_open_stays_open(shop):
    """An application brings its own client, and keeps it."""
    async with shop.client() as pika:
        assert (await shop.bring("A cat", pika=pika)).done == 1
        assert (await pika.generate("A dog")).video_url
    assert shop.billed == {"A cat": 1, "A dog": 1}


async def test_a_batch_that_is_left_early_goes_on_later(shop):
    """Leaving the loop orders no more; the next run waits for what was ordered."""
    async with shop.batch("A cat", "A dog", "A fox", pika=shop.client(max_concurrency=1)) as batch:
        async for _ in batch:
            break
    assert len(shop.billed) <= 2
    assert (await shop.bring("A cat", "A dog", "A fox")).done == 3
    assert set(shop.billed.values()) == {1}


async def test_a_client_without_a_ledger_is_refused(shop):
    """After a crash nobody would know what was bought."""
    with pytest.raises(ConfigError, match="needs a ledger"):
        await shop.bring("A cat", pika=shop.client(ledger=None))
    assert not shop.folder.exists()


async def test_what_no_provider_can_is_refused_before_the_first_order(shop):
    """All rows are checked first, with the place of each that is wrong."""
    with pytest.raises(ConfigError) as caught:
        await shop.bring("A cat", Generate("A dog", motion=3))
    assert "line 2" in caught.value.__notes__[0]
    assert not shop.billed


async def test_files_of_the_wrong_kind_are_refused_before_the_first_order(shop, tmp_path):
    """A page that was saved as a picture would be paid for."""
    (tmp_path / "page.png").write_bytes(b"<!doctype html>")
    with pytest.raises(ConfigError) as caught:
        await shop.bring("A cat", Generate("A dog", image=tmp_path / "page.png"))
    assert "page.png holds text/html" in caught.value.__notes__[0]
    assert not shop.billed


async def test_without_its_ledger_whole_videos_are_done(shop):
    """The digest in the manifest's line proves the file: nothing is bought or sent again."""
    await shop.bring("A cat", "A dog", "A cat")
    shop.lose_ledger()
    before = sum(shop.sandbox.requests.values())
    report = await shop.bring("A cat", "A dog", "A cat")
    assert (report.done, report.total) == (3, 3)
    assert shop.billed == {"A cat": 2, "A dog": 1}
    assert sum(shop.sandbox.requests.values()) == before


async def test_a_pruned_ledger_buys_nothing_again(shop):
    """Jobs that the ledger has forgotten are known by their files."""
    await shop.bring("A cat", "A dog")
    ledger = SqliteLedger(shop.ledger)
    await ledger.open()
    assert await ledger.prune(4e9) == 2
    await ledger.aclose()
    assert (await shop.bring("A cat", "A dog", "A fox")).done == 3
    assert shop.billed == {"A cat": 1, "A dog": 1, "A fox": 1}


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"\0" * 4777)])
async def test_a_job_that_only_the_manifest_knows_stops_the_run(shop, damage):
    """Neither bought again nor passed over: a person decides, and is told how."""
    await shop.bring("A cat", "A dog")
    damage(shop.folder / "002-a-dog.mp4")
    shop.lose_ledger()
    (_, lost) = shop.entries
    with pytest.raises(ConfigError, match=r"--ledger.*--adopt") as caught:
        await shop.bring("A cat", "A dog", "A fox")
    assert caught.value.code == "unknown_jobs"
    assert caught.value.__notes__ == [f"  row 2: {lost.token}"]
    assert shop.billed == {"A cat": 1, "A dog": 1}


async def test_adopted_jobs_are_fetched_and_not_bought(shop):
    """On a person's word the tokens lead to the videos; later runs need no word."""
    await shop.bring("A cat", "A dog")
    (shop.folder / "002-a-dog.mp4").unlink()
    shop.lose_ledger()
    assert (await shop.bring("A cat", "A dog", adopt=True)).done == 2
    (shop.folder / "002-a-dog.mp4").unlink()
    assert (await shop.bring("A cat", "A dog")).done == 2
    assert shop.billed == {"A cat": 1, "A dog": 1}


async def test_a_torn_line_does_not_hide_its_job(shop):
    """A token in a line that cannot be read counts like any other."""
    await shop.bring("A cat")
    shop.rewrite(lambda line: line[: line.index('"result"')] + "\n")
    shop.lose_ledger()
    with pytest.raises(ConfigError, match="does not know"):
        await shop.bring("A cat")
    assert shop.billed == {"A cat": 1}


async def test_a_failure_for_good_outlives_the_ledger(shop):
    """A row that failed is not ordered again because its job was pruned, and is on demand."""
    bat = "A bat sandbox-render-fails"
    await shop.bring(bat)
    shop.lose_ledger()
    assert (await shop.bring(bat)).failed == 1
    assert shop.billed == {bat: 1}
    await shop.bring(bat, retry_failed=True)
    assert shop.billed == {bat: 2}


async def test_lines_of_another_version_spoil_themselves_alone(shop):
    """Unknown words and fields, and lines without a key, change nothing for the other rows."""
    await shop.bring("A cat", "A dog")

    def changed(line):
        value = json.loads(line)
        del value["key"]
        return json.dumps({**value, "colour": "red"}) + "\n"

    shop.rewrite(changed)
    with (shop.folder / "manifest.jsonl").open("a") as file:
        file.write('{"number": 3, "request": {}, "state": "asleep"}\n{"number": "x"}\nnonsense\n')
    shop.lose_ledger()
    assert (await shop.bring("A cat", "A dog", "A fox")).done == 3
    assert shop.billed == {"A cat": 1, "A dog": 1, "A fox": 1}


async def test_rows_of_an_older_digest_are_known_again(shop, monkeypatch):
    """A version with other digests finds the jobs of the old one by what they ask for."""
    await shop.bring("A cat", "A dog")
    (shop.folder / "manifest.jsonl").unlink()
    monkeypatch.setattr(
        known, "digest", lambda *request: hashlib.sha256(digest(*request).encode()).hexdigest()
    )
    assert (await shop.bring("A cat", "A dog")).done == 2
    assert shop.billed == {"A cat": 1, "A dog": 1}


async def test_a_folder_of_the_first_release_is_gone_on_with(shop, monkeypatch):
    """Its keys are made of the digests of that release, and its lines have no key."""
    monkeypatch.setattr(known, "digest", first_digest)
    await shop.bring("A cat", "A dog")
    monkeypatch.undo()
    shop.rewrite(lambda line: line.replace('"key":', '"old":'))
    (shop.folder / "002-a-dog.mp4").unlink()
    assert (await shop.bring("A cat", "A dog", "A fox")).done == 3
    assert shop.billed == {"A cat": 1, "A dog": 1, "A fox": 1}


async def test_a_damaged_token_does_not_stop_what_the_ledger_knows(shop):
    """The key of the line leads to the job."""
    await shop.bring("A cat", "A dog")
    shop.rewrite(lambda line: line.replace('"token": "pika1.', '"token": "pika1.x'))
    (shop.folder / "002-a-dog.mp4").unlink()
    assert (await shop.bring("A cat", "A dog")).done == 2
    assert shop.billed == {"A cat": 1, "A dog": 1}
    shop.rewrite(lambda line: line.replace('"token": "pika1.', '"token": "pika1.x'))
    (shop.folder / shop.entries[1].file).unlink()
    shop.lose_ledger()
    with pytest.raises(ConfigError, match="does not know"):
        await shop.bring("A cat", "A dog")


async def test_a_batch_is_entered_once_and_before_its_events(shop):
    """Its rows and its folder are checked then."""
    batch = shop.batch("A cat")
    with pytest.raises(ConfigError, match="async with"):
        await anext(batch)
    async with batch:
        pass
    with pytest.raises(ConfigError, match="make another"):
        await batch.__aenter__()
    assert not shop.billed


FOREIGN = ("../outside.mp4", "{outside}", "sub/outside.mp4", "link.mp4", "jobs.db", ".batch.lock", "a\0b.mp4")


@pytest.mark.parametrize("name", FOREIGN)
async def test_a_foreign_manifest_touches_nothing_outside(shop, tmp_path, name):
    """What a foreign name leads to is neither read, nor replaced, nor taken for a video."""
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(b"mine")
    shop.folder.mkdir()
    (shop.folder / "sub").symlink_to(tmp_path)
    (shop.folder / "link.mp4").symlink_to(outside)
    await shop.bring("A cat")
    name = name.format(outside=outside)
    digest = "2f0a5a3c"

    def aimed(line):
        return (
            json.dumps({**json.loads(line), "file": name, "poster": name, "size": 4, "sha256": digest}) + "\n"
        )

    shop.rewrite(aimed)
    kept = shop.ledger.read_bytes()[:16]
    assert (await shop.bring("A cat")).done == 1
    assert outside.read_bytes() == b"mine"
    assert shop.ledger.read_bytes()[:16] == kept
    assert (shop.folder / "link.mp4").is_symlink()
    assert shop.billed == {"A cat": 1}


async def test_no_row_takes_the_file_of_another(shop):
    """Two lines that name one file do not end in one video instead of two."""
    await shop.bring("A cat", "A dog")
    shop.rewrite(lambda line: line.replace("002-a-dog.mp4", "001-a-cat.mp4"))
    assert (await shop.bring("A cat", "A dog")).done == 2
    assert len({entry.file for entry in shop.entries}) == 2
    assert all((shop.folder / entry.file).is_file() for entry in shop.entries)


async def test_a_foreign_manifest_buys_nothing_twice(shop, tmp_path):
    """A manifest of another folder names jobs that this ledger does not know."""
    await shop.bring("A cat")
    (shop.folder / "001-a-cat.mp4").unlink()
    shop.ledger = tmp_path / "other.db"
    with pytest.raises(ConfigError, match="does not know"):
        await shop.bring("A cat")
    assert shop.billed == {"A cat": 1}


async def test_the_manifest_is_its_owners_and_holds_no_extra_body(shop):
    """It names jobs, which tokens lead to; what people put into extra_body stays out."""
    request = Generate("A cat", extra_body={"user": "canary-in-extra"})
    await shop.bring(request)
    manifest = shop.folder / "manifest.jsonl"
    assert manifest.stat().st_mode & 0o077 == 0
    assert "canary-in-extra" not in manifest.read_text()
    assert shop.entries[0].request["extra_body"] == {"user": "***"}


async def test_a_manifest_of_the_first_release_is_cleaned(shop):
    """Values of extra_body that an earlier version wrote go, and so do the rights of others."""
    request = Generate("A cat", extra_body={"user": "canary-in-extra"})
    await shop.bring(request)
    shop.rewrite(lambda line: line.replace('"***"', '"canary-in-extra"').replace('"key":', '"old":'))
    (shop.folder / "manifest.jsonl").chmod(0o644)
    shop.lose_ledger()
    await shop.bring(request)
    assert shop.billed == {"A cat": 1}
    assert "canary-in-extra" not in (shop.folder / "manifest.jsonl").read_text()
    assert (shop.folder / "manifest.jsonl").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", [".batch.lock", "manifest.jsonl.part"])
async def test_links_in_the_folder_lead_nobody_out(shop, tmp_path, name):
    """What a batch writes beside the videos goes into the folder or nowhere."""
    outside = tmp_path / "outside"
    outside.write_text("mine")
    shop.folder.mkdir()
    (shop.folder / name).symlink_to(outside)
    if name == ".batch.lock":
        with pytest.raises(ConfigError, match="is a link"):
            await shop.bring("A cat")
    else:
        await shop.bring("A cat")
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("prompt", ["夕日の猫が" * 60, "ก" * 300, "x" * 300, "Ünïcödé " * 40])
async def test_long_and_foreign_names_leave_room_for_a_download(shop, prompt):
    """No name, with everything that is written beside it, passes 255 bytes."""
    assert (await shop.bring(prompt)).done == 1
    (entry,) = shop.entries
    assert len(os.fsencode(entry.file + ".part.json")) <= 255


async def test_a_path_that_is_too_long_is_told_before_money(shop, tmp_path):
    """The deepest folder that can be made has no room for a video: nothing is bought."""
    shop.folder = tmp_path
    while len(os.fsencode(shop.folder)) < 4040:
        shop.folder /= "d" * min(200, 4070 - len(os.fsencode(shop.folder)))
    try:
        shop.folder.mkdir(parents=True)
    except OSError:
        pytest.skip("this file system allows shorter paths only")
    with pytest.raises(ConfigError, match="cannot be"):
        await shop.bring("A prompt with a name of some length that does not fit")
    assert not shop.billed


async def test_two_batches_of_one_ledger_share_what_they_bought(shop, tmp_path):
    """A ledger elsewhere, as when the folder lies on a NAS, buys nothing twice either."""
    await shop.bring("A cat")
    shop.folder = tmp_path / "again"
    assert (await shop.bring("A cat")).done == 1
    assert shop.billed == {"A cat": 1}


async def test_a_duration_without_end_does_not_end_a_batch(shop):
    """What JSON cannot hold becomes null in the manifest, after the video was paid for."""
    line = Entry.parse(b'{"number": 1, "request": {}, "timings": {"created_at": 1e308}}')
    endless = Entry(number=1, request={"a": [float("inf")]}, timings=line.timings)
    assert json.loads(endless.line())["request"] == {"a": [None]}


async def test_inline_media_of_a_list_is_bought_once(shop):
    """Bytes out of a data: URI are sent, and known again."""
    row = Style("A duck", style="Inflate", image=b"\x89PNG\r\n\x1a\n" + b"\0" * 64)
    await shop.bring(row)
    await shop.bring(row)
    assert shop.billed == {"A duck": 1}


async def test_a_cancelled_batch_leaves_its_tokens_in_the_manifest(shop):
    """Whoever cancels the loop finds every order that was answered."""

    async def follow():
        async with shop.batch("A cat sandbox-never-finishes", "A dog sandbox-never-finishes") as batch:
            async for event in batch:
                if all(row.state is RowState.RENDERING for row in batch.report.rows):
                    seen.set_result(event)

    seen = asyncio.get_running_loop().create_future()
    following = asyncio.ensure_future(follow())
    await seen
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert [entry.token is not None for entry in shop.entries] == [True, True]
    async with Pika("acedata", api_key="sandbox", base_url=shop.sandbox.url, ledger=shop.ledger) as pika:
        assert {job.token async for job in pika.recover()} == {entry.token for entry in shop.entries}
