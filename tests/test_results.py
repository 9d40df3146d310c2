"""What comes out: exactly five things about a video, and what a provider said of a task."""

import pytest
from attrs import fields
from attrs.exceptions import FrozenInstanceError

from pika_async import State, VideoResult
from pika_async.results import Failed, Pending, Task

VIDEO = VideoResult("v1", "https://media.test/v1.mp4", "https://media.test/v1.jpg", 5.0, State.SUCCEEDED)


def test_a_video_result_has_exactly_five_fields_in_order():
    """Programs unpack and compare it by position: the shape is a promise."""
    names = [attribute.name for attribute in fields(VideoResult)]
    assert names == ["id", "video_url", "image_url", "duration", "state"]


def test_a_video_result_cannot_be_changed():
    """It is a value."""
    with pytest.raises(FrozenInstanceError):
        VIDEO.video_url = None


def test_the_states_are_words():
    """They compare with text, and print as it."""
    assert [*State] == ["queued", "running", "succeeded", "failed"]
    assert f"{VIDEO.state}" == "succeeded"


def test_locators_are_merged_and_never_replaced():
    """What we knew and the newer answer does not mention stays valid."""
    known = Task("t1", {"feed": "/a", "region": "eu"})
    assert known.merged(Task("t1", {"feed": "/b"})) == Task("t1", {"feed": "/b", "region": "eu"})
    assert known.merged(Task("t1")) is known


def test_what_a_provider_does_not_say_is_not_made_up():
    """A pending task without a word is running, a failure without one is of unknown price."""
    assert Pending(task=Task("t1")).state is State.RUNNING
    assert Failed(task=Task("t1")).charged == "unknown"
    assert Failed(task=Task("t1")).reason == "provider"
