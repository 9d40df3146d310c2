"""What comes out: exactly five things about a video, and what a provider said of a task."""

import copy
import pickle

import pytest
from attrs import evolve, fields
from attrs.exceptions import FrozenInstanceError

from pika_async import DownloadError, State, VideoResult, asdict
from pika_async._secret import Secret
from pika_async.results import Failed, Pending, Raw, Succeeded, Task

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


def test_the_link_of_a_video_is_text():
    """A typed program needs no assert."""
    assert VIDEO.url == VIDEO.video_url


@pytest.mark.parametrize("link", [None, ""])
def test_a_video_without_a_link_says_so(link):
    """The error names the video and its state, and nothing was fetched that could be retried."""
    with pytest.raises(DownloadError, match="Video v1 holds no link and its state is failed") as refused:
        evolve(VIDEO, video_url=link, state=State.FAILED).url  # noqa: B018
    assert (refused.value.retryable, refused.value.charged) == (False, "unknown")


KEY = Secret("sk-live/1234567")
ECHO = {
    "id": "t1",
    "request": {"callback_url": "https://callback.invalid/a-1-b.BU2FTs4FbcK6APAmC_-5YA"},
    "log": [{"header": "Bearer sk-live/1234567"}, "https://x.test/?key=sk-live%2F1234567"],
    "hook": "https://app.test/h?pika_attempt=a-1-b.BU2FTs4FbcK6APAmC_-5YA&x=1",
    "depth": 3,
}
CLEAN = {
    "id": "t1",
    "log": [{"header": "Bearer ***"}, "https://x.test/?key=***"],
    "hook": "https://app.test/h?pika_attempt=***&x=1",
    "depth": 3,
}


def pending():
    return Pending(task=Task("t1"), raw=Raw(ECHO, without={"request"}, secrets=[KEY]))


@pytest.mark.parametrize(
    "look",
    [
        lambda told: told.raw,
        lambda told: asdict(told)["raw"],
        lambda told: vars(told)["raw"],
        lambda told: pickle.loads(pickle.dumps(told)).raw,
        lambda told: copy.copy(told).raw,
        lambda told: copy.deepcopy(told).raw,
        lambda told: evolve(told, progress=0.5).raw,
        lambda told: told.conceal([KEY]).raw,
    ],
)
def test_whoever_looks_at_raw_sees_no_secret(look):
    """Echoed fields are dropped; the key and callback tokens are hidden wherever else they are."""
    assert look(pending()) == CLEAN


def test_raw_is_shown_clean():
    """A log line and a traceback with locals hold the copy, under the name that users write."""
    assert repr(pending()).endswith(f"raw={CLEAN!r})")
    assert repr(Raw(ECHO, without={"request"}, secrets=[KEY])) == repr(CLEAN)


def test_raw_is_compared_clean():
    """A snapshot from the ledger equals the one that was stored."""
    assert pending() == Pending(task=Task("t1"), raw=CLEAN)


def test_raw_is_cleaned_once_and_only_when_asked():
    """Most answers are never looked at; the others are looked at twice."""
    told = {"n": 1}
    raw = Raw(told, secrets=[KEY])
    told["n"] = 2
    assert raw.cleaned() == {"n": 2}
    told["n"] = 3
    assert raw.cleaned() == {"n": 2}
    assert raw.cleaned() is raw.cleaned()


def test_raw_that_is_nested_for_ever_is_cut():
    """Foreign JSON cannot make the cleaning run out of stack."""
    deep = "x"
    for _ in range(500):
        deep = [deep]
    assert repr(Raw(deep)).count("[") == 20


def test_a_snapshot_of_a_careless_adapter_is_concealed():
    """The core knows the key, whatever the adapter copies."""
    told = {"task": Task("t1"), "trace_id": "for sk-live/1234567", "raw": {"log": "sk-live/1234567"}}
    for snapshot in (
        Pending(**told),
        Succeeded(results=(VIDEO,), **told),
        Failed(message="sk-live/1234567 is blocked", code="sk-live/1234567", **told),
    ):
        hidden = snapshot.conceal([KEY])
        assert "1234567" not in repr(hidden)
        assert hidden.raw == {"log": "***"}
        assert hidden.trace_id == "for ***"


def test_a_snapshot_without_secrets_stays_itself():
    """The usual look costs no copy."""
    told = Pending(task=Task("t1"), trace_id="trace", raw=Raw({"a": 1}))
    assert told.conceal([KEY]) is told
