"""The movements of the camera: which words they have, and how they may be written."""

import pytest

from pika_async import Camera, Generate, UnsupportedRequest


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
