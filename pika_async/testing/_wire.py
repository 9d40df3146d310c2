"""What reaches the wire as it was given, what must never be there, and how quickly answers are read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from attrs import evolve

from pika_async.provider import (
    Blob,
    Form,
    Generate,
    HttpRequest,
    HttpResponse,
    Ingredients,
    Json,
    Pending,
    Style,
    Succeeded,
    Task,
    UnsupportedRequest,
    Uploading,
    VideoRequest,
)
from pika_async.testing._builds import KEY, NOW, hold
from pika_async.testing._drive import Drive, kind_of, shown, told_by
from pika_async.testing._world import FakeWorld, as_received

_LARGE: Final = 200_000
_SLOW: Final = 1.0
"""Seconds of CPU for a large body; a linear reader needs a hundredth of it."""


def check_wire(drive: Drive) -> None:
    """Send media and words, look for the key in addresses, and read large answers."""
    _media(drive)
    _values_are_told_apart(drive)
    _limits_are_taken(drive)
    _words_reach_the_wire(drive)
    _names_are_documented(drive)
    _no_key_in_addresses(drive)
    _reads_quickly(drive)


def _media(drive: Drive) -> None:
    for request in _with_media(drive):
        world = FakeWorld(now=NOW)
        wire = drive.builds.submit(request)
        answer = drive.ask(world, wire)
        if answer is None:
            continue
        told = told_by(drive.provider.read_submit, answer, request)
        hold(
            isinstance(told, Pending | Succeeded) and len(world.billed) == 1,
            f"{kind_of(request)} with media is declared, and the emulator answers {shown(answer)}.",
        )


def _with_media(drive: Drive) -> Iterator[VideoRequest]:
    capabilities = drive.provider.capabilities
    images: list[Any] = ["https://media.test/image.png"]
    if capabilities.takes("image").inline:  # else the core makes a link of it first
        images.append(Blob(b"\x89PNG\r\n\x1a\n", "image/png", "image.png"))
    for plain in drive.builds.kinds:
        if isinstance(plain, Generate | Style) and "image" in capabilities.fields:
            for image in images:
                yield from drive.able(plain, image=image)
        if isinstance(plain, Ingredients):
            yield from drive.able(plain, images=tuple(images))


def _values_are_told_apart(drive: Drive) -> None:
    """Set each declared field to one value after the other: what differs here differs on the wire."""
    for plain in drive.builds.plain:
        for name in sorted(drive.provider.capabilities.fields):
            seen: dict[str, Any] = {}
            for value in drive.builds.values.get(name, ()):
                for request in drive.with_field(plain, name, value):
                    try:
                        wire = repr(as_received(drive.builds.submit(request)))
                    except UnsupportedRequest:
                        continue
                    hold(
                        wire not in seen,
                        f"{kind_of(plain)}.{name} looks the same on the wire for {seen.get(wire)!r} and "
                        f"{value!r}: send it, or refuse what cannot be sent.",
                    )
                    seen[wire] = value


def _limits_are_taken(drive: Drive) -> None:
    """Send the choices and the ends of the ranges that are declared: the emulator must take them."""
    capabilities = drive.provider.capabilities
    declared = {**capabilities.ranges, **capabilities.choices}
    if capabilities.models:
        declared["model"] = capabilities.models
    for plain in drive.builds.kinds:
        for name, values in declared.items():
            for value in values:
                for request in drive.with_field(plain, name, value):
                    try:
                        wire = drive.builds.submit(request)
                    except UnsupportedRequest:
                        continue
                    world = FakeWorld(now=NOW)
                    answer = drive.ask(world, wire)
                    hold(
                        answer is None or len(world.billed) == 1,
                        f"{kind_of(plain)}.{name}={value!r} is declared, and the emulator answers "
                        f"{shown(answer)}: one of the two does not know the documents.",
                    )


def _words_reach_the_wire(drive: Drive) -> None:
    fields = drive.provider.capabilities.fields
    for plain in drive.builds.kinds:
        if isinstance(plain, Style):
            seen = _plain_text(drive.builds.submit(plain))
            hold(plain.style in seen, f"The style {plain.style} does not reach the wire as it was given.")
    for plain in drive.wordy():
        seen = _plain_text(drive.builds.submit(evolve(plain, prompt="Zebra crossing")))
        hold("Zebra crossing" in seen, f"{kind_of(plain)}.prompt does not reach the wire as it was given.")
        if "negative_prompt" in fields:
            for request in drive.able(plain, negative_prompt="Giraffes"):
                seen = _plain_text(drive.builds.submit(request))
                hold(
                    "Giraffes" in seen,
                    f"{kind_of(plain)}.negative_prompt does not reach the wire as it was given.",
                )
        if "seed" in fields:
            for request in drive.able(plain, seed=48151):
                hold(
                    "48151" in _plain_text(drive.builds.submit(request)),
                    f"{kind_of(plain)}.seed is changed on its way.",
                )
        for request in drive.able(plain, extra_body={"conformance": "kept"}):
            hold(
                "kept" in _plain_text(drive.builds.submit(request)),
                f"{kind_of(plain)}.extra_body does not reach the wire.",
            )


def _names_are_documented(drive: Drive) -> None:
    """Look for names on the wire that the documents do not have; a provider ignores them in silence."""
    known = getattr(drive.emulator, "names", None)
    if known is None:
        return
    for plain in drive.builds.plain:
        wires = [drive.builds.submit(plain)]
        for name in drive.provider.capabilities.fields:
            for value in drive.builds.values.get(name, ()):
                wires += [drive.builds.submit(one) for one in drive.with_field(plain, name, value)]
        unknown = {name for wire in wires for name in _names(as_received(wire).body)} - known
        hold(
            not unknown,
            f"{kind_of(plain)} sends {', '.join(sorted(unknown))}, which the documents do not have.",
        )
    own: Any = drive.provider
    tasks = [Task(f"task-{number}") for number in range(min(2, drive.provider.capabilities.poll_batch))]
    looks = [drive.provider.build_poll(tasks), drive.provider.build_poll(tasks[:1])]
    if "finds" in drive.builds.powers:
        looks += [own.build_find(NOW - 60, NOW, None)]
    asked = [as_received(drive.builds.sound(look)) for look in looks]
    unknown = {name for look in asked for name in (*_names(look.body), *look.query)} - known
    hold(not unknown, f"A look-up sends {', '.join(sorted(unknown))}, which the documents do not have.")


def _names(body: object) -> Iterator[str]:
    match body:
        case Json(value=inner) | Form(fields=inner):
            yield from _names(inner)
        case Mapping():
            for name, inner in body.items():
                yield name
                yield from _names(inner)
        case list() | tuple():
            for inner in body:
                yield from _names(inner)
        case _:
            pass


def _no_key_in_addresses(drive: Drive) -> None:
    task = Task("task-1")
    for wire in (drive.builds.submit(drive.builds.kinds[0]), drive.provider.build_poll([task])):
        seen = as_received(wire)
        where = f"{seen.url}?{dict(seen.query)}"
        hold(
            KEY not in where,
            f"The key is in the address of {wire.url}; addresses are logged. Use a header.",
        )


def _reads_quickly(drive: Drive) -> None:
    """Give every reader a large body of what makes bad patterns slow."""
    own: Any = drive.provider
    request, task, blob = drive.builds.kinds[0], Task("task-1"), Blob(b"png", "image/png", "image.png")
    readers: dict[str, tuple[Any, ...]] = {
        "read_submit": (request,),
        "read_poll": ([task],),
        "read_find": (),
        "read_balance": (),
        "read_cancel": (task,),
        "read_upload": (blob, Uploading()),
        "read_estimate": (request,),
    }
    for filling in (" " * _LARGE, "<" * _LARGE, "a@" * (_LARGE // 2), "key " * (_LARGE // 4)):
        error = {"code": filling, "message": filling}
        told = {"id": "task-1", "error": error, "msg": filling, "data": {"id": filling, "task_id": filling}}
        body = json.dumps(told).encode()
        for status in (200, 400):
            answer = HttpResponse(status=status, body=body)
            for name, more in readers.items():
                if hasattr(own, name):
                    _in_time(name, len(body), partial(told_by, getattr(own, name), answer, *more))
        if hasattr(own, "read_callback"):
            _in_time("read_callback", len(body), partial(told_by, own.read_callback, body, {}, NOW, None))


def _in_time(name: str, size: int, read: Callable[[], object]) -> None:
    began = time.process_time()
    read()
    took = time.process_time() - began
    hold(
        took < _SLOW,
        f"{name} takes {took:.1f} s of CPU for an answer of {size:,} bytes: a reader must be linear in its "
        "bytes.",
    )


def _plain_text(request: HttpRequest) -> str:
    body = as_received(request).body
    return json.dumps(getattr(body, "value", getattr(body, "fields", None)), ensure_ascii=False, default=str)
