"""`cancel` gives up what was not sent, and says what became of the rest."""

import json

from tests.cli.ledgers import read, write


def test_an_unsent_job_is_given_up(run, sandbox_beside, ledger):
    """At no cost, and for good."""
    sandbox = sandbox_beside(render_time=0.01)
    file = write(ledger, ("aaaabbbb", "queued"))
    result = run("cancel", "aaaa", "--json")
    assert (result.exit_code, json.loads(result.stdout)["cancelled"]) == (0, "unsent")
    assert read(file, "aaaabbbb").state == "cancelled"
    assert not sandbox.billed


def test_a_running_job_of_a_provider_that_stops_none_goes_on(run, sandbox_beside, ledger):
    """The exit code tells a script."""
    sandbox_beside(render_time=60)
    write(ledger, ("aaaabbbb", "running"))
    result = run("cancel", "aaaa")
    assert result.exit_code == 1
    assert "stops no jobs" in result.stdout


def test_a_job_that_nobody_knows_is_an_error(run, sandbox_beside, ledger):
    """As with every command."""
    sandbox_beside(render_time=60)
    assert run("cancel", "zzzz").exit_code == 1
