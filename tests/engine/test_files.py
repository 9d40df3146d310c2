"""Files and bytes of a request: read late, named by what is in them."""

from __future__ import annotations

import hashlib

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pika_async import Camera, Generate, Ingredients, Style
from pika_async._engine.files import content_type, digest, hashes, with_blobs
from pika_async.errors import UnsupportedRequest
from pika_async.requests import Blob

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9).filter(str.strip)
PNG = b"\x89PNG\r\n\x1a\n..."

pytestmark = pytest.mark.anyio


def same(one, two):
    """Return whether two requests without files are the same to a ledger."""
    return digest(one, {}) == digest(two, {})


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF....WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"what is this", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_type_of_media_is_in_their_first_bytes(data, kind):
    """A file's name may say anything."""
    assert content_type(data) == kind


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


def test_the_digest_covers_every_field():
    """Changing any one of them is another request."""
    base = Generate("a cat")
    changed = [
        Generate("a dog"),
        *(
            evolve(base, **{name: value})
            for name, value in {
                "negative_prompt": "rain",
                "model": "2.0",
                "aspect_ratio": "1:1",
                "seed": 0,
                "frame_rate": 24,
                "guidance_scale": 1.5,
                "motion": 0,
                "camera": Camera(pan="left"),
                "sound_effects": False,
                "extra_body": {"a": 1},
                "image": "https://x.test/a.png",
                "video": "https://x.test/a.png",
            }.items()
        ),
        Style("Inflate", "a cat"),
        Ingredients("a cat", ["https://x.test/a.png"]),
    ]
    digests = [digest(request, {}) for request in (base, *changed)]
    assert len(set(digests)) == len(digests)


def test_the_digest_covers_only_what_is_set():
    """A field left out, one set to None and another order of words in a mapping are the same request."""
    assert same(Generate("a cat"), Generate("a cat", seed=None, image=None, extra_body=None))
    assert same(
        Generate("a cat", extra_body={"a": 1, "b": 2}), Generate("a cat", extra_body={"b": 2, "a": 1})
    )
    assert same(Generate("a cat", model=2.0), Generate("a cat", model="2.0"))


async def test_the_digest_covers_the_bytes_of_media(tmp_path):
    """Wherever they lie and however they are given."""
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    from_file = Generate("a cat", image=path)
    digests = {
        digest(from_file, await hashes(from_file)),
        digest(Generate("a cat", image=PNG), {}),
        digest(Generate("a cat", image=Blob(PNG, "image/png", "other.png")), {}),
    }
    assert len(digests) == 1
    assert not same(Generate("a cat", image=PNG), Generate("a cat", image=PNG + b"."))


def test_the_digest_is_the_same_in_every_version():
    """A key outlives an upgrade: this value may change together with the digest's version only."""
    request = Generate("A cat", seed=7, image=b"GIF89a")
    assert digest(request, {}) == "40cb4b2867e0d07cf5bc9da65d040d9712d5dbf80395563f3c2749390d22ef62"


@given(TEXT, TEXT)
def test_different_prompts_differ(one, two):
    """Any two that are not equal; any text can be digested."""
    assert same(Generate(one), Generate(two)) == (one == two)
