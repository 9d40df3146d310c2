"""Worlds of one seed: whole clients, ledgers, providers and faults in virtual time, and no law is broken."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from attrs import evolve

from benchmarks.simulation.plan import Plan
from benchmarks.simulation.run import run
from benchmarks.simulation.shrink import shrunk

FOUND_A_FAULT = {
    77: "a slot asked for with nothing to send was counted as free twice",
    78: "a closing client called an order free that another process had sent",
    83: "an event of a job that was never recorded kept the outbox from delivering anything",
    424: "one order had two flights when its recording was not heard of",
    605: "a doubt was shown to nobody when its commit was not heard of",
    611: "a lease that was over while the ledger failed had a sent order called free",
    812: "an order that another process had queued again was sent by nobody",
    5679: "a task that another process found was not looked up where its POST was still on its way",
    33495: "an order that another process moved to a fallback was put in the line of its first account",
    1140: "a task that came while the lease for look-ups was given back was never looked up",
}
"""Seeds whose worlds broke a law once, and by what. They may change what they do when the code changes."""


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_no_law_is_broken_in_any_world(first):
    """Whatever is refused, lost, late, killed or stopped; `benchmarks.simulation` runs more of them."""
    outcomes = (run(Plan.of(seed), patience=100.0) for seed in range(first, first + 20))
    assert [outcome.plan.command for outcome in outcomes if outcome.violations] == []


@pytest.mark.parametrize("seed", FOUND_A_FAULT)
def test_what_a_world_once_broke_is_mended(seed):
    """The worlds that found faults of the engine stay in the suite."""
    plan = Plan.of(seed)
    quick = evolve(plan, ledger="shared") if plan.ledger == "sqlite" and seed != 424 else plan
    assert not run(quick).violations


def test_one_seed_is_one_world_in_every_process():
    """To the byte, whatever the hash of a text is there."""
    program = "from benchmarks.simulation.plan import Plan; from benchmarks.simulation.run import run\n"
    program += "print(run(Plan.of(12), keep=True).digest)"
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1")
    }
    here = run(Plan.of(12))
    assert said == {f"{here.digest}\n"}
    assert here.happened["bills"], "a world in which nothing happens proves nothing"


def test_a_fault_of_the_engine_is_found_and_its_world_made_smaller(monkeypatch):
    """An engine that sends after a lost answer once more breaks the law of purchases."""
    from pika_async._engine import sending
    from pika_async._engine.answers import unsent

    monkeypatch.setattr(sending, "_lost", lambda posted, error: unsent(posted, str(error)))
    plan = evolve(
        Plan.of(1), ledger="shared", providers=("acedata",), faults=frozenset({"reset", "late"}), rate=0.5
    )
    assert any("may be" in violation or "was bought" in violation for violation in run(plan).violations)
    small = shrunk(plan, at_most=12)
    assert small.jobs < plan.jobs
    assert f"--seed {plan.seed}" in small.command
