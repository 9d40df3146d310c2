"""The soak sees what grows."""

from __future__ import annotations

from benchmarks.soak import Sample, report


def samples(leak: float) -> list[Sample]:
    """Return a minute in which memory swings by 1 MiB, and grows by *leak* MiB a second."""
    return [
        Sample(at=2.0 * n, memory=80 + n % 2 + 2 * leak * n, files=20, tasks=40, ledger=1.0, done=n)
        for n in range(1, 31)
    ]


def test_what_grows_is_not_flat():
    """A leak of half a MiB a second is found, and a swing is not taken for one."""
    leaks, steady = (report(samples(leak), quick=True).figures for leak in (0.5, 0.0))
    assert [figure.name.split()[2] for figure in leaks if figure.verdict == "UNMET"] == ["memory"]
    assert not [figure for figure in steady if figure.verdict == "UNMET"]
