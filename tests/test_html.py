"""Notebooks show videos in a player: links are http(s), and no text of a provider is markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from pika_async import State, VideoResult


class Seen(HTMLParser):
    """The elements and the text that a browser would make of it."""

    def __init__(self, markup):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def shown(**fields):
    """Return what is seen of a video with these fields."""
    known = {"id": "v1", "video_url": "https://media.test/v.mp4", "image_url": None, "duration": 5.0}
    return Seen(VideoResult(**(known | fields), state=State.SUCCEEDED)._repr_html_())


def test_a_video_has_a_player():
    """With its poster, its length and its state."""
    seen = shown(image_url="https://media.test/p.jpg?a=1&b=2")
    (video, attributes), *_ = seen.elements
    assert video == "video"
    assert attributes["src"] == "https://media.test/v.mp4"
    assert attributes["poster"] == "https://media.test/p.jpg?a=1&b=2"
    assert seen.text == "v1, 5 s, succeeded"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "", None])
def test_only_http_is_linked_to(link):
    """Whatever a provider calls a link."""
    assert [tag for tag, _ in shown(video_url=link).elements] == ["p"]
    assert "poster" not in shown(image_url=link).elements[0][1]


def test_no_text_of_a_provider_is_markup():
    """Neither the id nor the link breaks out of its place."""
    evil = '"><script>alert(1)</script>'
    for seen in (shown(id=evil), shown(video_url=f"https://media.test/{evil}")):
        assert {tag for tag, _ in seen.elements} <= {"video", "p"}


def test_a_job_shows_its_state_and_its_videos(pika_sandbox):
    """Asynchronous or not."""
    with pika_sandbox.sync_client() as pika:
        job = pika.submit("A cat")
        job.wait()
        seen = Seen(job._repr_html_())
        assert seen.text.startswith(f"Job {job.id}: succeeded on acedata")
        assert [attributes["src"] for tag, attributes in seen.elements if tag == "video"] == [job.wait().url]
