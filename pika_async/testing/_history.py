"""What a history of tasks must tell: all of them, page by page, each with the address it was sent."""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve

from pika_async.provider import Page
from pika_async.testing._builds import NOW, hold
from pika_async.testing._drive import Drive, told_by
from pika_async.testing._world import FakeWorld

_HISTORY: Final = 120
_PAGES: Final = 12


def check_history(drive: Drive) -> None:
    """Page through a history that is longer than a page, where there is one."""
    if "finds" not in drive.builds.powers:
        return
    own: Any = drive.provider
    world, tasks = FakeWorld(now=NOW), set()
    for number in range(_HISTORY):
        world.now = NOW + number
        tasks.add(drive.accepted(world, evolve(drive.builds.kinds[0], prompt=f"Cat {number}")).id)
    found: dict[str, object] = {}
    cursor: str | None = None
    for _ in range(_PAGES):
        wire = drive.builds.sound(own.build_find(NOW - 10, world.now + 10, cursor))
        answer = drive.ask(world, wire)
        page = None if answer is None else told_by(own.read_find, answer)
        hold(isinstance(page, Page), f"A page of the history is read as {page!r}.")
        assert isinstance(page, Page)  # noqa: S101 - for the types
        found |= {one.snapshot.task.id: one.callback_url for one in page.found}
        if (cursor := page.next_cursor) is None:
            break
    hold(
        cursor is None,
        f"The history of {_HISTORY} tasks does not end within {_PAGES} pages: a cursor must move.",
    )
    hold(found.keys() == tasks, f"The history tells of {len(found.keys() & tasks)} of {_HISTORY} tasks.")
    held = drive.builds.submit(drive.builds.kinds[0]).held  # such a request carries no address
    echoed = held or not drive.provider.capabilities.echoes_token or all(found.values())
    hold(echoed, "echoes_token is declared, and the history tells of tasks without their callback address.")
    empty = drive.ask(world, drive.builds.sound(own.build_find(NOW - 3600, NOW - 1800, None)))
    page = None if empty is None else told_by(own.read_find, empty)
    hold(isinstance(page, Page) and not page.found, f"A time without orders is read as {page!r}.")
