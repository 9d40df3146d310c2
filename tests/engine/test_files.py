"""Files and bytes of a request: read late, named by what is in them."""

from __future__ import annotations

import hashlib

import pytest

from pika_async import Generate, Ingredients
from pika_async._engine.files import check_files, hashes, with_blobs
from pika_async.errors import UnsupportedRequest
from pika_async.requests import Blob, unchecked

PNG = b"\x89PNG\r\n\x1a\n..."

pytestmark = pytest.mark.anyio


async def test_files_and_bytes_become_blobs(tmp_path):
    """Links stay, and so does a request without media."""
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    request = await with_blobs(Generate("a cat", image=path, video="https://x.test/v.mp4"))
    assert request.image == Blob(PNG, "image/png", "cat.png")
    assert request.video == "https://x.test/v.mp4"
    plain = Generate("a cat")
    assert await with_blobs(plain) is plain
    blob = Blob(b"x", "image/png", "x")
    assert (await with_blobs(Generate("a cat", image=blob))).image is blob


async def test_ingredients_keep_their_order(tmp_path):
    """Each of them, in its place."""
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    request = await with_blobs(Ingredients("dance", [b"GIF8", "https://x.test/a.png", path]))
    assert [getattr(i, "data", i) for i in request.images] == [b"GIF8", "https://x.test/a.png", PNG]


@pytest.mark.parametrize("kind", ["missing", "folder", "empty"])
async def test_a_file_that_cannot_be_used_is_named(tmp_path, kind):
    """By its name, not by the path to it; nothing was bought."""
    path = tmp_path / "secret-project" / "cat.png"
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    for call in (with_blobs(Generate("a cat", image=path)), hashes(Generate("a cat", image=path))):
        with pytest.raises(UnsupportedRequest, match=r"cat\.png") as caught:
            await call
        assert "secret-project" not in caught.value.message
        assert caught.value.__cause__ is None


async def test_a_file_changed_since_is_refused(tmp_path):
    """Each file against its own hash; files nobody hashed are taken as they are."""
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    one.write_bytes(b"one")
    two.write_bytes(b"two")
    request = Ingredients("dance", [one, two])
    known = await hashes(request)
    assert known == {
        str(one): hashlib.sha256(b"one").hexdigest(),
        str(two): hashlib.sha256(b"two").hexdigest(),
    }
    await with_blobs(request, known)
    two.write_bytes(b"TWO")
    with pytest.raises(UnsupportedRequest, match=r"two\.png has changed"):
        await with_blobs(request, known)
    assert (await with_blobs(request)).images[1].data == b"TWO"


async def test_only_files_are_hashed():
    """Bytes and links need no reading."""
    assert await hashes(Generate("a cat", image=b"x", video="https://x.test/v.mp4")) == {}


HTML, POINTER = b"<!doctype html><p>Not found", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a"


@pytest.mark.parametrize(
    ("content", "found"),
    [(HTML, "text/html"), (POINTER, "text/x-git-lfs-pointer"), (b"II*\0", "image/tiff"), (b"", "is empty")],
)
async def test_a_file_that_holds_something_else_is_refused(tmp_path, content, found):
    """Before the purchase, and by its name and its field, whether it is looked at or read whole."""
    path = tmp_path / "cat.png"
    path.write_bytes(content)
    for request in (Generate("a cat", image=path), Ingredients("dance", ["https://x.test/a.png", path])):
        with pytest.raises(UnsupportedRequest, match=rf"cat\.png.*{found}"):
            check_files(request)
        with pytest.raises(UnsupportedRequest, match=rf"cat\.png.*{found}"):
            await with_blobs(request)


def test_a_look_at_files_reads_only_their_heads(tmp_path):
    """A list of a thousand large files is checked before its first row."""
    path = tmp_path / "cat.mp4"
    with path.open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42")
        file.truncate(2**40)  # nobody has the memory to read this
    check_files(Generate("a cat", video=path))


@pytest.mark.parametrize("name", ["missing.png", "nul\0.png"])
def test_a_file_that_cannot_be_opened_is_refused_by_name(tmp_path, name):
    """Whatever the reason is."""
    with pytest.raises(UnsupportedRequest, match=r"^The file .*\.png in image cannot be read"):
        check_files(Generate("a cat", image=tmp_path / name))


@pytest.mark.parametrize(
    "given",
    [{"prompt": "nul \0"}, {"prompt": "A cat", "image": HTML}, {"prompt": "A", "negative_prompt": "\0"}],
)
async def test_what_an_earlier_release_took_is_refused_before_it_is_sent(given):
    """Its job was recorded, and never sent."""
    with pytest.raises(UnsupportedRequest):
        await with_blobs(unchecked(Generate, given))


async def test_a_heic_is_sent_as_what_it_is():
    """Its first box is that of an MP4, and so it once was sent as a video."""
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    assert (await with_blobs(Generate("a cat", image=heic))).image.content_type == "image/heic"
