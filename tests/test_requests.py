"""What is wrong for every provider is refused where the request is made."""

from pathlib import Path

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from pika_async import Blob, Camera, Generate, Ingredients, Style, UnsupportedRequest
from pika_async.requests import fields_set

LINK = "https://media.test/cat.png"
EMPTY = ("", "   ", "\n\t", None, 5, b"text", "half a pair: \ud800")
NOT_MEDIA = (
    "",
    "cat.png",
    "ftp://media.test/cat",
    "https://",
    "http://[",
    "file:///etc/passwd",
    b"",
    5,
    True,
)

WRONG = {
    "negative_prompt": EMPTY[:3] + EMPTY[4:],
    "model": ("", " ", True, float("nan"), float("inf"), -1, b"1.5"),
    "aspect_ratio": (
        "",
        "16x9",
        "16:0",
        "0:9",
        ":9",
        "16:9 ",
        "16:9\n",
        "-1:2",
        "1.5:1",
        "a:b",
        1.78,
        (16, 9),
    ),
    "seed": (-1, 1.5, True, "7", float("nan")),
    "frame_rate": (0, -24, 23.976, True, "24", float("inf")),
    "guidance_scale": (-0.1, float("nan"), float("inf"), 10**400, True, "12"),
    "motion": (-1, 0.5, False, "2"),
    "camera": ("left", 5, ["left"], {"dolly": "in"}, {1: "left"}),
    "sound_effects": (1, 0, "yes"),
    "extra_body": (
        [],
        "text",
        {1: "a"},
        {"a": float("nan")},
        {"a": object()},
        {"a": b"bytes"},
        {"a": {1, 2}},
        {"a": "\ud800"},
    ),
    "image": NOT_MEDIA,
    "video": NOT_MEDIA,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in WRONG.items() for value in values],
    ids=lambda value: repr(value)[:30],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(name, value):
    """Nothing is sent for it, and the sentence says which argument to change."""
    with pytest.raises(UnsupportedRequest, match=rf"^{name} ") as refused:
        Generate("A cat", **{name: value})
    assert isinstance(refused.value, ValueError)
    assert refused.value.charged == "no"
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize("prompt", EMPTY)
def test_every_kind_needs_a_prompt(prompt):
    """An empty or blank prompt buys nothing anywhere."""
    for make in (
        Generate,
        lambda text: Style("Inflate", text),
        lambda text: Ingredients(text, [LINK]),
    ):
        with pytest.raises(UnsupportedRequest, match=r"^prompt must be non-empty text"):
            make(prompt)


@pytest.mark.parametrize("style", EMPTY)
def test_a_style_has_a_name(style):
    """An effect without a name is none."""
    with pytest.raises(UnsupportedRequest, match=r"^style "):
        Style(style, "A cat")


@pytest.mark.parametrize("images", [[], (), None, LINK, b"png", Path("cat.png"), 5, [LINK, "cat.png"], [b""]])
def test_ingredients_take_a_list_of_images(images):
    """One link is text, and text is a list of letters to Python: it is refused, not taken apart."""
    with pytest.raises(UnsupportedRequest, match=r"^images "):
        Ingredients("They dance", images)


@pytest.mark.parametrize("mode", ["exact", "", "Precise", 1, True, []])
def test_an_unknown_mode_is_refused_with_the_known_ones(mode):
    """There are two ways to mix ingredients."""
    with pytest.raises(UnsupportedRequest, match=r"^mode must be creative or precise"):
        Ingredients("They dance", [LINK], mode=mode)


@pytest.mark.parametrize(("part", "word"), [("pan", "up"), ("tilt", "left"), ("rotate", "90"), ("zoom", 2)])
def test_a_camera_moves_in_known_ways(part, word):
    """The words of each movement are the ones both ends of the wire know."""
    with pytest.raises(UnsupportedRequest, match=f"^{part} must be "):
        Camera(**{part: word})
    with pytest.raises(UnsupportedRequest, match=f"^{part} must be "):
        Generate("A cat", camera={part: word})


def test_a_camera_may_be_a_mapping():
    """What is written as a mapping is the same value."""
    assert Generate("A cat", camera={"pan": "left"}).camera == Camera(pan="left")


@pytest.mark.parametrize(
    "media", [LINK, "HTTP://MEDIA.TEST/a", Path("cat.png"), b"\x89PNG", Blob(b"\x89PNG")]
)
def test_media_are_links_files_or_bytes(media):
    """A file is only named here; it is read when the job's turn comes."""
    assert Generate("A cat", image=media).image == media
    assert Ingredients("A cat", [media]).images == (media,)


def test_a_model_is_the_same_as_text_and_as_a_number():
    """One provider's wire wants text, the other's a number; users need not care."""
    assert Generate("A cat", model=1.5) == Generate("A cat", model="1.5")


def test_equal_requests_are_equal_values():
    """Two requests that ask for the same are the same, and a list of images is a tuple of them."""
    assert Generate("A cat", seed=7) == Generate("A cat", seed=7)
    assert Generate("A cat", seed=7) != Generate("A cat", seed=8)
    assert Ingredients("A cat", [LINK]) == Ingredients("A cat", (LINK,))
    assert Generate("A cat") != Style("Inflate", "A cat")


@pytest.mark.parametrize(
    "request_", [Generate("A cat"), Style("Inflate", "A cat"), Ingredients("A cat", [LINK])]
)
def test_a_request_cannot_be_changed(request_):
    """It may wait in a queue for hours and is sent as it was made."""
    with pytest.raises(FrozenInstanceError):
        request_.prompt = "A dog"


def test_a_request_keeps_its_own_copy_of_the_extra_body():
    """What its maker does to the mapping afterwards changes nothing that was asked for."""
    extra = {"options": {"loop": True}}
    request = Generate("A cat", extra_body=extra)
    extra["options"]["loop"] = False
    assert request.extra_body == {"options": {"loop": True}}


def test_the_fields_that_were_set_are_told_apart():
    """Only what the caller set is sent: False and 0 are set, None is not."""
    request = Generate("A cat", seed=0, sound_effects=False, image=LINK)
    assert fields_set(request) == {"seed": 0, "sound_effects": False, "prompt": "A cat", "image": LINK}
    assert fields_set(Generate("A cat")) == {"prompt": "A cat"}


def test_bytes_are_not_shown():
    """A repr in a log tells how much there is, and not all of it."""
    assert repr(
        Blob(b"x" * 5000, "image/png", "cat.png")
    ) == "Blob(<5000 bytes>, 'image/png', 'cat.png')" or ("<5000 bytes>" in repr(Blob(b"x" * 5000)))


@given(
    st.text() | st.floats() | st.integers() | st.booleans() | st.binary() | st.none() | st.lists(st.text())
)
def test_any_value_is_taken_or_refused_by_name(value):
    """No argument, however wrong, ends in another error than `UnsupportedRequest`."""
    for name in WRONG:
        try:
            Generate("A cat", **{name: value})
        except UnsupportedRequest as refused:
            named = refused.message.startswith(f"{name} must be ")
        else:
            named = True
        assert named
