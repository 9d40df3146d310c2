"""The emulators that a sandbox hosts: which they are, which paths are whose, and how one is asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from typing import Final

from attrs import frozen

from pika_async._http import HttpRequest, HttpResponse
from pika_async.emulator import Emulator
from pika_async.errors import ConfigError
from pika_async.sandbox._delivery import sleep_until
from pika_async.sandbox._world import SandboxWorld

_log = logging.getLogger("pika_async.sandbox")

_GROUP: Final = "pika_async.emulators"


@frozen
class Hosted:
    """An emulator and the world that it sees."""

    emulator: Emulator
    world: SandboxWorld

    async def answer(self, request: HttpRequest) -> HttpResponse | None:
        """Return the emulator's answer when its time has come; None closes the connection without one."""
        with self.world.one_moment():
            answer = self.emulator.answer(request, self.world)
            awaited = self.world.post()
        if awaited:
            await asyncio.wait(awaited)
        if isinstance(answer, HttpResponse):
            return answer
        await sleep_until(answer.until, self.world.clock)
        if answer.answer is None:
            return None
        response = answer.answer()
        self.world.post()
        return response


def to_host(emulators: Iterable[Emulator] | None, broken: dict[str, str]) -> Iterator[Emulator]:
    """Yield *emulators*, or the installed ones for None; why one of those cannot be hosted goes to *broken*.

    Raises `ConfigError` where two of *emulators* have one path.
    """
    owners: dict[str, str] = {}
    if emulators is None:
        yield from _installed(owners, broken)
        return
    for number, emulator in enumerate(emulators, 1):
        _own_paths(f"{type(emulator).__name__} (number {number})", emulator, owners)
        yield emulator


def _installed(owners: dict[str, str], broken: dict[str, str]) -> Iterator[Emulator]:
    for entry_point in sorted(entry_points(group=_GROUP), key=lambda point: point.name):
        try:
            emulator = entry_point.load()()
            _own_paths(entry_point.name, emulator, owners)
            yield emulator
        except Exception as error:  # noqa: BLE001  a stranger's plug-in may raise anything
            broken[entry_point.name] = f"{type(error).__name__}: {error}"
            _log.warning("The emulator %s could not be loaded: %s", entry_point.name, error)


def _own_paths(name: str, emulator: Emulator, owners: dict[str, str]) -> None:
    """Note the paths of *emulator* as its own; raises `ConfigError` for one that another answers."""
    for path in emulator.paths:
        if path in owners:
            raise ConfigError(
                f"The emulators {owners[path]} and {name} both answer {path}; give each a path of its own, "
                "or leave one out."
            )
    owners |= dict.fromkeys(emulator.paths, name)
