"""The small worlds that are searched: each fault once, and what one of them leaves out another one has."""

from __future__ import annotations

from benchmarks.model.world import Left, Setting

SMALL = (
    Setting(name="a dead owner", attempts=2, fails=False, left=Left(crash=1)),
    Setting(
        name="a commit unheard, a cancel", owners=1, attempts=2, fails=False, left=Left(unheard=1, cancel=1)
    ),
    Setting(name="a word", owners=1, attempts=2, fails=False, left=Left(lose=1, resubmit=1)),
    Setting(name="a replay", attempts=1, fails=False, left=Left(replay=1, crash=1)),
    Setting(name="an heir", attempts=1, keeps=True, fails=False, left=Left(replay=1, crash=1)),
    Setting(name="a copy", attempts=1, left=Left(restore=1)),
    Setting(name="no echo", attempts=1, echoes=False, left=Left(lose=1, abandon=1, lost=1)),
    Setting(name="an adopted token", attempts=1, adopted=True, left=Left(abandon=1, lost=1)),
    Setting(name="a stranger's answer", attempts=1, left=Left(stranger=1)),
)
SUITE = (
    Setting(name="a dead process", owners=1, attempts=2, fails=False, left=Left(crash=1)),
    Setting(name="a commit unheard", owners=1, attempts=1, left=Left(unheard=1, cancel=1)),
    Setting(name="a word, no echo", owners=1, attempts=2, fails=False, echoes=False, left=Left(resubmit=1)),
    *SMALL[3:],
)
"""What runs with the tests, in a few seconds."""
FULL = (
    *SMALL,
    Setting(name="a commit unheard, two owners", attempts=2, left=Left(unheard=1, crash=1, cancel=1)),
    Setting(name="a lost answer, two owners", attempts=2, left=Left(lose=1, crash=1, resubmit=1)),
    Setting(name="replays and a word", owners=1, attempts=2, fails=False, left=Left(replay=2, resubmit=1)),
    Setting(name="replays and a cancel", attempts=1, left=Left(replay=2, cancel=1, crash=1)),
    Setting(name="heirs and a cancel", attempts=1, keeps=True, left=Left(replay=2, crash=2, cancel=1)),
    Setting(name="three attempts", owners=1, attempts=3, fails=False, left=Left(crash=1, lose=1, resubmit=1)),
    Setting(name="all words", owners=1, attempts=2, left=Left(lose=1, cancel=1, resubmit=1, abandon=1)),
    Setting(name="all words, no echo", echoes=False, attempts=2, left=Left(lose=1, resubmit=1, abandon=1)),
    Setting(name="a copy, two owners", attempts=2, left=Left(restore=1, lose=1)),
    Setting(name="a copy, no echo", owners=1, attempts=2, echoes=False, left=Left(restore=1, resubmit=1)),
    Setting(name="adopted, a word", attempts=2, adopted=True, left=Left(resubmit=1, cancel=1, lost=1)),
    Setting(
        name="two jobs, answers mixed up", jobs=2, owners=1, attempts=2, fails=False, left=Left(stranger=1)
    ),
    Setting(
        name="two jobs, callbacks forged",
        jobs=2,
        owners=1,
        attempts=2,
        fails=False,
        echoes=False,
        left=Left(forged=1),
    ),
    Setting(name="two jobs, one slot", jobs=2, attempts=2, fails=False, caps=1, left=Left(crash=1)),
)
