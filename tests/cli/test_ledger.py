"""Where the command line keeps jobs, and what that is good for from one command to the next."""

import json
import stat

import platformdirs
import pytest

from pika_async.cli._ledger import place
from tests.cli.ledgers import read, write


@pytest.fixture
def sandbox(sandbox_beside):
    """Return a provider that renders at once."""
    return sandbox_beside(render_time=0.01)


def jobs(run, *words):
    """List the jobs."""
    return json.loads(run("jobs", "--json", *words).stdout)["jobs"]


def test_jobs_are_kept_in_the_state_directory(monkeypatch, tmp_path):
    """Where the platform wants state to be."""
    monkeypatch.delenv("PIKA_ASYNC_LEDGER")
    monkeypatch.setattr(platformdirs, "user_state_path", lambda name, **_: tmp_path / name)
    assert place(None) == tmp_path / "pika-async" / "jobs.db"


def test_the_folder_is_made_for_its_owner(run, sandbox, ledger):
    """On first use, for nobody else's eyes."""
    assert run("generate", "A cat").exit_code == 0
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (ledger.parent, ledger)]
    assert modes == [0o700, 0o600]
    assert [job["prompt"] for job in jobs(run)] == ["A cat"]


def test_an_option_names_another_ledger(run, sandbox, ledger, tmp_path):
    """`--ledger FILE` outranks the environment."""
    file = tmp_path / "other.db"
    run("generate", "A cat", "--ledger", file)
    assert [job["state"] for job in jobs(run, "--ledger", file)] == ["succeeded"]
    assert not ledger.exists()


def test_the_folder_of_a_named_ledger_is_not_made(run, sandbox, tmp_path):
    """A name that may be a slip makes no folders, and nothing is bought."""
    result = run("generate", "A cat", "--ledger", tmp_path / "slip" / "jobs.db")
    assert "Create it first" in result.stderr
    assert sandbox.requests == {}


def test_pretended_jobs_are_not_kept(tried, run, ledger):
    """`--sandbox` leaves no trace in the user's ledger."""
    assert tried("generate", "A cat").exit_code == 0
    assert not ledger.exists()


def test_pretended_jobs_in_a_named_ledger_keep_to_themselves(tried, run, tmp_path):
    """Nobody looks for them at the real provider."""
    file = tmp_path / "jobs.db"
    tried("generate", "A cat sandbox-never-finishes", "--timeout", "0.1", "--ledger", file)
    assert [(job["state"], job["account"]) for job in jobs(run, "--ledger", file)] == [("running", "sandbox")]
    assert run("recover", "--ledger", file).stderr == "There is nothing to recover.\n"


def test_the_same_key_buys_once(run, sandbox):
    """`--idempotency-key` gives the same job in another process, and no second POST."""
    tokens = {
        json.loads(run("generate", "A cat", "--idempotency-key", "order-1", "--json").stdout)["token"]
        for _ in range(2)
    }
    assert len(tokens) == 1
    assert sandbox.billed == {"A cat": 1}


def test_the_same_key_for_another_request_is_refused(run, sandbox):
    """A key stands for one request."""
    run("generate", "A cat", "--idempotency-key", "order-1")
    result = run("generate", "A dog", "--idempotency-key", "order-1")
    assert result.exit_code == 1
    assert sandbox.billed == {"A cat": 1}


def test_the_cap_holds_from_command_to_command(run, sandbox):
    """`--max-submits` counts what the ledger ever bought."""
    codes = [run("generate", "A cat", "--max-submits", 2).exit_code for _ in range(3)]
    assert codes == [0, 0, 1]
    assert sandbox.billed == {"A cat": 2}


def test_the_cap_on_money_holds_from_command_to_command(run, sandbox, tmp_path, monkeypatch):
    """`--max-cost` counts the prices of what the ledger ever bought, and needs one for each order."""
    assert run("generate", "A cat", "--max-cost", 1).exit_code == 1
    (tmp_path / "prices.toml").write_text('[[price]]\nprovider = "acedata"\namount = 0.4\n')
    monkeypatch.setenv("PIKA_ASYNC_PRICES", str(tmp_path / "prices.toml"))
    codes = [run("generate", "A cat", "--max-cost", 1).exit_code for _ in range(3)]
    assert codes == [0, 0, 1]
    assert run("generate", "A cat", "--max-cost", "much").exit_code == 1
    assert sandbox.billed == {"A cat": 2}


@pytest.mark.parametrize("name", ["id", "start", "token"])
def test_fetch_takes_any_name(run, sandbox, tmp_path, name):
    """`fetch` needs an id, the start of one or a token, and finds the provider itself."""
    run("generate", "A cat")
    (job,) = jobs(run)
    file = tmp_path / "cat.mp4"
    names = {"id": job["id"], "start": job["id"][:6], "token": job["token"]}
    assert run("fetch", names[name], "-o", file).exit_code == 0
    assert file.read_bytes()[4:8] == b"ftyp"
    assert sandbox.billed == {"A cat": 1}


def test_fetch_adopts_a_foreign_token(run, sandbox, ledger, tmp_path):
    """A token from elsewhere becomes a job of this ledger, and is not bought."""
    run("generate", "A cat", "--ledger", tmp_path / "other.db")
    (job,) = jobs(run, "--ledger", tmp_path / "other.db")
    assert run("fetch", job["token"]).exit_code == 0
    assert [(adopted["id"], adopted["kind"]) for adopted in jobs(run)] == [(job["id"], None)]
    assert sandbox.billed == {"A cat": 1}


def test_fetch_does_not_wait_for_what_was_not_sent(run, sandbox, ledger):
    """The error leads to the way out."""
    write(ledger, ("aaaabbbb", "queued"))
    result = run("fetch", "aaaa")
    assert result.exit_code == 1
    assert "`pika-async job aaaabbbb`" in result.stderr
    assert sandbox.requests == {}


def test_fetch_names_an_unresolved_job(run, sandbox, ledger):
    """Only a person can help; the error says so at once."""
    write(ledger, ("aaaabbbb", "unresolved"))
    assert "settle it with `pika-async resolve`" in run("fetch", "aaaa").stderr


def test_asking_again_finds_a_lost_answer(run, sandbox, tmp_path):
    """The same key leads to the job whose answer was lost, which is looked for and not bought again."""
    words = ("generate", "A cat sandbox-dropped", "--idempotency-key", "order-1")
    assert run(*words).exit_code == 1
    assert run(*words, "-o", tmp_path / "cat.mp4").exit_code == 0
    assert sandbox.billed == {"A cat sandbox-dropped": 1}


def test_a_lost_answer_leads_to_recover(run, sandbox, ledger):
    """Whoever may have paid is told what looks for the job, and it is kept."""
    result = run("generate", "A cat sandbox-dropped")
    said, command = result.stderr.splitlines()[-2:]
    assert said == "To look for it, at no cost:"
    assert command.startswith("  pika-async recover")
    (job,) = jobs(run)
    assert job["state"] == "ambiguous"
    assert read(ledger, job["id"]).newest.slot


def test_a_timeout_names_the_ledger(run, sandbox, tmp_path):
    """The command that goes on finds the same ledger."""
    words = ("generate", "A cat sandbox-never-finishes", "--timeout", "0.1")
    said = run(*words, "--ledger", tmp_path / "jobs.db").stderr
    assert f" --ledger {tmp_path / 'jobs.db'} " in said.splitlines()[-1]


def test_listen_takes_the_same_ledger(run, ledger, monkeypatch):
    """Without options, `listen` receives into the ledger of all other commands."""
    from pika_async.cli import serve

    seen = []

    async def listened(used, *_):
        seen.append(used)

    monkeypatch.setattr(serve, "_listen", listened)
    assert run("listen").exit_code == 0
    assert seen == [ledger]
