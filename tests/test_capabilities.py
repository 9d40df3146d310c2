"""What a provider declares is checked by the core, before a job exists."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from pika_async import Generate, Ingredients, Style, UnsupportedRequest, _registry
from pika_async.provider import Capabilities
from pika_demo import Demo

LINK = "https://media.test/a.png"
ABLE = Capabilities(
    kinds={Generate, Style, Ingredients},
    fields={"image", "video", "seed", "motion", "guidance_scale", "aspect_ratio", "mode"},
    styles=("Melt",),
    closed_styles=True,
    max_images=2,
    ranges={"motion": (0, 4), "guidance_scale": (5, 25)},
    words_only={"aspect_ratio", "seed"},
    reserved={"key"},
)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (Generate("a", frame_rate=24), "frame_rate cannot be expressed"),
        (Generate("a", motion=5), "motion must be 0 to 4"),
        (Generate("a", guidance_scale=4.5), "guidance_scale must be 5 to 25"),
        (Generate("a", image=LINK, aspect_ratio="1:1"), "aspect_ratio goes with words alone"),
        (Style("a", style="melt", video=LINK, seed=1), "seed goes with words alone"),
        (Ingredients("a", [LINK], seed=1), "seed goes with words alone"),
        (Ingredients("a", [LINK] * 3), "images holds more than 2"),
        (Ingredients("a", [LINK, b"png"]), "images must be a link"),
        (Generate("a", image=Path("not-there.png")), "image must be a link"),
        (Style("a", style="Inflate"), "style 'Inflate' is not among Melt"),
        (Generate("a", extra_body={"key": "x"}), "key cannot be in extra_body"),
    ],
)
def test_what_cannot_be_expressed_is_refused_by_name(request_, why):
    """The first problem is named, and nothing is read or built."""
    with pytest.raises(UnsupportedRequest, match=why):
        ABLE.check(request_)


@pytest.mark.parametrize(
    "request_",
    [
        Generate("a", motion=0, guidance_scale=25, aspect_ratio="1:1", seed=0),
        Generate("a", image=LINK, motion=4),
        Style("a", style="MELT", extra_body={"other": 1}),
        Ingredients("a", [LINK, LINK], mode="precise"),
    ],
)
def test_what_can_be_expressed_passes(request_):
    """Limits belong to what is allowed."""
    ABLE.check(request_)


def test_a_check_builds_nothing():
    """An adapter is asked to build a POST once, for the POST."""

    class Counts(Demo):
        def build_submit(self, request, call, /):
            raise AssertionError("a check is no purchase")

    loaded = _registry.load("demo", Counts(api_key="k"))
    loaded.check(Generate("A cat"))
    assert loaded.can(Generate("A cat"))
    assert not loaded.can(Generate("A cat", motion=1))


def test_an_adapters_own_rules_are_checked_with_them():
    """Rules that cannot be declared are a function of their own, asked in the same place."""

    class Polite(Demo):
        def check_request(self, request, /):
            if "damn" in request.prompt:
                raise UnsupportedRequest("prompt must be polite.")

    loaded = _registry.load("demo", Polite(api_key="k"))
    assert loaded.can(Generate("A cat"))
    with pytest.raises(UnsupportedRequest, match="cannot be expressed"):
        loaded.check(Generate("damn cat", image=LINK))
    with pytest.raises(UnsupportedRequest, match="polite"):
        loaded.check(Generate("damn cat"))


def test_capabilities_are_values():
    """Equal ones are one in a set, whatever they declare."""
    assert len({ABLE, evolve(ABLE)}) == 1
