"""The optional powers, driven against the emulator: replay, uploads, cancellation, signed callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve

from pika_async.provider import (
    REFUSALS,
    Balance,
    Blob,
    Estimate,
    HttpRequest,
    HttpResponse,
    PikaError,
    Succeeded,
    Uploaded,
    Uploading,
)
from pika_async.testing._builds import BASE_URL, KEY, NOW, hold
from pika_async.testing._callbacks import check_callbacks
from pika_async.testing._drive import Drive, shown, told_by
from pika_async.testing._links import check_links
from pika_async.testing._world import FakeWorld, as_received, wire_text

_STEPS: Final = 4
_ELSEWHERE: Final = "https://elsewhere.test"


def check_powers(drive: Drive) -> None:
    """Try each power that the adapter has."""
    _replays(drive)
    _uploads(drive)
    _cancels(drive)
    check_callbacks(drive)
    _balance(drive)
    _estimates(drive)
    check_links(drive)


def _replays(drive: Drive) -> None:
    if drive.provider.capabilities.replay is None:
        return
    world = FakeWorld(now=NOW)
    request = next(iter(drive.wordy()))
    first = drive.builds.submit(request)
    other = drive.builds.submit(request, attempt="conformance-2")
    hold(
        first == drive.builds.submit(request),
        "The same attempt is built differently; replay needs the same bytes.",
    )
    hold(
        as_received(first).headers != as_received(other).headers,
        "Two attempts bear the same idempotency key: make it from call.attempt_id, or the second is not "
        "bought.",
    )
    answers = [drive.ask(world, first) for _ in range(2)]
    read = [told_by(drive.provider.read_submit, one, request) for one in answers if one is not None]
    tasks = {getattr(getattr(one, "task", None), "id", None) for one in read}
    hold(len(world.billed) == 1 and len(tasks) == 1, f"A replay is read as another job: {read!r}.")
    clash = drive.ask(world, evolve(first, body=drive.builds.submit(evolve(request, prompt="A dog")).body))
    if clash is not None and clash.status == 409:
        told = told_by(drive.provider.read_submit, clash, request)
        hold(
            not isinstance(told, REFUSALS),
            "HTTP 409 says that the key was used: the first order may be bought, so raise SubmitUnknown, not "
            f"{told!r}.",
        )


def _uploads(drive: Drive) -> None:
    if "uploads" not in drive.builds.powers:
        return
    own: Any = drive.provider
    blob, step, world = (
        Blob(b"\x89PNG\r\n\x1a\n", "image/png", "image.png"),
        Uploading(),
        FakeWorld(now=NOW),
    )
    for _ in range(_STEPS):
        wire = drive.builds.sound(own.build_upload(blob, step))
        answer = drive.ask(world, wire)
        hold(answer is not None, "The emulator cuts the line on an upload.")
        assert answer is not None  # noqa: S101 - for the types
        for status in (401, 403, 413, 429, 500, 503):
            failed = told_by(own.read_upload, evolve(answer, status=status), blob, step)
            hold(
                isinstance(failed, PikaError),
                f"A step of an upload, answered with HTTP {status}, is read as {failed!r}: raise.",
            )
        told = told_by(own.read_upload, answer, blob, step)
        hold(isinstance(told, Uploading | Uploaded), f"A step of an upload is read as {told!r}.")
        if isinstance(told, Uploaded):
            _ends_in_a_link(drive, world, blob, told)
            return
        assert isinstance(told, Uploading)  # noqa: S101 - for the types
        away = own.build_upload(blob, Uploading(told=_moved(told.told)))
        hold(
            not away.url.startswith(_ELSEWHERE) or KEY not in wire_text(away),
            f"The key would go to {away.origin}, where an upload is sent: hosts may see the secrets that "
            f"Capabilities.hosts names, and no others.",
        )
        step = told
    raise AssertionError(f"An upload does not end within {_STEPS} steps.")


def _ends_in_a_link(drive: Drive, world: FakeWorld, blob: Blob, told: Uploaded) -> None:
    hold(not world.billed, "An upload is billed.")
    hold(told.link.startswith("http"), f"An upload ends in {told.link!r}, which is no link.")
    if told.link.startswith(BASE_URL):
        kept = drive.ask(world, HttpRequest(method="GET", url=told.link.partition("?")[0]))
        lost = "?" in told.link or (kept is not None and kept.status == 200 and kept.body != blob.data)
        hold(not lost, f"An upload ends in {told.link}, which is not where its bytes are read.")


def _moved(told: Any) -> Any:
    """Return what a step told as if its addresses were at another host, which may see no key."""
    match told:
        case Mapping():
            return {name: _moved(inner) for name, inner in told.items()}
        case str() if told.startswith(BASE_URL):
            return f"{_ELSEWHERE}{told.removeprefix(BASE_URL)}"
        case _:
            return told


def _cancels(drive: Drive) -> None:
    if "cancels" not in drive.builds.powers:
        return
    own: Any = drive.provider
    world = FakeWorld(now=NOW)
    task = drive.accepted(world, drive.builds.kinds[0])
    wire = drive.builds.sound(own.build_cancel(task))
    if task.id in drive.ended:
        return  # the submit was answered when the render was over, so there is nothing to cancel
    answer = drive.ask(world, wire)
    told = None if answer is None else told_by(own.read_cancel, answer, task)
    hold(
        str(told) == "requested",
        f"A cancellation of a running task is read as {told!r}, not as REQUESTED.",
    )
    seen = drive.looked(world, task)
    hold(
        not isinstance(seen, Succeeded),
        f"A task that was cancelled in the queue is read as {seen!r}.",
    )
    done = drive.accepted(world, drive.builds.kinds[0])
    world.now += 10 * world.render_time
    answer = drive.ask(world, drive.builds.sound(own.build_cancel(done)))
    told = None if answer is None else told_by(own.read_cancel, answer, done)
    hold(
        str(told) == "too_late",
        f"A cancellation of a finished task is read as {told!r}, not as TOO_LATE.",
    )
    for status in (401, 403, 429, 500, 503):
        failed = told_by(own.read_cancel, HttpResponse(status=status, body=b"{}"), task)
        hold(
            isinstance(failed, PikaError),
            f"A cancellation that is answered with HTTP {status} is read as {failed!r}: raise.",
        )


def _estimates(drive: Drive) -> None:
    """Ask for the price of each kind of request, where there is one."""
    if "estimates" not in drive.builds.powers:
        return
    own: Any = drive.provider
    for plain in drive.builds.kinds:
        wire = own.build_estimate(plain)
        told = told_by(own.read_estimate, None, plain)
        hold(isinstance(told, Estimate | None), f"A price without an answer is read as {told!r}.")
        if wire is None:
            continue
        world = FakeWorld(now=NOW)
        answer = drive.ask(world, drive.builds.sound(wire))
        hold(not world.billed, f"A price of {type(plain).__name__} is asked for, and an order is billed.")
        told = None if answer is None else told_by(own.read_estimate, answer, plain)
        hold(
            isinstance(told, Estimate) and told.amount > 0 and bool(told.unit),
            f"The price of {type(plain).__name__} ({shown(answer)}) is read as {told!r}.",
        )
        failed = told_by(own.read_estimate, HttpResponse(status=500, body=b"{}"), plain)
        hold(
            failed is None or isinstance(failed, Estimate),
            f"A price that is not told is read as {failed!r}: return None, or what your own table says.",
        )


def _balance(drive: Drive) -> None:
    """Read the balance that the emulator tells."""
    if "reports_balance" not in drive.builds.powers:
        return
    own: Any = drive.provider
    answer = drive.ask(FakeWorld(now=NOW), drive.builds.sound(own.build_balance()))
    told = None if answer is None else told_by(own.read_balance, answer)
    hold(
        isinstance(told, Balance) and told.amount > 0 and bool(told.unit),
        f"The emulator's balance ({shown(answer)}) is read as {told!r}.",
    )
    for status in (401, 403, 429, 500, 503):
        failed = told_by(own.read_balance, HttpResponse(status=status, body=b"{}"))
        hold(
            isinstance(failed, PikaError),
            f"A balance that is answered with HTTP {status} is read as {failed!r}: raise.",
        )
