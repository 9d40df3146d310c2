"""The request's fields as options: all of them, on every command that has them."""

import attrs
import pytest

from pika_async import Camera, Edit, Frame, Generate, Ingredients, Style
from pika_async.cli._fields import OPTIONS

LINK, LAST = "https://a.example/cat.png", "https://a.example/last.png"
CLIP = "https://a.example/cat.mp4"
ARGUMENTS = {"prompt", "style", "images"}
SET = {
    "image": (["--image", LINK], LINK),
    "video": (["--video", LINK], LINK),
    "last_image": (["--last-image", LAST, "--image", LINK], LAST),
    "frames": (
        ["--frame", f"5s {LINK}", "--frame", LAST],
        (Frame(LINK, seconds=5), Frame(LAST)),
    ),
    "region": (["--region", "the hat"], "the hat"),
    "mask": (["--mask", LINK], LINK),
    "duration": (["--duration", "5"], 5),
    "resolution": (["--resolution", "1080p"], "1080p"),
    "mode": (["--mode", "precise"], "precise"),
    "negative_prompt": (["--negative-prompt", "fog"], "fog"),
    "model": (["--model", "2.0"], "2.0"),
    "aspect_ratio": (["--aspect-ratio", "9:16"], "9:16"),
    "seed": (["--seed", "0"], 0),
    "frame_rate": (["--frame-rate", "24"], 24),
    "guidance_scale": (["--guidance-scale", "7.5"], 7.5),
    "motion": (["--motion", "2"], 2),
    "camera": (["--camera", "pan=left, zoom=in"], Camera(pan="left", zoom="in")),
    "sound_effects": (["--no-sound-effects"], False),
    "extra_body": (["--extra-body", '{"a": 1}'], {"a": 1}),
}
WORDS = {
    Generate: ["generate", "A cat"],
    Ingredients: ["ingredients", "A cat", LINK],
    Style: ["style", "Melt", "A cat"],
    Edit: ["edit", CLIP, "A hat"],
}


@pytest.fixture
def bought(monkeypatch):
    """Keep what would be bought."""
    requests = []
    monkeypatch.setattr("pika_async.cli.video.buy", lambda request, *_: requests.append(request))
    return requests


@pytest.mark.parametrize("kind", WORDS)
def test_every_field_is_an_option_or_argument(kind):
    """A field that joins a request must join the table."""
    assert {a.name for a in attrs.fields(kind)} <= OPTIONS.keys() | ARGUMENTS
    assert SET.keys() == OPTIONS.keys()


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (kind, field)
        for kind in WORDS
        for field in SET
        if hasattr(attrs.fields(kind), field) and (kind, field) != (Edit, "video")
    ],
)
def test_an_option_sets_its_field_and_no_other(run, bought, kind, field):
    """Each option reaches the request as its field."""
    words, value = SET[field]
    assert run(*WORDS[kind], *words).exit_code == 0
    assert run(*WORDS[kind]).exit_code == 0
    beside = {"image": LINK} if field == "last_image" else {}
    assert bought[0] == attrs.evolve(bought[1], **{field: value}, **beside)


def test_arguments_become_the_request(run, bought):
    """Prompt, style and images are arguments."""
    run("ingredients", "They dance", LINK, LINK)
    run("style", "Melt", "A cat")
    assert bought == [Ingredients("They dance", [LINK, LINK]), Style("A cat", style="Melt")]


@pytest.mark.parametrize(
    "words",
    [
        ["--camera", "pan"],
        ["--camera", "spin=left"],
        ["--camera", "pan=up"],
        ["--extra-body", "{"],
        ["--extra-body", "[1]"],
        ["--seed", "x"],
        ["--image", "\0"],
        ["--image", "."],
    ],
)
def test_an_unreadable_value_is_a_usage_error(run, bought, words):
    """A value that cannot be read names its option and ends with 2."""
    result = run("generate", "A cat", *words)
    assert (result.exit_code, bought) == (2, [])
    assert f"Invalid value for '{words[0]}'" in result.stderr


def test_an_empty_image_is_a_usage_error(run, bought, tmp_path):
    """An empty file cannot be an image."""
    (tmp_path / "cat.png").touch()
    assert run("ingredients", "They dance", tmp_path / "cat.png").exit_code == 2
    assert bought == []
