"""Requests by what they ask for: what is the same to a ledger, and what is not."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from unicodedata import normalize

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pika_async import Camera, Generate, Ingredients, Style
from pika_async._engine.digest import current_digest, digest, first_digest, same_order
from pika_async._engine.files import hashes
from pika_async._fields import cleaned, unsaid
from pika_async.requests import Blob
from tests.ledger.records import job

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9).filter(
    lambda text: cleaned(text) and not unsaid(cleaned(text))
)
PNG = b"\x89PNG\r\n\x1a\n..."

pytestmark = pytest.mark.anyio


def same(one, two):
    """Return whether two requests without files are the same to a ledger."""
    return digest(one, {}) == digest(two, {})


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
        Style("a cat", style="Inflate"),
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
    """A key outlives an upgrade: these values may change together with the digest's version only."""
    request = Generate("A cat", seed=7, image=b"GIF89a")
    assert first_digest(request, {}) == "40cb4b2867e0d07cf5bc9da65d040d9712d5dbf80395563f3c2749390d22ef62"
    assert digest(request, {}) == "ef2e08780373aceffc67076a3d8dcb073d78296f94b05f0fdba2a194bad616cc-2"


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Generate("A cat", guidance_scale=12), Generate("A cat", guidance_scale=12.0)),
        (Generate("A cat", guidance_scale=0), Generate("A cat", guidance_scale=-0.0)),
        (Generate("A cat", model=2), Generate("A cat", model=2.0)),
        (Generate("A cat", model="2"), Generate("A cat", model="2.0")),
        (Generate("A cat", model=" 2.0\n"), Generate("A cat", model="2.0")),
        (Generate("caf\u00e9"), Generate("cafe\u0301")),
        (Generate("A cat \n"), Generate("\ufeffA cat")),
        (Generate("A cat\r\nA dog"), Generate("A cat\nA dog")),
        (Generate("A cat", negative_prompt="rain "), Generate("A cat", negative_prompt="rain")),
        (Style("A cat", style="Inflate "), Style("A cat", style="Inflate")),
        (Generate("A cat", camera=Camera()), Generate("A cat")),
        (Generate("A cat", camera={"pan": "left", "tilt": None}), Generate("A cat", camera={"pan": "left"})),
        (Generate("A cat", extra_body={}), Generate("A cat")),
        (
            Generate("A cat", extra_body={"a": [12, {"caf\u00e9": -0.0}]}),
            Generate("A cat", extra_body={"a": [12.0, {"cafe\u0301": 0}]}),
        ),
        (
            Generate("A cat", image="HTTPS://X.test:443/a.png\n"),
            Generate("A cat", image="https://x.test/a.png"),
        ),
        (
            Generate("A cat", image=PNG),
            Generate("A cat", image=f"data:image/png;base64,{b64encode(PNG).decode()}"),
        ),
    ],
)
def test_equal_requests_have_equal_digests(one, two):
    """What nobody could tell apart is not bought twice."""
    assert same(one, two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Generate("A cat", model="2.1"), Generate("A cat", model="2.10")),
        (Generate("A cat", extra_body={"a": 1}), Generate("A cat", extra_body={"a": True})),
        (Generate("A cat", image="https://x.test/A.png"), Generate("A cat", image="https://x.test/a.png")),
        (Generate("A cat"), Generate("a cat")),
    ],
)
def test_different_requests_have_different_digests(one, two):
    """Those that a provider may take for two are two."""
    assert not same(one, two)


@given(TEXT, TEXT)
def test_different_prompts_differ(one, two):
    """Any two that do not look the same; any text can be digested."""
    assert same(Generate(one), Generate(two)) == (
        normalize("NFC", cleaned(one)) == normalize("NFC", cleaned(two))
    )


NUMBERS = st.integers(0, 10**18) | st.floats(0, 1e18)


@given(NUMBERS, st.none() | st.dictionaries(TEXT, NUMBERS | TEXT, max_size=2))
def test_requests_that_are_equal_in_python_have_one_digest(number, extra):
    """A float that is whole and its integer among them."""
    one = Generate("A cat", guidance_scale=number, extra_body=extra)
    other = Generate("A cat", guidance_scale=float(number), extra_body=extra)
    assert one != other or same(one, other)


def recorded(request, old, files=None):
    """Make the record of a job as 0.1 left it, with its digest of that time."""
    return evolve(job(request=request), key="k", digest=old, files=files)


def test_a_key_that_the_first_release_recorded_is_recognised():
    """By the request itself, however its digest was made; a pruned job has its old digest only."""
    request = Generate("A cat", model="2.0", camera={"pan": "left"})
    old = first_digest(request, {})
    assert same_order(recorded(request, old), request, {})
    assert same_order(recorded(None, old), request, {})
    assert not same_order(recorded(request, old), Generate("A dog"), {})
    assert not same_order(recorded(None, old), Generate("A dog"), {})
    # The first release sent `A cat `, and made another digest of it.
    unclean = recorded(request, "0" * 64)
    assert same_order(unclean, Generate("A cat ", model=2, camera={"pan": "left"}), {})


def test_a_job_with_files_is_recognised_by_their_hashes():
    """They are in the record; a file without one leaves the old digest as it is."""
    request = Generate("A cat", image=Path("cat.png"))
    files = {"cat.png": "ab"}
    assert current_digest(recorded(request, "old", files)) == digest(request, files)
    assert current_digest(recorded(request, "old")) == "old"
