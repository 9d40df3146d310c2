"""Renders on simulated time: a schedule meets jobs whose ends only the simulation knows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from statistics import median

from attrs import Factory, define, frozen

from pika_async._engine.schedule.schedule import Schedule


@frozen
class Render:
    """A job to come: when it may be submitted, and the seconds its render takes."""

    at: float
    seconds: float
    kind: str = "Generate"


@define
class Run:
    """What happened: each request's time and size, each job's delay from its end to its detection.

    `gaps` tells for each job the longest time that it was not looked at.
    """

    requests: list[tuple[float, int]] = Factory(list)
    delays: list[float] = Factory(list)
    gaps: dict[str, float] = Factory(dict)
    finished_at: float = 0.0

    @property
    def looks(self) -> int:
        """Count the keys of all requests."""
        return sum(size for _, size in self.requests)

    @property
    def p50(self) -> float:
        """Return the median delay."""
        return median(self.delays)

    def busiest(self, window: float) -> int:
        """Count the requests of the busiest half-open window of *window* seconds."""
        times = [at for at, _ in self.requests]
        most = start = 0
        for end, at in enumerate(times):
            while times[start] <= at - window + 1e-9:
                start += 1
            most = max(most, end - start + 1)
        return most


def simulate(
    schedule: Schedule,
    renders: Sequence[Render],
    *,
    slots: int | None = None,
    latency: float = 0.0,
    answers: Callable[[float, tuple[str, ...]], str] = lambda now, keys: "ok",
    until: float = float("inf"),
) -> Run:
    """Drive *schedule* until every render is detected, or *until*.

    At most *slots* jobs are in flight at a time. An answer comes *latency* seconds after its request and is
    "ok", "failed", "429" or "400", as *answers* decides.
    """
    run = Run()
    waiting = deque(sorted(renders, key=lambda render: render.at))
    ends: dict[str, float] = {}
    seen: dict[str, float] = {}
    replies: list[tuple[float, int, tuple[str, ...], float]] = []
    now, number = 0.0, 0
    while waiting or ends:
        while waiting and waiting[0].at <= now and (slots is None or len(ends) < slots):
            render = waiting.popleft()
            key = f"job-{number}"
            number += 1
            ends[key] = now + render.seconds
            seen[key] = now
            schedule.add(key, render.kind, now, now)
        while look := schedule.take(now):
            run.requests.append((now, len(look)))
            for key in look:
                run.gaps[key] = max(run.gaps.get(key, 0.0), now - seen[key])
                seen[key] = now
            heappush(replies, (now + latency, len(run.requests), look, now))
            if latency == 0.0:
                break
        while replies and replies[0][0] <= now:
            _, _, look, sent = heappop(replies)
            match answers(now, look):
                case "failed":
                    schedule.failed(look, now)
                case "429":
                    schedule.failed(look, now)
                    schedule.pace.slow_down(now)
                case "400":
                    schedule.failed(look, now)
                    schedule.halve_batch(len(look))
                case _:
                    for key in look:
                        if ends[key] <= sent:
                            run.delays.append(now - ends.pop(key))
                            schedule.ended(key, now)
                        else:
                            schedule.looked(key, now)
        times = [replies[0][0]] if replies else []
        if waiting and (slots is None or len(ends) < slots):
            times.append(max(waiting[0].at, now))
        if (at := schedule.next_at(now)) is not None:
            times.append(at)
        now = min(times) if times else now
        if now > until:
            break
    for key, at in seen.items():
        if key in ends:
            run.gaps[key] = max(run.gaps.get(key, 0.0), now - at)
    run.finished_at = now
    return run
