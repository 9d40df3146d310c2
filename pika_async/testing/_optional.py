"""The optional powers, driven against the emulator: replay, uploads, cancellation, signed callbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import evolve

from pika_async.provider import REFUSALS, Balance, Blob, Uploaded, Uploading
from pika_async.testing._builds import NOW, hold
from pika_async.testing._drive import Drive, shown, told_by
from pika_async.testing._world import FakeWorld, as_received

_STEPS: Final = 4
_OLD: Final = 3600.0


def check_powers(drive: Drive) -> None:
    """Try each power that the adapter has."""
    _replays(drive)
    _uploads(drive)
    _cancels(drive)
    _forged_callbacks(drive)
    _balance(drive)


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
        answer = drive.ask(world, (own.build_upload(blob, step)))
        hold(answer is not None, "The emulator cuts the line on an upload.")
        told = told_by(own.read_upload, answer, blob, step)
        hold(isinstance(told, Uploading | Uploaded), f"A step of an upload is read as {told!r}.")
        if isinstance(told, Uploaded):
            hold(not world.billed, "An upload is billed.")
            hold(told.link.startswith("http"), f"An upload ends in {told.link!r}, which is no link.")
            return
        step = told  # type: ignore[assignment]
    raise AssertionError(f"An upload does not end within {_STEPS} steps.")


def _cancels(drive: Drive) -> None:
    if "cancels" not in drive.builds.powers:
        return
    own: Any = drive.provider
    world = FakeWorld(now=NOW)
    task = drive.accepted(world, drive.builds.kinds[0])
    answer = drive.ask(world, drive.builds.sound(own.build_cancel(task)))
    told = None if answer is None else told_by(own.read_cancel, answer, task)
    hold(
        str(told) == "requested",
        f"A cancellation of a running task is read as {told!r}, not as REQUESTED.",
    )
    world.now += 10 * world.render_time
    done = drive.accepted(world, drive.builds.kinds[0])
    world.now += 10 * world.render_time
    answer = drive.ask(world, drive.builds.sound(own.build_cancel(done)))
    told = None if answer is None else told_by(own.read_cancel, answer, done)
    hold(
        str(told) == "too_late",
        f"A cancellation of a finished task is read as {told!r}, not as TOO_LATE.",
    )


def _forged_callbacks(drive: Drive) -> None:
    """Give the reader what the emulator signed, and the same with one thing wrong."""
    own: Any = drive.provider
    if "reads_callbacks" not in drive.builds.powers:
        return
    world = FakeWorld(now=NOW)
    drive.accepted(world, drive.builds.kinds[0])
    if not world.signed:
        return
    keys = _keys(drive, world)
    for at, _, body, headers in world.signed:
        lower = {name.lower(): text for name, text in headers.items()}
        read: Callable[..., object] = own.read_callback
        hold(
            told_by(read, body, lower, at, keys) is not None,
            "A signed callback of the emulator is not read.",
        )
        forged: tuple[tuple[bytes, Mapping[str, str], float, str], ...] = (
            (body.replace(b":", b": ", 1), lower, at, "whose body was changed"),
            (body, {}, at, "without headers"),
            (body, {name: text[::-1] for name, text in lower.items()}, at, "whose signature is wrong"),
            (body, lower, at + _OLD, "that is an hour old"),
        )
        for forged_body, forged_headers, moment, what in forged:
            told = told_by(read, forged_body, forged_headers, moment, keys)
            hold(told is None, f"A callback {what} is believed: return None for it.")


def _keys(drive: Drive, world: FakeWorld) -> bytes | None:
    own: Any = drive.provider
    if "signs" in drive.builds.powers:
        answer = drive.ask(world, (own.build_keys()))
        return None if answer is None else answer.body
    return drive.secret


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
