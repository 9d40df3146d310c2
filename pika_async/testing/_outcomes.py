"""The outcomes that an emulator knows, each of which the adapter must tell by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pika_async.provider import (
    REFUSALS,
    AuthError,
    ContentBlocked,
    Failed,
    HttpResponse,
    InsufficientBalance,
    Outcome,
    Pending,
    PikaError,
    RateLimited,
    Succeeded,
)
from pika_async.testing._builds import BASE_URL, NOW, hold
from pika_async.testing._drive import Drive, kind_of, shown, told_by
from pika_async.testing._world import FakeWorld

_REFUSED: Final[Mapping[Outcome, type[PikaError]]] = {
    Outcome.MODERATED: ContentBlocked,
    Outcome.RATE_LIMITED: RateLimited,
    Outcome.RETRY_AFTER: RateLimited,
    Outcome.NO_BALANCE: InsufficientBalance,
}
_ENDS: Final[Mapping[Outcome, str]] = {
    Outcome.RENDER_FAILS: "provider",
    Outcome.MODERATED_LATE: "content",
    Outcome.NO_LINK: "no_output",
}


def check_outcomes(drive: Drive) -> None:
    """Drive the emulator to every outcome that it knows."""
    for outcome, error in _REFUSED.items():
        _refused(drive, outcome, error)
    for outcome in (Outcome.SERVER_ERROR, Outcome.HTML):
        _proves_nothing(drive, outcome)
    for outcome, reason in _ENDS.items():
        _fails(drive, outcome, reason)
    _documented(drive)
    _refused_by_status(drive)
    _wrong_key(drive)


def _refused(drive: Drive, outcome: Outcome, error: type[PikaError]) -> None:
    for request in drive.requests(outcome):
        world = FakeWorld(now=NOW)
        answer, told = drive.sent(world, request)
        if world.billed or answer is None:
            return  # the emulator does not know this word
        hold(
            isinstance(told, error),
            f"{outcome.value} is {outcome.meaning}: raise {error.__name__} for {shown(answer)}, "
            f"not {told!r}.",
        )
        hold(
            getattr(told, "charged", "no") == "no",
            f"{error.__name__} for {shown(answer)} says that money went; a refusal costs nothing.",
        )


def _proves_nothing(drive: Drive, outcome: Outcome) -> None:
    for request in drive.requests(outcome):
        world = FakeWorld(now=NOW)
        answer, told = drive.sent(world, request)
        if world.billed or answer is None:
            return
        hold(
            isinstance(told, PikaError) and not isinstance(told, REFUSALS),
            f"{shown(answer)} proves nothing, since the order may have been taken: raise SubmitUnknown, "
            f"not {told!r}.",
        )


def _fails(drive: Drive, outcome: Outcome, reason: str) -> None:
    for request in drive.requests(outcome):
        world = FakeWorld(now=NOW)
        answer, told = drive.sent(world, request)
        if not world.billed or not isinstance(told, Pending | Succeeded | Failed):
            hold(
                not world.billed,
                f"{kind_of(request)} was accepted ({shown(answer)}), and read as {told!r}.",
            )
            return
        world.now += 10 * world.render_time
        seen = drive.looked(world, told.task)
        if isinstance(seen, Succeeded) and all(video.video_url for video in seen.results):
            return  # the emulator does not know this word
        if outcome is not Outcome.NO_LINK and isinstance(seen, Failed) and drive.words(world, told.task):
            hold(
                bool(seen.message or seen.code),
                f"The look-up says why the render failed, and {seen!r} says nothing: hand message and code "
                f"on.",
            )
        # A provider may publish the link later than its word for success.
        waits = isinstance(seen, Pending) and outcome is Outcome.NO_LINK
        hold(
            waits or (isinstance(seen, Failed) and seen.reason == reason),
            f"{outcome.value} is {outcome.meaning}: return Failed(reason={reason!r}), not {seen!r}.",
        )


def _documented(drive: Drive) -> None:
    """Give the reader every refusal that the emulator knows from its documents."""
    refusals = getattr(drive.emulator, "refusals", None)
    for answer, error in () if refusals is None else refusals():
        told = told_by(drive.provider.read_submit, answer, drive.builds.kinds[0])
        hold(
            type(told) is error,
            f"The documents say that {shown(answer)} is {error.__name__}, and it is read as {told!r}.",
        )
        hold(
            getattr(told, "charged", None) == error.default_charged,
            f"{error.__name__} for {shown(answer)} says charged={getattr(told, 'charged', None)!r}.",
        )


def _refused_by_status(drive: Drive) -> None:
    """Give the reader the statuses that are documented as refusals, with bodies that say nothing."""
    for status in drive.refused_by_status:
        for body in (b"", b"<html>not here</html>", b"{}"):
            answer = HttpResponse(status=status, body=body)
            told = told_by(drive.provider.read_submit, answer, drive.builds.kinds[0])
            hold(
                isinstance(told, REFUSALS),
                f"HTTP {status} is documented as a refusal whatever the body says (refused_by_status), and "
                f"{shown(answer)} is read as {told!r}.",
            )


def _wrong_key(drive: Drive) -> None:
    stranger = drive.factory(api_key="wrong-key", base_url=BASE_URL)
    request = drive.builds.kinds[0]
    world = FakeWorld(now=NOW)
    task = drive.accepted(world, request)
    call = drive.builds.call(told=True)
    answer = drive.ask(world, stranger.build_submit(request, call))
    if answer is None or len(world.billed) > 1:
        return  # the emulator takes every key
    told = told_by(stranger.read_submit, answer, request)
    hold(
        isinstance(told, AuthError),
        f"A wrong key is answered with {shown(answer)}: raise AuthError, not {told!r}.",
    )
    looked = drive.ask(world, stranger.build_poll([task]))
    if looked is not None and looked.status in {401, 403}:
        told = told_by(stranger.read_poll, looked, [task])
        hold(
            isinstance(told, PikaError),
            f"A look-up with a wrong key is answered with {shown(looked)}: raise, and do not return "
            f"{told!r}.",
        )
