"""What is wrong for every provider is refused where the request is made."""

import ast
import inspect
import re
from base64 import b64encode
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from attrs import fields
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from pika_async import Blob, Camera, Edit, Frame, Generate, Ingredients, Style, UnsupportedRequest, requests
from pika_async.requests import MEDIA_FIELDS, as_json, fields_set, media_of, with_media

LINK = "https://media.test/cat.png"
EMPTY = ("", "   ", "\n\t", "\ufeff", None, 5, b"text", "half a pair: \ud800", "n\0u\0l\0", "\x1b[2J", "\x92")
NOT_MEDIA = (
    "",
    "cat.png",
    "ftp://media.test/cat",
    "https://",
    "http://[",
    "file:///etc/passwd",
    "https://media.test/c\nat.png",
    "https://media.test/c\tat.png",
    "https://media.test/c\r\nat.png",
    "https://media.test/a cat.png",
    "https://media.test/cat\0.png",
    "https://me:word-canary@media.test/c at.png",
    "data:image/png;base64,####",
    "data:image/png;base64,",
    "data:text/html,<!doctype html>",
    b"",
    b"<!doctype html>",
    b"version https://git-lfs.github.com/spec/v1",
    b"<svg xmlns='x'/>",
    b"II*\0",
    b"%PDF-1.7",
    b"PK\x03\x04",
    Blob(b""),
    Blob(b"<html>", "image/png"),
    5,
    True,
)

WRONG = {
    "negative_prompt": EMPTY[:4] + EMPTY[5:],
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
    ids=lambda value: re.sub("0x.*", "", repr(value))[:30],  # no address: workers must collect the same names
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(name, value):
    """Nothing is sent for it, and the sentence says which argument to change."""
    with pytest.raises(UnsupportedRequest, match=rf"^{name} ") as refused:
        Generate("A cat", **{name: value})
    assert isinstance(refused.value, ValueError)
    assert refused.value.charged == "no"
    assert refused.value.message.endswith(".")
    assert "canary" not in refused.value.message


@pytest.mark.parametrize("prompt", EMPTY)
def test_every_kind_needs_a_prompt(prompt):
    """An empty or blank prompt buys nothing anywhere."""
    for make in (
        Generate,
        lambda text: Style(text, style="Inflate"),
        lambda text: Ingredients(text, [LINK]),
    ):
        with pytest.raises(UnsupportedRequest, match=r"^prompt must be non-empty text"):
            make(prompt)


@pytest.mark.parametrize("style", EMPTY)
def test_a_style_has_a_name(style):
    """An effect without a name is none."""
    with pytest.raises(UnsupportedRequest, match=r"^style "):
        Style("A cat", style=style)


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


@pytest.mark.parametrize(
    "media",
    [
        LINK,
        "https://me:word@media.test/a",
        "HTTP://MEDIA.TEST/a",
        Path("cat.png"),
        b"\x89PNG",
        Blob(b"\x89PNG"),
    ],
)
def test_media_are_links_files_or_bytes(media):
    """A file is only named here; it is read when the job's turn comes."""
    assert Generate("A cat", image=media).image == media
    assert Ingredients("A cat", [media]).images == (media,)


def test_what_is_wrong_with_a_link_is_told():
    """The name of a file is another matter than a link with a space in it."""
    with pytest.raises(UnsupportedRequest, match=r"^image must be an http.* non-empty bytes; change it"):
        Generate("A cat", image="cat.png")
    with pytest.raises(UnsupportedRequest, match=r"a link must not hold spaces, line breaks or invisible"):
        Generate("A cat", image="https://media.test/a cat.png")


@pytest.mark.parametrize(
    ("field", "data"),
    [("image", b"\0\0\0\x18ftypmp42"), ("video", b"\x89PNG\r\n\x1a\n"), ("video", b"GIF89a")],
)
def test_a_video_is_no_image(field, data):
    """It would be paid for, and fail."""
    with pytest.raises(UnsupportedRequest, match=rf"^{field} must be an? {field}, and these bytes are "):
        Generate("A cat", **{field: data})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\t", "  ", "\ufeff", "\u200b"])
def test_links_and_texts_lose_what_copying_left_at_their_ends(end):
    """A trailing line break once went into paid POSTs as it was."""
    request = Ingredients(f"{end}They dance{end}", [f"{LINK}{end}"], negative_prompt=f"rain{end}")
    assert request == Ingredients("They dance", [LINK], negative_prompt="rain")
    assert Generate("A cat", image=f"{end}{LINK}{end}", model=f"2.0{end}") == Generate(
        "A cat", image=LINK, model="2.0"
    )
    assert Style(f"A cat{end}", style=f"Inflate{end}", video=LINK + end) == Style(
        "A cat", style="Inflate", video=LINK
    )


def test_a_prompt_may_have_lines():
    """In the words of every system alike."""
    assert Generate("One\r\ntwo\rthree\n\n\tfour\u2028five").prompt == "One\ntwo\nthree\n\n\tfour\u2028five"


def test_an_address_may_hold_its_medium():
    """It is read at once, and shown by its size; the bytes say what they are."""
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 5000
    request = Generate("A cat", image=f"data:image/jpeg;base64,{b64encode(png).decode()}")
    assert request.image == Blob(png, "image/png")
    assert len(repr(request)) < 500
    assert Generate("A cat", image="data:image/x-new;a=b,%80%81").image == Blob(b"\x80\x81", "image/x-new")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", "text"),
        ("data", bytearray(b"x")),
        ("content_type", "image/png\r\nX-Evil: 1"),
        ("content_type", ""),
        ("name", b"cat.png"),
    ],
)
def test_a_blob_is_bytes_with_a_type_and_a_name(name, value):
    """What is none would fail on its way out."""
    with pytest.raises(UnsupportedRequest, match=f"^{name} must be "):
        Blob(**{"data": b"x", name: value})


def test_a_list_of_images_has_an_order():
    """An open file is a list of lines to Python, and a set has none."""
    for images in ({LINK}, {LINK: 1}, BytesIO(b"\x89PNG\n\x80"), bytearray(b"x"), [LINK, None]):
        with pytest.raises(UnsupportedRequest, match=r"^images "):
            Ingredients("They dance", images)


def test_the_prompt_of_a_style_comes_first():
    """As in the other kinds; the order of 0.1 is warned of, and kept until 0.3."""
    new = Style("A duck", style="Inflate", image=LINK)
    with pytest.warns(DeprecationWarning, match=r"Style\(prompt, style=...\)") as warned:
        old = Style("Inflate", "A duck", image=LINK)
    assert new == old
    assert warned[0].filename == __file__
    with pytest.raises(TypeError, match="style="):
        Style("Inflate", "A duck", style="Melt")
    with pytest.raises(UnsupportedRequest, match=r"^style must be non-empty text"):
        Style("A duck")


def test_media_are_found_and_replaced_in_one_place():
    """Whoever looks at the media of a request asks here."""
    generate = Generate("A cat", image=LINK, video=b"\x80")
    ingredients = Ingredients("They dance", [LINK, b"\x80"])
    assert media_of(generate) == [("image", LINK), ("video", b"\x80")]
    assert media_of(ingredients) == [("images", LINK), ("images", b"\x80")]
    assert media_of(Generate("A cat")) == []
    assert with_media(generate, [b"\x81", LINK]) == Generate("A cat", image=b"\x81", video=LINK)
    assert with_media(ingredients, [b"\x81", LINK]) == Ingredients("They dance", [b"\x81", LINK])
    assert with_media(ingredients, [LINK, ingredients.images[1]]) is ingredients
    kinds = (Generate, Style, Ingredients, Edit)
    holders = {"Media", "Frame"}
    media = {
        name
        for kind in kinds
        for name, said in kind.__annotations__.items()
        if holders & set(re.findall(r"\w+", said))
    }
    assert media == set(MEDIA_FIELDS)


def test_a_request_is_json_but_for_its_media():
    """Each reader of it says how media are shown."""
    request = Ingredients("They dance", [LINK, b"\x80"], camera={"pan": "left"}, seed=7)
    assert as_json(request, len) == {
        "seed": 7,
        "camera": {"pan": "left"},
        "prompt": "They dance",
        "images": [len(LINK), 1],
    }


@pytest.mark.parametrize("kind", [Camera, Frame, Generate, Style, Ingredients, Edit])
def test_every_field_is_explained_where_an_editor_looks(kind):
    """With its meaning, unit and range, below the field of the class, and of the keyword arguments."""
    explained = {}
    homes = {inspect.getmodule(one) for one in (Generate, Frame, Camera, requests.CommonFields)}
    sources = [inspect.getsource(home) for home in homes]
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.ClassDef):
            for line, after in pairwise(node.body):
                if isinstance(line, ast.AnnAssign) and isinstance(
                    getattr(after, "value", None), ast.Constant
                ):
                    explained.setdefault(line.target.id, set()).add(node.name)
    for attribute in fields(kind):
        assert explained.get(attribute.name), attribute.name
    for arguments in (requests.CommonFields, requests.MediaFields, requests.GenerateFields):
        for name in arguments.__annotations__:
            assert {"CommonFields", "MediaFields", "GenerateFields"} & explained[name], name


def test_a_model_is_the_same_as_text_and_as_a_number():
    """One provider's wire wants text, the other's a number; users need not care."""
    assert Generate("A cat", model=1.5) == Generate("A cat", model="1.5")
    assert Generate("A cat", model=2) == Generate("A cat", model=2.0) == Generate("A cat", model="2.0")


def test_equal_requests_are_equal_values():
    """Two requests that ask for the same are the same, and a list of images is a tuple of them."""
    assert Generate("A cat", seed=7) == Generate("A cat", seed=7)
    assert Generate("A cat", seed=7) != Generate("A cat", seed=8)
    assert Ingredients("A cat", [LINK]) == Ingredients("A cat", (LINK,))
    assert Generate("A cat") != Style("A cat", style="Inflate")


@pytest.mark.parametrize(
    "request_", [Generate("A cat"), Style("A cat", style="Inflate"), Ingredients("A cat", [LINK])]
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
