"""Campaigns: parts end by themselves, add up, and count no seed twice."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from benchmarks import mutations
from benchmarks._campaign import Campaign, OverlapError, Tally, read
from benchmarks.simulation import mutants
from tests.wheels import ROOT


def one(seed: int) -> Tally:
    if seed == 7:
        raise RuntimeError("seven")
    return Tally(Counter(faults=10, lost=seed == 5), ["an order is lost"] if seed == 5 else [])


CAMPAIGN = Campaign(
    name="kills", claim="nothing is lost", one=one, quick=2, full=6, none=("lost",), least={"faults": 60}
)


@pytest.fixture
def ran(monkeypatch, capsys):
    def ran(*words) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["campaign", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            CAMPAIGN.main()
        return int(ended.value.code or 0), capsys.readouterr().out

    return ran


def test_a_part_begins_where_the_logged_ones_ended(ran, tmp_path):
    """Two parts of one log are the whole, and each says where the next one begins."""
    log = tmp_path / "kills.jsonl"
    assert "--from 2" in ran("--log", log)[1]
    assert "--from 5" in ran("--log", log, "--count", 3)[1]
    assert [(part.first, part.after, part.counts["faults"]) for part in read([log])] == [
        (0, 2, 20),
        (2, 5, 30),
    ]


def test_parts_of_several_logs_add_up(ran, tmp_path):
    """A sum is held to the goals of the whole."""
    ran("--log", tmp_path / "a", "--count", 4)
    ran("--log", tmp_path / "b", "--from", 4, "--count", 1)
    code, told = ran("--sum", tmp_path / "a", tmp_path / "b")
    assert code == 0
    assert told.count(" UNMET") == 2  # 5 of 6 seeds, and 50 of 60 faults
    assert "50" in told


def test_no_seed_counts_twice(ran, tmp_path):
    """Parts that overlap have no sum."""
    ran("--log", tmp_path / "a", "--count", 4)
    ran("--log", tmp_path / "b", "--from", 3)
    with pytest.raises(OverlapError, match="seed 3 is in two parts"):
        read([tmp_path / "a", tmp_path / "b"])


def test_what_breaks_is_told_with_its_seed(ran):
    """A finding fails the part, and so does a seed that raises; the seeds after it are tried."""
    code, told = ran("--from", 4, "--count", 4)
    assert code == 1
    assert "seed 5: an order is lost" in told
    assert "seed 7: it raised" in told
    assert "RuntimeError: seven" in told
    assert "--from 8" in told


def test_the_whole_is_what_is_left_of_it(ran, tmp_path):
    """`--full` goes on behind the logged parts and ends with the last seed."""
    ran("--log", tmp_path / "a", "--count", 4)
    assert "--from 6" in ran("--log", tmp_path / "a", "--full")[1]


def test_a_part_ends_when_its_time_is_over(ran):
    """No seed is begun once the minutes are over."""
    assert "--from 0" in ran("--for", 0)[1]


def test_a_part_ends_with_the_whole_however_much_time_is_left(ran):
    """A model has no world behind its last one."""
    code, told = ran("--from", 5, "--for", 1)
    assert "--from 6" in told
    assert "seed 7" not in told
    assert code == 1


PLANTED = [(m.package, m.module, m.old) for m in mutants.MUTANTS] + [
    ("_ledger", m.module, m.old) for m in mutations.MUTANTS
]


@pytest.mark.parametrize(("folder", "module", "old"), PLANTED)
def test_what_a_campaign_changes_stands_in_the_code(folder, module, old):
    """A planted fault whose line is gone stops its campaign after hours, so it is told here."""
    assert old in (ROOT / "pika_async" / folder / f"{module}.py").read_text()
