"""What a look-up must tell: of one task, of many, of none, and of a whole history."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import evolve

from pika_async.provider import (
    Failed,
    HttpResponse,
    Outcome,
    Pending,
    PikaError,
    State,
    Succeeded,
    Task,
    VideoRequest,
    decoded,
    is_link,
)
from pika_async.testing._builds import KEY, NOW, hold
from pika_async.testing._drive import Drive, shown, told_by
from pika_async.testing._history import check_history
from pika_async.testing._world import FakeWorld

# `pending` is not here: it means running at some gateways.
_PLAIN: Final[Mapping[State, frozenset[str]]] = {
    State.QUEUED: frozenset({"queued", "in_queue"}),
    State.RUNNING: frozenset({"running", "in_progress", "processing"}),
}


def check_look_ups(drive: Drive) -> None:
    """Look at tasks on their way, at the end, together, and in the history."""
    _is_pending_until_done(drive)
    _tells_all(drive)
    _addresses_are_ours(drive)
    _unknown_task(drive)
    _many_tasks(drive)
    check_history(drive)


def _is_pending_until_done(drive: Drive) -> None:
    for request in drive.requests():
        world = FakeWorld(now=NOW)
        task = drive.accepted(world, request)
        if task.id in drive.ended:
            continue  # the answer to the submit came with the end of the render
        for part in (0.0, 0.1, 0.6):
            world.now = NOW + part * world.render_time
            seen = drive.looked(world, task)
            hold(
                isinstance(seen, Pending),
                f"A task is not finished yet, and read as {seen!r}: return Pending until it is.",
            )
            assert isinstance(seen, Pending)  # noqa: S101 - for the types
            said = _said(drive, world, task)
            hold(
                said is None or seen.state is said,
                f"The look-up says that a task is {said}, and it is read as {seen.state}.",
            )
            _sound(drive, request, seen)


def _said(drive: Drive, world: FakeWorld, task: Task) -> State | None:
    """Return the state that the answer to a look-up plainly says, if it says one."""
    answer = drive.ask(world, drive.builds.sound(drive.provider.build_poll([task])))
    told = set(_state_words(decoded(answer.body))) if answer is not None else set()
    return told.pop() if len(told) == 1 else None


def _state_words(told: Any, name: str = "") -> Iterator[State]:
    match told:
        case dict():
            for key, inner in told.items():
                yield from _state_words(inner, key)
        case list():
            for inner in told:
                yield from _state_words(inner, name)
        case str() if name in {"state", "status"}:
            yield from (state for state, words in _PLAIN.items() if told.casefold() in words)
        case _:
            pass


def _sound(drive: Drive, request: VideoRequest, seen: Pending | Succeeded) -> None:
    """Check what every snapshot of a look-up must be."""
    kept = json.dumps(dict(seen.task.locator))
    hold(KEY not in kept, f"The key is in the task's locator ({kept}), which is kept in the ledger.")
    hold(
        KEY not in f"{seen!r}",
        "The key is shown in what a look-up is read as.",
    )
    wire = drive.builds.submit(request)
    if drive.provider.capabilities.echoes_token and not wire.held:
        sent = drive.builds.call(told=True).callback_url
        echoed = None if seen.callback_url is None else seen.callback_url.reveal()
        hold(
            sent is None or echoed == sent.reveal(),
            f"echoes_token is declared, and a look-up is read with callback_url={echoed!r}, which is not the "
            f"address that was sent: it proves whose task this is.",
        )


def _addresses_are_ours(drive: Drive) -> None:
    """Put a stranger's addresses where an answer had its own: the key must not follow them."""
    world = FakeWorld(now=NOW)
    task = drive.accepted(world, drive.builds.kinds[0])
    strange = {
        name: f"https://elsewhere.test/{name}" if is_link(str(value)) else value
        for name, value in task.locator.items()
    }
    own: Any = drive.provider
    for locator in (strange, {**strange, "completed": True}):
        moved = Task(task.id, locator)
        drive.builds.sound(drive.provider.build_poll([moved]))
        if "cancels" in drive.builds.powers:
            drive.builds.sound(own.build_cancel(moved))


def _tells_all(drive: Drive) -> None:
    """Compare what a finished task is read as with what its answer plainly holds."""
    for request in drive.requests():
        world = FakeWorld(now=NOW)
        task = drive.accepted(world, request)
        world.now += 10 * world.render_time
        answer = drive.ask(world, drive.builds.sound(drive.provider.build_poll([task])))
        seen = drive.looked(world, task)
        if answer is None or not isinstance(seen, Succeeded):
            continue
        _sound(drive, request, seen)
        body, first = answer.body.decode(), seen.results[0]
        for video in seen.results:
            hold(
                bool(video.id) and video.state is State.SUCCEEDED and is_link(video.video_url or ""),
                f"A finished video is read as {video!r}: it needs an id, the state SUCCEEDED and its link.",
            )
            swapped = "poster.jpg" in f"{video.video_url}" or "video.mp4" in f"{video.image_url}"
            hold(not swapped, f"The links of the video and of its cover are mixed up in {video!r}.")
        if "/poster.jpg" in body:
            hold(
                bool(first.image_url),
                f"The answer holds a cover, and image_url is None: {shown(answer)}.",
            )
        if '"duration": 5' in body:
            hold(first.duration == 5, f"The answer holds a duration, and it is read as {first.duration!r}.")
        if '"trace_id"' in body:
            hold(
                bool(seen.trace_id),
                f"The answer holds a trace_id, which support asks for: {shown(answer)}.",
            )


def _unknown_task(drive: Drive) -> None:
    world = FakeWorld(now=NOW)
    drive.accepted(world, drive.builds.kinds[0])
    known = next(iter(world.tasks), "task")
    missing = Task("".join("0" if char.isalnum() else char for char in str(known)))
    answer = drive.ask(world, drive.builds.sound(drive.provider.build_poll([missing])))
    if answer is None:
        return
    told = told_by(drive.provider.read_poll, answer, [missing])
    empty = isinstance(told, Mapping) and not told
    hold(
        empty or (isinstance(told, PikaError) and answer.status >= 500),
        f"A task that the provider does not know is answered with {shown(answer)}: return no entry for it, "
        f"not {told!r}. It may be known later.",
    )


def _many_tasks(drive: Drive) -> None:
    if drive.provider.capabilities.poll_batch < 2:
        return
    world = FakeWorld(now=NOW)
    words = ("A cat", f"A dog {Outcome.RENDER_FAILS.value}", "A fox")
    plain = next(iter(drive.wordy()))
    tasks = [drive.accepted(world, evolve(plain, prompt=word)) for word in words]
    world.now += 10 * world.render_time
    alone = {task.id: drive.looked(world, task) for task in tasks}
    for order in itertools.permutations(tasks):
        for count in (2, 3):
            asked = list(order[:count])
            answer = drive.ask(world, drive.builds.sound(drive.provider.build_poll(asked)))
            told = None if answer is None else told_by(drive.provider.read_poll, answer, asked)
            hold(isinstance(told, Mapping), f"A look-up of {count} tasks is read as {told!r}.")
            for task in asked:
                seen = told.get(task.id) if isinstance(told, Mapping) else None
                hold(
                    _same(seen, alone[task.id]),
                    f"A look-up of {count} tasks tells of one what belongs to another: match each answer to "
                    f"its task by the task's id, never by its place.",
                )
    left = _partly(drive, world, tasks)
    if left is not None:
        told = told_by(drive.provider.read_poll, left, tasks)
        hold(
            isinstance(told, Mapping) and all(_same(told[key], alone[key]) for key in told),
            f"A look-up that is answered for some of its tasks is read as {told!r}: return those alone.",
        )


def _partly(drive: Drive, world: FakeWorld, tasks: list[Task]) -> HttpResponse | None:
    """Return the answer to a look-up of *tasks* without the first record of its list."""
    answer = drive.ask(world, drive.builds.sound(drive.provider.build_poll(tasks)))
    if answer is None:
        return None
    body = json.loads(answer.body)
    lists = [body] if isinstance(body, list) else [part for part in body.values() if isinstance(part, list)]
    if not lists:
        return None
    del lists[0][:1]
    return evolve(answer, body=json.dumps(body).encode())


def _same(one: object, other: object) -> bool:
    match one, other:
        case Succeeded(), Succeeded():
            return one.results == other.results
        case Failed(), Failed():
            return one.reason == other.reason
        case _:
            return type(one) is type(other)
