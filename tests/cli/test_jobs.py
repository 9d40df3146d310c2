"""The list of jobs: newest first, narrow enough, without network or key, and made shorter."""

import json
import time

import pytest

from pika_async import Ingredients
from tests.cli.ledgers import WAYS, read, write

EVERY = [(f"{way[:4]}aaaa", way) for way in WAYS]


def test_lists_newest_first(run, ledger):
    """The table fits 80 columns, however long a prompt is, and shows enough of an id to name it."""
    request = Ingredients("They dance " * 20, ["https://cdn.example.com/a.png"])
    write(ledger, ("firstaaaabbbb", "queued"), ("secondaabbbb", "running", {"request": request}))
    lines = run("jobs").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["id", "secondaabb", "firstaaaab"]
    assert max(map(len, lines)) <= 80
    assert " ".join(lines[1].split()).startswith("secondaabb running acedata ingredients They dance They")
    assert lines[1].split()[-1] == "yes"


@pytest.mark.parametrize(
    ("state", "ids"),
    [
        ("unresolved", {"unreaaaa", "lostaaaa"}),
        ("abandoned", {"abanaaaa"}),
        ("failed", {"failaaaa", "refuaaaa"}),
        ("running", {"runnaaaa"}),
    ],
)
def test_a_state_is_where_jobs_stand(run, ledger, state, ids):
    """`--state` takes the words of the table, also those that a ledger has no row for."""
    write(ledger, *EVERY)
    found = json.loads(run("jobs", "--state", state, "--json").stdout)["jobs"]
    assert {job["id"] for job in found} == ids
    assert {job["state"] for job in found} == {state}


def test_json_has_these_keys(run, ledger):
    """`--json` is one object, and every job in it has the documented keys in their order."""
    write(ledger, ("aaaa", "failed"))
    (job,) = json.loads(run("jobs", "--json").stdout)["jobs"]
    assert list(job) == [
        "id", "state", "provider", "account", "kind", "prompt", "created_at", "charged", "token",
    ]  # fmt: skip
    assert (job["account"], job["kind"], job["charged"]) == ("default", "generate", "unknown")
    assert job["created_at"] == "2023-11-14T22:13:20+00:00"


def test_the_limit_holds(run, ledger):
    """`--limit` gives the newest, also behind jobs that stand elsewhere."""
    write(ledger, *((f"{name}aaaa", way) for name in "abc" for way in ("abandoned",)), ("daaa", "lost"))
    found = json.loads(run("jobs", "--state", "abandoned", "--limit", 2, "--json").stdout)["jobs"]
    assert [job["id"] for job in found] == ["caaaa", "baaaa"]


def test_unresolved_jobs_are_pointed_at(run, ledger):
    """Whoever lists jobs learns that some wait for a word."""
    write(ledger, ("aaaa", "unresolved"))
    assert "`pika-async job ID`" in run("jobs").stderr


def test_looking_makes_no_ledger(run, ledger):
    """Without a ledger there are no jobs; nothing is made for that."""
    result = run("jobs")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "There are no jobs yet.\n")
    assert not ledger.parent.exists()


def test_a_slip_in_the_name_is_noticed(run, tmp_path):
    """A ledger that was named and is not there is an error."""
    result = run("jobs", "--ledger", tmp_path / "job.db")
    assert result.exit_code == 1
    assert "check --ledger" in result.stderr


def test_prune_forgets_what_has_long_ended(run, ledger):
    """What still runs, or may have cost money unseen, stays; so does what ended lately."""
    write(ledger, *EVERY, ("youngaaa", "succeeded", {"created_at": time.time()}))
    assert run("jobs", "prune", "--older-than", "30d", "--dry-run").stdout == "4 jobs would be forgotten.\n"
    assert read(ledger, "succaaaa")
    assert run("jobs", "prune", "--older-than", "30d").stdout == "4 jobs are forgotten.\n"
    left = {job["id"] for job in json.loads(run("jobs", "--json").stdout)["jobs"]}
    gone = {"succaaaa", "failaaaa", "refuaaaa", "cancaaaa"}
    assert left == {job_id for job_id, _ in EVERY} - gone | {"youngaaa"}


@pytest.mark.parametrize("span", ["30", "d", "-1d", "1.5d", "30 days"])
def test_a_span_needs_its_unit(run, span):
    """A bare number could be anything; nothing is forgotten for it."""
    result = run("jobs", "prune", "--older-than", span)
    assert result.exit_code == 2
    assert "not like 30d" in result.stderr
