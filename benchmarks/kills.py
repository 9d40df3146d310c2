"""What SIGKILL costs a durable batch: a thousand kills, at every point and at random; the provider counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks._campaign import Campaign, Tally
from tests.batch_story import LATER, Story, story
from tests.durable_batch import VIDEO
from tests.kill_points import Point

CLAIM = "a durable batch, killed and started again until it is done, loses nothing and buys nothing twice"
NOWHERE = "at random"
_LIVES = 20
_ALL_SLOTS = 8
"""Lives after which three doubts of each would hold almost every slot of the account, for half an hour."""
_HALF_AN_HOUR = 1_800.0
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


async def lives(s: Story, chance: Random, tally: Tally, kills: int) -> None:
    """Kill the program *kills* times while its batch grows, half of them at random; then let it finish."""
    prompts: list[str] = []
    for life in range(kills):
        if life and life % _ALL_SLOTS == 0:
            s.time.leap(_HALF_AN_HOUR)
            await s.reconciled(prompts)
        prompts += [f"cat {life}.{number}" for number in range(3)]
        s.time.leap(chance.choice([0.0, 20.0, LATER]))
        if chance.random() < 0.5:
            await s.killed_after(chance.uniform(0, 0.1), prompts)
            tally.counts[f"killed {NOWHERE}"] += 1
            continue
        point = chance.choice(_POINTS)
        await s.killed_at(point, prompts)
        tally.counts[f"killed: {point}"] += 1
        if point is Point.UNREAD and chance.random() < 0.5:
            s.doorway.drop()
        elif point is Point.UNREAD:
            await s.doorway.open()
    await _count(s, prompts, tally)


async def _count(s: Story, prompts: list[str], tally: Tally) -> None:
    doubtful = await s.reconciled(prompts)
    unknown = frozenset(prompt for prompt in doubtful if not s.sandbox.billed[prompt])
    last = await s.ended(prompts, resubmit=unknown, stay=10.0) if doubtful else dict.fromkeys(prompts, VIDEO)
    for prompt in prompts:
        if last[prompt] != VIDEO and prompt in unknown:
            tally.counts["videos lost"] += 1
            tally.broken.append(f"{prompt} was never bought: it is {last[prompt]}")
        if last[prompt] != VIDEO and prompt not in doubtful:
            tally.counts["doubts not surfaced"] += 1
            tally.broken.append(
                f"{prompt} has no video and was not said to be in doubt: it is {last[prompt]}"
            )
    for prompt, bills in s.sandbox.billed.items():
        if bills > 1:
            tally.counts["videos bought twice"] += bills - 1
            tally.broken.append(f"{prompt} was bought {bills} times")
    tally.counts["videos"] += len(prompts)
    tally.counts["doubts surfaced, and settled by a word"] += len(doubtful)


async def _told(seed: int) -> Tally:
    tally = Tally(Counter(kills=_LIVES))
    # A quarter of the stories has a provider whose history cannot be searched.
    with TemporaryDirectory() as folder:
        provider = "duomi" if seed % 4 == 3 else "acedata"
        async with story(Path(folder), provider, render_time=0.3) as s:
            await lives(s, Random(seed), tally, _LIVES)
    return tally


CAMPAIGN = Campaign(
    name="kills",
    claim=CLAIM,
    one=lambda seed: asyncio.run(_told(seed)),
    quick=3,
    full=50,
    none=("videos lost", "videos bought twice", "doubts not surfaced"),
    least={"kills": 1_000},
)
measure = CAMPAIGN.measure

if __name__ == "__main__":
    CAMPAIGN.main()
