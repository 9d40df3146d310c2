"""Requests as people and manifests read them."""

from pathlib import Path

from pika_async import Generate, Ingredients
from pika_async.batch import described
from pika_async.batch.describe import shortened, without_secrets
from pika_async.requests import Blob


def test_described_requests_are_json():
    """Files become paths, media in memory their size, and a camera its moves."""
    request = Generate("A cat", image=Path("in/cat.png"), camera={"pan": "left"}, extra_body={"a": [1]})
    assert described(request) == {
        "kind": "generate",
        "prompt": "A cat",
        "image": "in/cat.png",
        "camera": {"pan": "left"},
        "extra_body": {"a": "***"},
    }
    images = described(Ingredients("They dance", [Blob(b"123", name="a.png"), "https://example.com/b.png"]))
    assert images["images"] == ["a.png <3 bytes>", "https://example.com/b.png"]


def test_descriptions_of_an_earlier_version_are_cleaned():
    """It wrote the values of extra_body too, and something else in its place is left alone."""
    assert without_secrets({"extra_body": {"key": "canary"}}) == {"extra_body": {"key": "***"}}
    assert without_secrets({"extra_body": None, "prompt": "A cat"}) == {"extra_body": None, "prompt": "A cat"}


def test_short_texts_stay_as_they_are():
    """Only what nobody would read is cut."""
    assert shortened("A cat") == "A cat"
    assert len(shortened("x" * 10_000)) < 80
