"""The conformance kit: every promise of the provider contract that can be tried without a network."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve

from pika_async import _contract
from pika_async.provider import (
    REFUSALS,
    ConfigError,
    Emulator,
    Failed,
    HttpRequest,
    HttpResponse,
    Outcome,
    Pending,
    ProviderFactory,
    Snapshot,
    Succeeded,
    Task,
    VideoRequest,
)
from pika_async.testing._answers import echoing, odd_answers, paths, spoilt
from pika_async.testing._builds import BASE_URL, KEY, NOW, TASKS, VALUES, Builds, hold
from pika_async.testing._documents import check_documents
from pika_async.testing._drive import Drive
from pika_async.testing._look_ups import check_look_ups
from pika_async.testing._optional import check_powers
from pika_async.testing._outcomes import check_outcomes
from pika_async.testing._reads import Reads
from pika_async.testing._wire import check_wire
from pika_async.testing._world import FakeWorld


def check_provider(
    factory: ProviderFactory,
    *,
    emulator: Emulator | None = None,
    values: Mapping[str, Sequence[Any]] | None = None,
    refused_by_status: Collection[int] = (),
    secret: bytes | None = None,
) -> None:
    """Try every promise of the contract on what *factory* makes; raises AssertionError for a broken one.

    With an *emulator*, a request is followed from the submit to the video as well, and each answer is tried
    with every part of it damaged.
    *values* adds values of request fields to try, for a provider that accepts only special ones.
    *refused_by_status* are HTTP statuses that the provider documents as refusals whatever the body says.
    *secret* is what the *emulator* signs callbacks with, where both sides share it.
    """
    for check in checks(
        factory, emulator=emulator, values=values, refused_by_status=refused_by_status, secret=secret
    ).values():
        check()


def checks(
    factory: ProviderFactory,
    *,
    emulator: Emulator | None = None,
    values: Mapping[str, Sequence[Any]] | None = None,
    refused_by_status: Collection[int] = (),
    secret: bytes | None = None,
) -> Mapping[str, Callable[[], None]]:
    """Return the parts of `check_provider` by name, in their order, for tests that run them one by one."""
    provider = factory(api_key=KEY, base_url=BASE_URL)
    powers = _contract.check_provider(provider)
    builds = Builds(provider=provider, powers=powers, values={**VALUES, **(values or {})})
    reads = Reads(
        provider=provider, powers=powers, request=builds.kinds[0], refused_by_status=refused_by_status
    )
    parts: dict[str, Callable[[], None]] = {
        "requests": lambda: _check_requests(factory, builds),
        "fields": builds.check_fields,
        "look_ups": builds.check_look_ups,
        "odd_answers": lambda: reads.check(odd_answers(KEY)),
    }
    if emulator is not None:
        drive = Drive(
            factory=factory,
            emulator=emulator,
            builds=builds,
            secret=secret,
            refused_by_status=refused_by_status,
        )
        parts |= {
            "the_whole_way": lambda: _goes_the_whole_way(emulator, builds, reads, secret),
            "outcomes": lambda: check_outcomes(drive),
            "tasks": lambda: check_look_ups(drive),
            "wire": lambda: check_wire(drive),
            "powers": lambda: check_powers(drive),
            "documents": lambda: check_documents(drive),
            "spoilt_answers": lambda: _reads_spoilt_answers(emulator, builds, reads),
        }
    return parts


def _check_requests(factory: ProviderFactory, builds: Builds) -> None:
    builds.check_requests()
    for address in (BASE_URL, "http://localhost:8080", "http://127.0.0.1:8080"):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            factory(api_key=KEY, base_url=address)
        hold(
            not told, f"The adapter warns of {address}, where a key is safe: {[one.message for one in told]}."
        )
    variables = builds.provider.capabilities.key_variables
    try:
        factory(api_key="", base_url=BASE_URL)
    except ConfigError as error:
        strange = set(re.findall(r"\b[A-Z][A-Z0-9]*_\w+", str(error))) - {*variables}
        hold(
            not strange or not variables,
            f"The error for an empty key names {', '.join(strange)}, and Capabilities.key_variables are "
            f"{', '.join(variables)}.",
        )


def _goes_the_whole_way(emulator: Emulator, builds: Builds, reads: Reads, secret: bytes | None) -> None:
    """Go from each kind of request to its video, and to its callbacks."""
    for plain in builds.kinds:
        reads = evolve(reads, request=plain)
        world = FakeWorld(now=NOW)
        name = type(plain).__name__
        answer, task = _accepted(world, emulator, builds, reads, plain)
        hold(len(world.billed) == 1, f"{name} was billed {len(world.billed)} times.")
        world.now += 10 * world.render_time
        *_, (_, _, looked) = _looks(world, emulator, builds, task)
        seen = looked or reads.submit(answer)
        done = isinstance(seen, Succeeded) and any(video.video_url for video in seen.results)
        hold(done, f"{name} is rendered, and read as {seen!r}.")
        hold(KEY not in repr(seen), f"The key is shown in what is made of a finished {name}.")
        for status in (400, 401, 402, 403, 409, 422, 429):
            refused = isinstance(reads.submit(evolve(answer, status=status)), REFUSALS)
            hold(not refused, f"An answer that names a task is refused for HTTP {status}.")
        for status in (200, 400, 403, 422, 500):
            told = reads.submit(evolve(answer, status=status, body=_with_error(answer.body)))
            hold(
                not isinstance(told, (*REFUSALS, Failed)),
                f"An answer that names a task beside an error is read as {type(told).__name__} for HTTP "
                f"{status}: return Pending, so that the task is looked at before the error is believed.",
            )
        if "reads_callbacks" in builds.powers:
            own: Any = builds.provider
            signs = "signs" in builds.powers
            keys = _asked(world, emulator, builds.sound(own.build_keys())).body if signs else secret
            _check_pushes(world, task.id, reads, name, keys)


def _reads_spoilt_answers(emulator: Emulator, builds: Builds, reads: Reads) -> None:
    """Give every reader the emulator's own answers, spoilt in each place that no answer before had."""
    known: set[object] = set()
    for plain in builds.kinds:
        reads = evolve(reads, request=plain)
        world = FakeWorld(now=NOW)
        answer, task = _accepted(world, emulator, builds, reads, plain)
        world.now += 10 * world.render_time
        # Where the answer to the submit told all, there may be nothing to look up.
        looks = [(one, about) for one, about, seen in _looks(world, emulator, builds, task) if seen]
        pushed = [HttpResponse(status=200, body=json.dumps(body).encode()) for _, _, body in world.callbacks]
        for good, about in ((answer, task), *looks, *((push, task) for push in pushed)):
            new = [path for path in paths(json.loads(good.body)) if (about == task, path) not in known]
            known |= {(about == task, path) for path in new}
            for status in (200, 400, 502) if new else ():
                reads.check(spoilt(evolve(good, status=status), new), (about, TASKS[0]))
                reads.check_words(echoing(evolve(good, status=status), new, f"the key {KEY}"), about)
    for outcome in (Outcome.MODERATED, Outcome.RENDER_FAILS, Outcome.SERVER_ERROR):
        _echoes(emulator, builds, reads, outcome)


def _echoes(emulator: Emulator, builds: Builds, reads: Reads, outcome: Outcome) -> None:
    """Give the readers the emulator's own words about *outcome*, with the key in each of them."""
    plain = builds.kinds[0]
    if "prompt" in builds.provider.capabilities.lacks.get(type(plain), ()):
        return
    world = FakeWorld(now=NOW)
    answer = _asked(world, emulator, builds.submit(evolve(plain, prompt=f"A cat {outcome.value}")))
    about, told = TASKS[0], reads.submit(answer)
    answers = [answer]
    if isinstance(told, Pending | Succeeded):
        about = told.task
        world.now += 10 * world.render_time
        answers += [looked for looked, _, _ in _looks(world, emulator, builds, about)]
    for one in answers:
        if one.headers.get("content-type", "").startswith("application/json"):
            places = list(paths(json.loads(one.body)))
            reads.check_words(echoing(one, places, f"the key {KEY}"), about)


def _accepted(
    world: FakeWorld, emulator: Emulator, builds: Builds, reads: Reads, plain: VideoRequest
) -> tuple[HttpResponse, Task]:
    """Submit *plain*; return the emulator's answer and the task that the adapter finds in it."""
    answer = _asked(world, emulator, builds.submit(plain))
    match reads.submit(answer):
        case Pending(task=task) | Succeeded(task=task):
            return answer, task
        case other:
            name = type(plain).__name__
            raise AssertionError(f"The emulator's own answer to {name} is read as {other!r}.")


def _looks(
    world: FakeWorld, emulator: Emulator, builds: Builds, task: Task
) -> Iterator[tuple[HttpResponse, Task, Snapshot | None]]:
    """Look *task* up, and a second time where the render is over and its result takes another look."""
    looked = _asked(world, emulator, builds.sound(builds.provider.build_poll([task])))
    seen = builds.provider.read_poll(looked, [task]).get(task.id)
    yield looked, task, seen
    if isinstance(seen, Pending) and seen.poll_after == 0:
        further = task.merged(seen.task)
        result = _asked(world, emulator, builds.sound(builds.provider.build_poll([further])))
        yield result, further, builds.provider.read_poll(result, [further]).get(task.id)


def _check_pushes(world: FakeWorld, task_id: str, reads: Reads, name: str, keys: bytes | None) -> None:
    """Read the callbacks as they came; a signed one is nobody's when a byte of it or its keys differ."""
    unsigned: Mapping[str, str] = {}
    plain = [(json.dumps(body).encode(), unsigned, NOW) for _, _, body in world.callbacks]
    for body, headers, at in [(raw, told, at) for at, _, raw, told in world.signed] or plain:
        seen = reads.callback(body, headers, at, keys)
        about = seen.task.id if isinstance(seen, Snapshot) else None
        hold(about == task_id, f"The emulator's callback about {name} is read as {seen!r}.")
        for forged in [(body + b" ", headers, keys), (body, {}, keys), (body, headers, None)]:
            seen = reads.callback(forged[0], forged[1], at, forged[2])
            hold(not headers or seen is None, f"A forged callback about {name} is read as {seen!r}.")


def _with_error(body: bytes) -> bytes:
    """Put an error, in every common place, beside what an answer says."""
    why = "the request is not valid"
    error = {"error": {"code": "bad_request", "message": why}, "code": 400, "message": why, "msg": why}
    return json.dumps({**json.loads(body), **error, "success": False}).encode()


def _asked(world: FakeWorld, emulator: Emulator, request: HttpRequest) -> HttpResponse:
    path = request.url.removeprefix(BASE_URL)
    hold(path.startswith(tuple(emulator.paths)), f"The emulator does not answer {path}.")
    answer = world.ask(emulator, request)
    if answer is None:
        raise AssertionError(f"The emulator cuts the line on {path}.")
    return answer
