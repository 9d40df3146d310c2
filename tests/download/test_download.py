"""One download against hosts that misbehave: the right file, or a clear error and a part to go on from."""

from __future__ import annotations

import asyncio
import errno
import gzip
import hashlib
import json
import logging
import os

import pytest

from pika_async._download import download
from pika_async._download.media import MediaSession
from pika_async._download.part import Part
from pika_async.errors import DownloadError, JobFailed
from tests import hostile
from tests.download.media_host import Reply, at_once, file_reply, hosting, video

pytestmark = pytest.mark.anyio

FILE = video()
HTML = Reply(200, {"Content-Type": "text/html", "Content-Length": "30"}, b"<!doctype html><p>Log in</p>  ")


def reading(host, **options):
    return MediaSession(allowed_hosts=[host.origin], **{"sleep": at_once, **options})


async def fetched(script, path, **options):
    async with hosting(script) as host, reading(host) as session:
        return await download(session, host.link(), path, **options)


async def failure(script, path, **options):
    with pytest.raises(DownloadError) as failed:
        await fetched(script, path, **options)
    error = failed.value
    assert (error.phase, error.charged) == ("download", "yes")
    assert "s3cret" not in str(error)
    return error


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


async def leave_a_part(path, *, size=8_000, etag='"one"', modified=None, body=FILE):
    """Leave what a process that died after *size* bytes would have left; no host has to be asked."""
    path.with_name(f"{path.name}.part").write_bytes(body[:size])
    notes = {"place": "elsewhere/cat.mp4", "etag": etag, "modified": modified, "length": len(body)}
    path.with_name(f"{path.name}.part.json").write_text(json.dumps(notes))


async def test_a_file_is_downloaded_whole(tmp_path):
    """The file gets its name, size and hash are told, and nothing else is left."""
    done = await fetched(lambda asked: file_reply(asked, FILE), tmp_path / "new" / "cat.mp4")
    assert done.path.read_bytes() == FILE
    assert (done.size, done.sha256) == (len(FILE), hashlib.sha256(FILE).hexdigest())
    assert not done.resumed
    assert names(done.path.parent) == ["cat.mp4"]


async def test_a_host_that_cuts_at_every_tenth_is_outlasted(tmp_path):
    """Every cut is resumed where it came, and no byte is asked for twice."""
    tenth = len(FILE) // 10

    def script(asked):
        return file_reply(asked, FILE).but(cut=tenth)

    async with hosting(script) as host, reading(host) as session:
        done = await download(session, host.link(), tmp_path / "cat.mp4")
    assert done.path.read_bytes() == FILE
    assert [asked.start for asked in host.asked] == [None, *range(tenth, len(FILE), tenth)]
    assert {asked.headers["accept-encoding"] for asked in host.asked} == {"identity"}
    assert {asked.headers["if-range"] for asked in host.asked[1:]} == {'"one"'}


@pytest.mark.parametrize("how", [{"reset": True}, {"stall": True}, {}])
async def test_a_broken_transfer_is_resumed(tmp_path, how):
    """Resets, silence and early ends are all followed by a second request."""
    replies = iter([{"cut": 9_000, **how}, {}])

    def script(asked):
        return file_reply(asked, FILE).but(**next(replies))

    async with hosting(script) as host, reading(host, idle_timeout=0.1) as session:
        done = await download(session, host.link(), tmp_path / "cat.mp4")
    assert done.path.read_bytes() == FILE
    assert len(host.asked) == 2


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_passing_refusal_is_tried_again(tmp_path, status):
    """Overload and server faults are waited out, as long as the host asks, and no longer than a minute."""
    replies = iter([Reply(status, {"Content-Length": "0", "Retry-After": after}) for after in ("7", "3000")])
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    def script(asked):
        return next(replies, None) or file_reply(asked, FILE)

    async with hosting(script) as host, reading(host, sleep=sleep) as session:
        done = await download(session, host.link(), tmp_path / "cat.mp4")
    assert pauses == [7, 60]
    assert done.path.read_bytes() == FILE


async def test_pauses_grow_and_are_told_to_nobody(tmp_path, caplog):
    """Each is about twice as long as the one before it, and nothing above INFO is logged."""
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    def script(_):
        return Reply(503, {"Content-Length": "0"})

    async with hosting(script) as host, reading(host, sleep=sleep) as session:
        with pytest.raises(DownloadError):
            await download(session, host.link(), tmp_path / "cat.mp4")
    usual = (0.5, 1, 2, 4, 8)
    assert all(0.5 <= pause / one <= 1.5 for pause, one in zip(pauses, usual, strict=True))
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_patience_ends(tmp_path):
    """A host that never delivers is given up after six attempts, with the part kept."""
    asks = []

    def script(asked):
        asks.append(asked)
        return file_reply(asked, FILE).but(cut=100) if len(asks) == 1 else Reply(503, {"Content-Length": "0"})

    error = await failure(script, tmp_path / "cat.mp4")
    assert error.retryable
    assert len(asks) == 1 + 6
    assert "100 of 20000 bytes are kept in cat.mp4.part; download again to go on" in str(error)
    assert names(tmp_path) == ["cat.mp4.part", "cat.mp4.part.json"]


async def test_a_later_process_goes_on(tmp_path):
    """What a dead process left is taken up, even through a fresh link, and the hash covers all of it."""
    await leave_a_part(tmp_path / "cat.mp4")
    async with hosting(lambda asked: file_reply(asked, FILE)) as host, reading(host) as session:
        done = await download(session, host.link(), tmp_path / "cat.mp4")
    assert done.resumed
    assert (
        done.sha256 == hashlib.sha256(FILE).hexdigest() == hashlib.sha256(done.path.read_bytes()).hexdigest()
    )
    assert host.asked[0].start == 8_000


async def test_a_part_that_is_whole_needs_no_byte(tmp_path):
    """416 with our own size means that the process died just before the renaming."""
    await leave_a_part(tmp_path / "cat.mp4", size=len(FILE))
    done = await fetched(lambda asked: file_reply(asked, FILE), tmp_path / "cat.mp4")
    assert done.resumed
    assert done.path.read_bytes() == FILE


@pytest.mark.parametrize("etag", ['"one"', '"two"'])
async def test_a_shorter_file_in_its_place_starts_over(tmp_path, etag):
    """416 with our own size is no proof when the file was to be longer."""
    shorter = video(8_000)
    await leave_a_part(tmp_path / "cat.mp4")

    def script(asked):
        if asked.start is None:
            return file_reply(asked, shorter, etag=etag)
        return Reply(416, {"Content-Range": "bytes */8000", "Content-Length": "0", "ETag": etag})

    done = await fetched(script, tmp_path / "cat.mp4")
    assert done.path.read_bytes() == shorter


async def test_a_length_told_late_is_no_change(tmp_path):
    """A host that tells the length only with a range is resumed all the same."""

    def script(asked):
        reply = file_reply(asked, FILE)
        return reply if asked.start else reply.but(cut=9_000).with_headers(Content_Length=None)

    async with hosting(script) as host, reading(host) as session:
        done = await download(session, host.link(), tmp_path / "cat.mp4")
    assert done.path.read_bytes() == FILE


async def test_a_failure_without_a_byte_leaves_nothing(tmp_path):
    """There is no empty part to wonder about."""
    await failure(lambda _: Reply(404, {"Content-Length": "0"}), tmp_path / "cat.mp4")
    assert not names(tmp_path)


@pytest.mark.parametrize(
    "notes",
    [
        {"etag": None},
        {"etag": None, "modified": "Wed, 21 Oct 2015 07:28:00 GMT"},
        {"etag": '"one"', "size": len(FILE) + 1, "body": FILE + b"more"},
    ],
)
async def test_a_part_that_proves_nothing_is_thrown_away(tmp_path, notes):
    """Without an ETag, with another place's date, or with a different length, the file starts over."""
    await leave_a_part(tmp_path / "cat.mp4", **notes)
    async with hosting(lambda asked: file_reply(asked, FILE, etag='"two"')) as host, reading(host) as session:
        done = await download(session, host.link(), tmp_path / "cat.mp4")
    assert not done.resumed
    assert done.path.read_bytes() == FILE


@pytest.mark.parametrize("notes", ["", "[]", "null", '{"etag": 1}', "{", "\udcff"])
async def test_spoilt_notes_start_over(tmp_path, notes):
    """Notes torn by a crash cost the part and nothing else."""
    await leave_a_part(tmp_path / "cat.mp4", body=b"rubbish" * 2_000)
    (tmp_path / "cat.mp4.part.json").write_bytes(notes.encode("utf-8", "surrogateescape"))
    done = await fetched(lambda asked: file_reply(asked, FILE), tmp_path / "cat.mp4")
    assert done.path.read_bytes() == FILE


async def test_a_host_that_ignores_range_starts_over(tmp_path):
    """A 200 to a Range request replaces the part, it is not appended."""
    await leave_a_part(tmp_path / "cat.mp4")
    done = await fetched(lambda _: Reply(200, {"Content-Length": str(len(FILE))}, FILE), tmp_path / "cat.mp4")
    assert not done.resumed
    assert done.path.read_bytes() == FILE


@pytest.mark.parametrize("faithful", [True, False])
async def test_a_file_changed_between_parts_starts_over(tmp_path, faithful):
    """With another ETag the old bytes are worthless, also when the host ignores If-Range."""
    newer = video(fill=b"akip")
    await leave_a_part(tmp_path / "cat.mp4")

    def script(asked):
        if asked.start is None or faithful:
            return file_reply(asked, newer, etag='"two"')
        return file_reply(asked, newer).with_headers(ETag='"two"')

    done = await fetched(script, tmp_path / "cat.mp4")
    assert done.path.read_bytes() == newer


@pytest.mark.parametrize(
    "range_told",
    [
        "bytes 8000-19999/" + "9" * 5_000,
        None,
        "bytes 0-19999/20000",
        "bytes 8001-19999/20000",
        "bytes 8000-19999/30000",
        "cats",
    ],
)
async def test_a_range_that_was_not_asked_for_starts_over(tmp_path, range_told):
    """A 206 that starts elsewhere, or is of another length, is never appended."""
    await leave_a_part(tmp_path / "cat.mp4")

    def script(asked):
        reply = file_reply(asked, FILE)
        return reply.with_headers(Content_Range=range_told) if asked.start else reply

    done = await fetched(script, tmp_path / "cat.mp4")
    assert done.path.read_bytes() == FILE


@pytest.mark.parametrize("told", [len(FILE) - 5_000, len(FILE) + 5_000])
async def test_a_host_that_lies_about_the_length_delivers_nothing(tmp_path, told):
    """Too short or too long, the file does not get its name."""

    def script(asked):
        return Reply(
            200, {"Content-Length": str(told), "ETag": '"one"', "Connection": "close"}, FILE, len(FILE)
        )

    error = await failure(script, tmp_path / "cat.mp4")
    assert "could not be fetched whole" in str(error)
    assert not (tmp_path / "cat.mp4").exists()


async def test_a_file_without_a_length_may_still_be_whole(tmp_path):
    """Where the connection's end is the file's end, the boxes tell whether it is whole."""
    cuts = iter([15_000, len(FILE)])
    done = await fetched(
        lambda _: Reply(200, {"Connection": "close"}, FILE, next(cuts)), tmp_path / "cat.mp4"
    )
    assert done.path.read_bytes() == FILE


async def test_a_page_is_not_a_video(tmp_path):
    """An HTML page with status 200 does not even touch the part."""
    await leave_a_part(tmp_path / "cat.mp4")
    error = await failure(lambda _: HTML, tmp_path / "cat.mp4")
    assert "holds no video but text/html" in str(error)
    assert (tmp_path / "cat.mp4.part").read_bytes() == FILE[:8_000]
    assert not (tmp_path / "cat.mp4").exists()


@pytest.mark.parametrize(
    "head", [b"\xff\xd8\xff\xe0\0\x10JFIF\0\1", b"\x89PNG\r\n\x1a\n\0\0\0\r", b"RIFF\x10\0\0\0WEBPVP8 "]
)
async def test_a_poster_is_an_image(tmp_path, head):
    """JPEG, PNG and WebP pass as images, a video does not."""
    reply = Reply(200, {"Content-Length": str(len(head))}, head)
    done = await fetched(lambda _: reply, tmp_path / "cat.jpg", expected="image")
    assert done.path.read_bytes() == head
    assert "holds no image" in str(
        await failure(lambda a: file_reply(a, FILE), tmp_path / "b", expected="image")
    )


LABELS = ["aws-chunked", "", "UTF-8", "utf-8,aws-chunked", "binary", "none", "identity", "gzip", "GZIP", "br"]


@pytest.mark.parametrize("label", LABELS)
async def test_a_label_over_a_plain_video_is_let_be(tmp_path, label):
    """The bytes decide what a file is, whatever encoding an object store claims, also where it breaks off."""
    cuts = iter([9_000, None])

    def script(asked):
        return file_reply(asked, FILE).with_headers(Content_Encoding=label).but(cut=next(cuts))

    async with hosting(script) as host, reading(host) as session:
        done = await download(session, host.link(), tmp_path / "cat.mp4")
    assert done.path.read_bytes() == FILE
    assert [asked.start for asked in host.asked] == [None, 9_000]


@pytest.mark.parametrize("label", ["gzip", "x-gzip", "aws-chunked, GZIP"])
async def test_a_compressed_answer_is_refused(tmp_path, label):
    """A body that was compressed against our word is not the file, and the codec is named."""
    error = await failure(
        lambda asked: file_reply(asked, gzip.compress(FILE)).with_headers(Content_Encoding=label),
        tmp_path / "cat.mp4",
    )
    assert "came compressed" in str(error)
    assert "gzip" in str(error)
    assert not names(tmp_path)


@pytest.mark.parametrize("status", [203, 206])
async def test_a_whole_file_under_another_status_is_taken(tmp_path, status):
    """A proxy that changed something answers 203, and some stores answer 206 to a request for all of it."""

    def script(asked):
        told = f"Bytes 0-{len(FILE) - 1}/{len(FILE)}"
        return file_reply(asked, FILE).but(status=status).with_headers(Content_Range=told)

    done = await fetched(script, tmp_path / "cat.mp4")
    assert done.path.read_bytes() == FILE


async def test_a_long_header_is_read(tmp_path):
    """Policies and reports that a CDN adds to each answer do not cost the video."""
    done = await fetched(
        lambda asked: file_reply(asked, FILE).with_headers(X_Policy="x" * 20_000), tmp_path / "cat.mp4"
    )
    assert done.path.read_bytes() == FILE


@pytest.mark.parametrize(
    "gone", [Reply(s, {"Content-Length": "0"}) for s in (400, 401, 403, 404, 410)] + [HTML]
)
async def test_an_expired_link_is_replaced(tmp_path, gone):
    """A refused link is looked up afresh, and the part goes on under the new one."""
    await leave_a_part(tmp_path / "cat.mp4")

    def script(asked):
        return file_reply(asked, FILE) if "fresh" in asked.path else gone

    async with hosting(script) as host, reading(host) as session:

        async def fresh_link():
            return host.link("/fresh.mp4?sig=n3w")

        done = await download(session, host.link(), tmp_path / "cat.mp4", fresh_link=fresh_link)
    assert done.path.read_bytes() == FILE
    assert done.resumed
    assert [asked.start for asked in host.asked] == [8_000, 8_000]


@pytest.mark.parametrize("fresh", [None, "same", "other"])
async def test_a_link_that_stays_expired_is_an_error(tmp_path, fresh):
    """A fresh link is asked for twice at most, and the error says to look the job up."""
    looked_up = []
    async with hosting(lambda _: Reply(403, {"Content-Length": "0"})) as host, reading(host) as session:

        async def fresh_link():
            looked_up.append(fresh)
            return {None: None, "same": host.link(), "other": host.link(f"/{len(looked_up)}")}[fresh]

        with pytest.raises(DownloadError, match=r"refused or gone \(403\): look the job up") as failed:
            await download(session, host.link(), tmp_path / "cat.mp4", fresh_link=fresh_link)
    assert failed.value.status == 403
    assert len(looked_up) == (1 if fresh is None else 2)


async def test_a_link_that_is_early_is_waited_for(tmp_path):
    """When the provider stands by a link that is not there yet, it is tried again."""
    replies = iter([Reply(404, {"Content-Length": "0"})])

    def script(asked):
        return next(replies, None) or file_reply(asked, FILE)

    async with hosting(script) as host, reading(host) as session:

        async def fresh_link():
            return host.link()

        done = await download(session, host.link(), tmp_path / "cat.mp4", fresh_link=fresh_link)
    assert done.path.read_bytes() == FILE


async def test_a_failed_look_up_is_told(tmp_path):
    """When the look-up for a fresh link fails too, both reasons are in the error."""

    async def fresh_link():
        raise JobFailed("The provider forgot the job.")

    error = await failure(
        lambda _: Reply(410, {"Content-Length": "0"}), tmp_path / "cat.mp4", fresh_link=fresh_link
    )
    assert "(410)" in str(error)
    assert "forgot" in str(error)


async def test_an_internal_address_is_an_error_at_once(tmp_path):
    """A link that leads inside is refused without a second attempt, and says how to allow it."""
    async with hosting(lambda _: HTML) as host, MediaSession() as session:
        with pytest.raises(DownloadError, match="not a public address; if that host is your own") as failed:
            await download(session, host.link(), tmp_path / "cat.mp4")
        assert host.connections == 0
    assert not failed.value.retryable


async def test_a_file_in_the_way_is_left_alone(tmp_path):
    """Without the user's word nothing is replaced, and nothing is even asked for."""
    (tmp_path / "cat.mp4").write_bytes(b"mine")
    async with hosting(lambda _: HTML) as host, reading(host) as session:
        with pytest.raises(DownloadError, match="already exists: pass overwrite=True") as failed:
            await download(session, host.link(), tmp_path / "cat.mp4")
        assert not host.asked
    assert not failed.value.retryable
    assert (tmp_path / "cat.mp4").read_bytes() == b"mine"


async def test_a_file_is_replaced_when_told(tmp_path):
    """With the user's word the new file takes the old one's place."""
    (tmp_path / "cat.mp4").write_bytes(b"mine")
    await fetched(lambda asked: file_reply(asked, FILE), tmp_path / "cat.mp4", overwrite=True)
    assert (tmp_path / "cat.mp4").read_bytes() == FILE


@pytest.mark.parametrize("links", [True, False])
async def test_a_file_that_appears_meanwhile_is_left_alone(tmp_path, links, monkeypatch):
    """The last step does not replace what somebody put there during the download."""
    if not links:

        def link(*_):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        monkeypatch.setattr(os, "link", link)

    def script(asked):
        (tmp_path / "cat.mp4").write_bytes(b"mine")
        return file_reply(asked, FILE)

    assert "already exists" in str(await failure(script, tmp_path / "cat.mp4"))
    assert (tmp_path / "cat.mp4").read_bytes() == b"mine"
    assert (tmp_path / "cat.mp4.part").read_bytes() == FILE


async def test_a_file_system_without_links_will_do(tmp_path, monkeypatch):
    """Where hard links are unknown the file is renamed."""

    def link(*_):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "link", link)
    await fetched(lambda asked: file_reply(asked, FILE), tmp_path / "cat.mp4")
    assert names(tmp_path) == ["cat.mp4"]


async def test_a_part_that_shares_its_bytes_with_the_file_is_not_written(tmp_path):
    """A process that died between its last two steps left one file with two names: it stays whole."""
    (tmp_path / "cat.mp4").write_bytes(b"mine")
    (tmp_path / "cat.mp4.part").hardlink_to(tmp_path / "cat.mp4")
    await failure(lambda _: HTML, tmp_path / "cat.mp4", overwrite=True)
    assert (tmp_path / "cat.mp4").read_bytes() == b"mine"


async def test_a_folder_in_the_way_is_an_error(tmp_path):
    """A folder is not a file name."""
    assert "name a file in it" in str(await failure(lambda _: HTML, tmp_path, overwrite=True))


async def test_two_downloads_of_one_name_do_not_mix(tmp_path):
    """The second is told to wait while the first one runs."""

    def script(asked):
        return file_reply(asked, FILE).but(cut=9_000, stall=True)

    async with hosting(script) as host, reading(host) as session:
        started = asyncio.Event()
        first = download(session, host.link(), tmp_path / "cat.mp4", on_progress=lambda *_: started.set())
        task = asyncio.create_task(first)
        await started.wait()
        with pytest.raises(DownloadError, match="being downloaded already"):
            await download(session, host.link(), tmp_path / "cat.mp4")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_full_disk_is_told_and_keeps_the_part(tmp_path, monkeypatch):
    """A full disk is no reason to ask again; once there is room the download goes on."""
    write = Part.write

    def full(part, chunks):
        write(part, [chunk[:5_000] for chunk in chunks])
        if any(chunks):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Part, "write", full)
    error = await failure(lambda asked: file_reply(asked, FILE), tmp_path / "cat.mp4")
    assert "disk is full: 5000 of 20000 bytes are kept in cat.mp4.part; make room" in str(error)
    assert error.retryable
    monkeypatch.setattr(Part, "write", write)
    done = await fetched(lambda asked: file_reply(asked, FILE), tmp_path / "cat.mp4")
    assert done.resumed
    assert done.path.read_bytes() == FILE


async def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    """Other trouble with the disk is told with the system's own reason."""
    (tmp_path / "file").write_bytes(b"")
    error = await failure(lambda _: HTML, tmp_path / "file" / "cat.mp4")
    assert "cannot be written" in str(error)
    assert not error.retryable


async def test_a_cancelled_download_can_be_resumed(tmp_path):
    """A cancelled caller returns at once and leaves a part and its notes."""
    big = video(3_000_000)
    replies = iter([{"cut": 2_000_000, "stall": True}, {}])
    arrived = asyncio.Event()

    def on_progress(done, total):
        if done:
            arrived.set()

    def script(asked):
        return file_reply(asked, big).but(**next(replies))

    async with hosting(script) as host, reading(host) as session:
        first = download(session, host.link(), tmp_path / "cat.mp4", on_progress=on_progress)
        task = asyncio.create_task(first)
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        kept = (tmp_path / "cat.mp4.part").read_bytes()
        assert kept
        assert big.startswith(kept)
        done = await download(session, host.link(), tmp_path / "cat.mp4")
    assert done.resumed
    assert done.path.read_bytes() == big


async def test_progress_only_grows_to_the_whole(tmp_path):
    """Progress counts bytes on disk, what an earlier call left included, and ends at the total."""
    seen = []
    big = video(3_000_000)
    await leave_a_part(tmp_path / "cat.mp4", body=big)
    await fetched(
        lambda asked: file_reply(asked, big),
        tmp_path / "cat.mp4",
        on_progress=lambda *seen_: seen.append(seen_),
    )
    assert seen == sorted(seen)
    assert seen[0] == (8_000, len(big))
    assert seen[-1] == (len(big), len(big))


async def test_width_is_bounded(tmp_path):
    """No more downloads than the width are under way at a time."""
    busy, most = set(), []

    def script(asked):
        busy.add(asked.path)
        most.append(len(busy))
        return file_reply(asked, FILE)

    async with hosting(script) as host, reading(host, width=2) as session:

        async def one(number):
            await download(session, host.link(f"/{number}"), tmp_path / f"{number}.mp4")
            busy.discard(f"/{number}")

        await asyncio.gather(*(one(number) for number in range(8)))
    assert max(most) == 2
    assert len(names(tmp_path)) == 8


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("x" * 246 + ".mp4", "choose a shorter name"),
        ("x" * 242 + ".mp4", "choose a shorter name"),
        ("\u732b" * 82 + ".mp4", "choose a shorter name"),
        ("new/" + "x" * 300 + "/cat.mp4", "choose a shorter name"),
        ("c\0t.mp4", "has a character that no file name may have"),
        ("c\ud83dt.mp4", "has a character that no file name may have"),
        ("", "is a folder"),
        ("file/cat.mp4", "cannot be written"),
    ],
)
async def test_a_name_that_cannot_be_is_told_before_anything_is_asked_for(tmp_path, name, why):
    """Names are judged with what is written beside them, and nothing is left behind."""
    (tmp_path / "file").touch()
    async with hosting(lambda _: HTML) as host, reading(host) as session:
        with pytest.raises(DownloadError, match=why) as failed:
            await download(session, host.link(), f"{tmp_path}/{name}")
        assert not host.asked
    assert not failed.value.retryable
    assert names(tmp_path) == ["file"]


async def test_the_longest_name_works(tmp_path):
    """What the check lets through can be written, with both files beside it."""
    name = "x" * 241 + ".mp4"
    cuts = iter([9_000, None])
    done = await fetched(lambda a: file_reply(a, FILE).but(cut=next(cuts)), tmp_path / name)
    assert done.path.read_bytes() == FILE


async def test_what_is_no_path_is_a_type_error():
    """The argument is named."""
    async with MediaSession() as session:
        with pytest.raises(TypeError, match="path must be text or a path, not int"):
            await download(session, "http://example.com", 5)


async def test_an_async_progress_is_awaited(tmp_path):
    """A coroutine function sees every step, in its order."""
    seen = []

    async def on_progress(done, total):
        await asyncio.sleep(0)
        seen.append((done, total))

    await fetched(lambda asked: file_reply(asked, FILE), tmp_path / "cat.mp4", on_progress=on_progress)
    assert seen[-1] == (len(FILE), len(FILE))


@pytest.mark.parametrize("length", [None, str(len(FILE))])
async def test_a_file_over_the_cap_is_refused(tmp_path, length):
    """Where the length is told nothing is fetched, else no more than the cap is kept."""

    def script(asked):
        return file_reply(asked, FILE).with_headers(Content_Length=length).but(cut=len(FILE))

    async with hosting(script) as host, reading(host, max_bytes=15_000) as session:
        with pytest.raises(DownloadError, match=r"more than 15000 bytes.*max_download_bytes") as failed:
            await download(session, host.link(), tmp_path / "cat.mp4")
    assert not failed.value.retryable
    assert len(host.asked) == 1
    assert sum(file.stat().st_size for file in tmp_path.glob("*.part")) <= 15_000


async def test_a_file_of_just_the_cap_is_fetched(tmp_path):
    """The cap is the largest size that is allowed."""
    async with (
        hosting(lambda asked: file_reply(asked, FILE)) as host,
        reading(host, max_bytes=len(FILE)) as session,
    ):
        done = await download(session, host.link(), tmp_path / "cat.mp4")
    assert done.size == len(FILE)


async def test_a_host_that_drips_is_given_up(tmp_path):
    """Bytes that come too slowly are no reason for patience without end; they are kept."""

    def script(asked):
        return file_reply(asked, FILE).but(cut=100, drip=0.004)

    slow = {"least_speed": 10_000, "speed_window": 0.02}
    async with hosting(script) as host, reading(host, **slow) as session:
        with pytest.raises(DownloadError, match=r"fewer than 10000 bytes a second.*are kept") as failed:
            await download(session, host.link(), tmp_path / "cat.mp4")
    assert failed.value.retryable
    assert len(host.asked) == 6
    starts = [asked.start for asked in host.asked[1:]]
    assert starts == sorted(starts)


async def test_a_bad_certificate_is_told_at_once(tmp_path):
    """It is called by its name after one attempt, and says where to look."""
    tls = hostile.identity(tmp_path).server
    async with hosting(lambda _: HTML, tls=tls) as host, reading(host) as session:
        with pytest.raises(
            DownloadError, match=r"certificate of 127\.0\.0\.1 is not valid.*self-signed"
        ) as failed:
            await download(session, host.link(), tmp_path / "cat.mp4")
        assert host.connections <= 1
    assert not failed.value.retryable
    assert "SSL_CERT_FILE" in str(failed.value)


async def test_a_host_without_tls_is_told_at_once(tmp_path):
    """An https link to a port that speaks plain HTTP is not waited for."""

    async def babble(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, MediaSession(allowed_hosts=["127.0.0.1"]) as session:
        with pytest.raises(DownloadError, match="no TLS connection to") as failed:
            await download(session, f"https://127.0.0.1:{port}/cat.mp4", tmp_path / "cat.mp4")
    assert not failed.value.retryable


async def test_what_could_not_be_reached_is_said(tmp_path):
    """A refused connection and a name that nobody knows are different things."""
    async with hosting(lambda _: HTML) as host:
        pass
    async with reading(host) as session:
        with pytest.raises(DownloadError, match=r"could not be reached \(Connection refused\)"):
            await download(session, host.link(), tmp_path / "cat.mp4")
        with pytest.raises(DownloadError, match="the name of the host was not found"):
            await download(session, "http://nowhere.invalid/cat.mp4", tmp_path / "cat.mp4")
