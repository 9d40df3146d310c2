"""What SIGKILL costs a durable batch: a thousand kills, at every point and at random; the provider counts."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from attrs import Factory, define

from benchmarks._report import Figure, Report
from tests.batch_story import LATER, Story, story
from tests.durable_batch import VIDEO
from tests.kill_points import Point

CLAIM = "a durable batch, killed and started again until it is done, loses nothing and buys nothing twice"
NOWHERE = "at random"
_LIVES = 20
_POINTS = (
    Point.BEFORE_INTENT,
    Point.ACK_LOST,
    Point.BEFORE_CONNECT,
    Point.AFTER_FENCE,
    Point.UNREAD,
    Point.UNANSWERED,
    Point.ANSWER_IN_HAND,
    Point.OUTCOME_FAILED,
    Point.BEFORE_NEXT_CLAIM,
    Point.POLL_IN_HAND,
)


@define(eq=False)
class Tally:
    """What all stories came to: *kills* by place, and prompts by what became of them."""

    kills: Counter[str] = Factory(Counter)
    prompts: int = 0
    lost: int = 0
    double: int = 0
    in_doubt: int = 0
    hidden: int = 0


async def lives(s: Story, chance: Random, tally: Tally, kills: int) -> None:
    """Kill the program *kills* times while its batch grows, half of them at random; then let it finish."""
    prompts: list[str] = []
    for life in range(kills):
        prompts += [f"cat {life}.{number}" for number in range(3)]
        s.time.leap(chance.choice([0.0, 20.0, LATER]))
        if chance.random() < 0.5:
            await s.killed_after(chance.uniform(0, 0.1), prompts)
            tally.kills[NOWHERE] += 1
            continue
        point = chance.choice(_POINTS)
        await s.killed_at(point, prompts)
        tally.kills[point] += 1
        if point is Point.UNREAD and chance.random() < 0.5:
            s.doorway.drop()
        elif point is Point.UNREAD:
            await s.doorway.open()
    await _count(s, prompts, tally)


async def _count(s: Story, prompts: list[str], tally: Tally) -> None:
    doubtful = await s.reconciled(prompts)
    unknown = frozenset(prompt for prompt in doubtful if not s.sandbox.billed[prompt])
    last = await s.ended(prompts, resubmit=unknown, stay=10.0) if doubtful else dict.fromkeys(prompts, VIDEO)
    tally.prompts += len(prompts)
    tally.in_doubt += len(doubtful)
    tally.lost += sum(last[prompt] != VIDEO and prompt in unknown for prompt in prompts)
    tally.double += sum(count - 1 for count in s.sandbox.billed.values())
    # Whatever has no video and was not said to be in doubt.
    tally.hidden += sum(last[prompt] != VIDEO and prompt not in doubtful for prompt in prompts)


def _seeds(kills: int) -> Iterator[tuple[int, int]]:
    for seed, start in enumerate(range(0, kills, _LIVES)):
        yield seed, min(_LIVES, kills - start)


async def _told(kills: int, tally: Tally) -> None:
    for seed, share in _seeds(kills):
        # A quarter of the stories has a provider whose history cannot be searched.
        with TemporaryDirectory() as folder:
            provider = "duomi" if seed % 4 == 3 else "acedata"
            async with story(Path(folder), provider, render_time=0.3) as s:
                await lives(s, Random(seed), tally, share)


def measure(*, full: bool) -> Report:
    """1,000 kills, in quick form 60."""
    kills, tally, started = 1_000 if full else 60, Tally(), time.perf_counter()
    asyncio.run(_told(kills, tally))
    return Report(
        name="kills",
        claim=CLAIM,
        quick=not full,
        rows=[{"killed": place, "times": times} for place, times in sorted(tally.kills.items())],
        figures=[
            Figure(name="kills", value=tally.kills.total(), goal=kills, at_least=True),
            Figure(name="videos lost", value=tally.lost, goal=0),
            Figure(name="videos bought twice", value=tally.double, goal=0),
            Figure(name="doubts not surfaced", value=tally.hidden, goal=0),
            Figure(name="videos", value=tally.prompts),
            Figure(name="doubts surfaced, and settled by a word", value=tally.in_doubt),
            Figure(name="a kill takes", value=(time.perf_counter() - started) / kills * 1000, unit="ms"),
        ],
    )


def main() -> None:
    """Kill; ends with 1 if a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="60 kills, not 1,000")
    report = measure(full=not parser.parse_args().quick)
    print(report.text())
    sys.exit(any(figure.verdict == "UNMET" for figure in report.figures))


if __name__ == "__main__":
    main()
