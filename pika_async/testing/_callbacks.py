"""Callbacks, driven by the emulator: each says what a look-up says, and a forged one says nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pika_async.provider import Failed, Outcome, Pending, Succeeded, Task, VideoRequest
from pika_async.testing._builds import NOW, hold
from pika_async.testing._drive import Drive, told_by
from pika_async.testing._world import FakeWorld

_OLD: Final = 3600.0
_ENDS: Final = (None, Outcome.RENDER_FAILS, Outcome.MODERATED_LATE, Outcome.NO_LINK)
_NONE: Mapping[str, str] = {}


def check_callbacks(drive: Drive) -> None:
    """Read the callbacks of every end that the emulator knows, as they are and forged."""
    if "reads_callbacks" not in drive.builds.powers:
        return
    for outcome in _ENDS:
        for request in drive.requests(outcome):
            world = FakeWorld(now=NOW)
            _, told = drive.sent(world, request)
            if isinstance(told, Pending | Succeeded):
                _agree(drive, world, told.task)
    _forged(drive, drive.builds.kinds[0])


def _agree(drive: Drive, world: FakeWorld, task: Task) -> None:
    """Compare what the callbacks of a task say with what a look-up says at the same time."""
    keys = _keys(drive, world)
    own: Any = drive.provider
    for at, body, headers in _pushed(world):
        world.now = max(world.now, at)
        pushed = told_by(own.read_callback, body, headers, at, keys)
        looked = drive.looked(world, task)
        # A callback is a hint, and may say less than a look-up; it must not say something else.
        hold(
            not isinstance(pushed, Succeeded | Failed) or _same_end(pushed, looked),
            f"The callback {body[:200]!r} is read as {pushed!r}, and a look-up as {looked!r}: both are about "
            f"the same end.",
        )


def _same_end(pushed: Succeeded | Failed, looked: object) -> bool:
    match pushed, looked:
        case Succeeded(), Succeeded():
            return {one.video_url for one in pushed.results} == {one.video_url for one in looked.results}
        case Failed(), Failed():
            wordless = pushed.reason == "provider" and not (pushed.message or pushed.code)
            return pushed.reason == looked.reason or wordless
        case Failed(reason="no_output"), Pending() | Succeeded():
            return True  # a callback may come without the link, which a look-up tells then or later
        case _:
            return False


def _forged(drive: Drive, request: VideoRequest) -> None:
    """Give the reader what the emulator signed, and the same with one thing wrong."""
    world = FakeWorld(now=NOW)
    drive.accepted(world, request)
    if not world.signed:
        return
    keys = _keys(drive, world)
    read: Any = getattr(drive.provider, "read_callback")  # noqa: B009 - a power that not every one has
    for at, body, headers in _pushed(world):
        hold(
            told_by(read, body, headers, at, keys) is not None,
            "A signed callback of the emulator is not read; its headers come with names in lower case, and "
            "keys as `build_keys` or the shared secret give them.",
        )
        wrong = {name: text[::-1] for name, text in headers.items()}
        forged: tuple[tuple[bytes, Mapping[str, str], float, bytes | None, str], ...] = (
            (body.replace(b":", b": ", 1), headers, at, keys, "whose body was changed"),
            (body, {}, at, keys, "without headers"),
            (body, wrong, at, keys, "whose signature is wrong"),
            (body, headers, at + _OLD, keys, "that is an hour old"),
            (body, headers, at - _OLD, keys, "that is from the future"),
            (body, headers, at, None, "that came before the keys"),
            (body, headers, at, b"whsec_AAAA", "that was signed with another key"),
            *((body, {**headers, name: ""}, at, keys, f"without {name}") for name in _signs(headers)),
        )
        for forged_body, forged_headers, moment, key, what in forged:
            told = told_by(read, forged_body, forged_headers, moment, key)
            hold(told is None, f"A callback {what} is believed ({told!r}): return None for it.")


def _signs(headers: Mapping[str, str]) -> Iterator[str]:
    return (name for name in headers if "signature" in name or "timestamp" in name)


def _pushed(world: FakeWorld) -> Iterator[tuple[float, bytes, Mapping[str, str]]]:
    """Return when callbacks came, their bodies, and their headers with names in lower case."""
    if world.signed:
        for at, _, body, headers in world.signed:
            yield at, body, {name.lower(): text for name, text in headers.items()}
    else:
        yield from ((at, json.dumps(body).encode(), _NONE) for at, _, body in world.callbacks)


def _keys(drive: Drive, world: FakeWorld) -> bytes | None:
    own: Any = drive.provider
    if "signs" in drive.builds.powers:
        answer = drive.ask(world, drive.builds.sound(own.build_keys()))
        return None if answer is None else answer.body
    return drive.secret
