"""Links that need the key: to whom an adapter sends it, and which of the emulator's links it opens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pika_async.provider import HttpRequest, Pending, Succeeded, VideoRequest
from pika_async.testing._builds import BASE_URL, NOW, hold
from pika_async.testing._drive import Drive, shown, told_by
from pika_async.testing._world import FakeWorld

_ELSEWHERE: Final = "https://elsewhere.test"


def check_links(drive: Drive) -> None:
    """Try links that open with the key, and links of strangers."""
    _keyed_links(drive)
    _own_links(drive)


def _keyed_links(drive: Drive) -> None:
    """Offer links that open with the key, and links of strangers, to which it must not go."""
    if "keyed_links" not in drive.builds.powers:
        return
    own: Any = drive.provider
    home = BASE_URL.partition("://")[2]
    for link in (
        f"{BASE_URL}/video.mp4",
        f"{_ELSEWHERE}/video.mp4",
        f"{BASE_URL}.elsewhere.test/video.mp4",
        f"{_ELSEWHERE}/{home}/video.mp4",
        f"http://{home}/video.mp4",
    ):
        wire = told_by(own.build_download, link)
        if isinstance(wire, HttpRequest):
            drive.builds.sound(wire)
            hold(wire.method == "GET", f"A download of {link} is sent with {wire.method}.")


def _own_links(drive: Drive) -> None:
    """Open the videos' links that lead to the provider itself: some open with the key alone."""
    own: Any = drive.provider
    for request in _varied(drive):
        world = FakeWorld(now=NOW)
        _, told = drive.sent(world, request)
        if not isinstance(told, Pending | Succeeded):
            continue
        world.now += 10 * world.render_time
        seen = drive.looked(world, told.task)
        links = [video.video_url or "" for video in seen.results] if isinstance(seen, Succeeded) else []
        for link in links:
            bare = drive.ask(world, HttpRequest(method="GET", url=link)) if _is_own(link) else None
            if bare is None or bare.status not in {401, 403}:
                continue
            keyed = "keyed_links" in drive.builds.powers
            wire = told_by(own.build_download, link) if keyed else None
            opened = drive.ask(world, drive.builds.sound(wire)) if isinstance(wire, HttpRequest) else None
            hold(
                opened is not None and opened.status < 400,
                f"A video's link leads to the provider itself and does not open without the key "
                f"({shown(bare)}): let build_download return the GET that opens it.",
            )


def _is_own(link: str) -> bool:
    return link.startswith(f"{BASE_URL}/")


def _varied(drive: Drive) -> Iterator[VideoRequest]:
    """Return each kind of request, alone and with each of its fields."""
    for plain in drive.builds.kinds:
        yield plain
        for name, values in drive.builds.values.items():
            for value in values[:1]:
                yield from drive.with_field(plain, name, value)
