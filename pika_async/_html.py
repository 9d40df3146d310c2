"""What a notebook shows of a video and of a job. Pure; text is escaped, and only http(s) is linked to."""

from __future__ import annotations

from html import escape

from pika_async import _links


def player(video_url: str | None, image_url: str | None, text: str) -> str:
    """Return a player of *video_url* with *text* below it; without a link that may be followed, the text.

    >>> player("javascript:alert(1)", None, "v1")
    '<p>v1</p>'
    """
    caption = f"<p>{escape(text)}</p>"
    if not _may_be_followed(video_url):
        return caption
    poster = f' poster="{escape(str(image_url))}"' if _may_be_followed(image_url) else ""
    # Without a referrer the media host does not learn which notebook shows its video.
    return (
        f'<video src="{escape(str(video_url))}"{poster} controls loop muted playsinline preload="metadata"'
        f' referrerpolicy="no-referrer" style="max-width:100%;max-height:24em"></video>{caption}'
    )


def _may_be_followed(link: str | None) -> bool:
    return isinstance(link, str) and _links.fault(link) is None
