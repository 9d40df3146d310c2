"""A list of prompts becomes a folder of videos: what is bought, what is not, and what is said."""

import errno
import json
import os
import shlex
import signal
import threading
import time
from collections import Counter

import pytest
from click.testing import CliRunner

from pika_acedata import AceDataEmulator
from pika_async import LedgerError
from pika_async._engine import rounds, sweeper
from pika_async._ledger.sqlite import opening
from pika_async._ledger.times import Times
from pika_async.batch import folder
from pika_async.batch.folder import BatchFolder
from pika_async.cli import _batch_run
from pika_async.cli._app import app
from pika_async.emulator import Held
from pika_async.gallery import MANIFEST, Manifest, RowState

POSTS = ("POST", "/pika/videos")


@pytest.fixture
def listed(tmp_path):
    """Write prompts, one on each line; gives the list."""

    def write(*prompts, name="prompts.txt"):
        path = tmp_path / name
        path.write_text("".join(f"{prompt}\n" for prompt in prompts))
        return path

    return write


@pytest.fixture
def videos(tmp_path):
    """Return the folder that batches write to; it does not exist yet."""
    return tmp_path / "videos"


@pytest.fixture
def sandbox(sandbox_beside):
    """Start a sandbox that renders at once."""
    return sandbox_beside(render_time=0.01)


def rows_of(videos):
    return list(Manifest(videos / MANIFEST).entries().values())


def is_video(path):
    return path.read_bytes()[4:8] == b"ftyp"


def test_a_hundred_prompts_become_a_hundred_files_and_a_gallery(tried, listed, videos):
    """One command brings every video with its poster, records it, and shows it."""
    prompts = [f"A cat surfing wave {number}" for number in range(1, 101)]
    result = tried("batch", listed(*prompts), "--out", videos)
    assert (result.exit_code, result.stdout) == (0, f"{videos / 'index.html'}\n")
    rows = rows_of(videos)
    assert [row.request["prompt"] for row in rows] == prompts
    assert [row.file for row in rows][:2] == ["001-a-cat-surfing-wave-1.mp4", "002-a-cat-surfing-wave-2.mp4"]
    folder = BatchFolder(videos)
    assert all(folder.is_whole(row) and is_video(videos / row.file) for row in rows)
    assert all((videos / row.poster).read_bytes().startswith(b"\xff\xd8") for row in rows)
    times = [row.timings for row in rows]
    assert all(t.created_at <= t.submitted_at <= t.rendered_at <= t.finished_at for t in times)
    assert (videos / "index.html").read_text().count("<video") == 100


def test_the_same_command_again_sends_nothing(run, sandbox, listed, videos):
    """Whoever has everything asks nobody for anything."""
    words = ["batch", listed("A cat", "A dog"), "--out", videos]
    run(*words)
    sent = sum(sandbox.requests.values())
    again = run(*words)
    assert (again.exit_code, sum(sandbox.requests.values())) == (0, sent)
    assert "2 of 2 videos are in" in again.stderr


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"\0" * 4777)])
def test_what_is_missing_or_damaged_is_fetched_and_not_bought(run, sandbox, listed, videos, damage):
    """Size and hash of the manifest tell whether a file is the one that was fetched."""
    words = ["batch", listed("A cat", "A dog"), "--out", videos]
    run(*words)
    damage(videos / "002-a-dog.mp4")
    assert run(*words).exit_code == 0
    assert is_video(videos / "002-a-dog.mp4")
    assert sandbox.billed == {"A cat": 1, "A dog": 1}


def test_one_failure_stops_nothing(run, sandbox, listed, videos):
    """The others are brought; the exit code is 1, and the row is told with its line and reason."""
    words = ["batch", listed("# pets", "A cat", "A bat sandbox-render-fails", "A dog"), "--out", videos]
    result = run(*words)
    assert result.exit_code == 1
    assert [row.state for row in rows_of(videos)] == [RowState.DONE, RowState.FAILED, RowState.DONE]
    assert "row 2 (line 3): The provider could not render" in result.stderr
    assert "2 of 3 videos are in" in result.stderr
    assert "--retry-failed" in result.stderr


def test_a_failed_row_is_ordered_anew_on_demand_only(run, sandbox, listed, videos):
    """A failed job is final: only --retry-failed buys another, and later runs go on with that one."""
    words = ["batch", listed("A bat sandbox-render-fails"), "--out", videos]
    prompt = "A bat sandbox-render-fails"
    assert [run(*words).exit_code, run(*words).exit_code] == [1, 1]
    assert sandbox.billed == {prompt: 1}
    run(*words, "--retry-failed")
    assert run(*words).exit_code == 1
    assert sandbox.billed == {prompt: 2}


def test_what_moderation_refused_is_not_asked_again(run, sandbox, listed, videos):
    """A refusal of the prompt is final too; nothing was bought, and it is not sent again by itself."""
    words = ["batch", listed("A bat sandbox-moderated"), "--out", videos]
    result = [run(*words), run(*words)][1]
    assert sandbox.requests[POSTS] == 1
    assert "change the prompt" in result.stderr
    run(*words, "--retry-failed")
    assert sandbox.requests[POSTS] == 2


def test_what_the_moment_refused_is_asked_again(run, sandbox, listed, videos):
    """An empty balance is filled up, and the same command goes on."""
    words = ["batch", listed("A bat sandbox-no-balance"), "--out", videos]
    run(*words)
    run(*words)
    assert sandbox.requests[POSTS] == 2


def test_nothing_is_bought_while_any_row_is_wrong(run, sandbox, listed, videos):
    """Everything wrong is told at once: reading, what a provider can express, files that are not there."""
    rows = ('{"prompt": "A cat"}', '{"prompt": "A", "motion": 3}', '{"prompt": "B", "image": "no.png"}')
    result = run("batch", listed(*rows, name="p.jsonl"), "--provider", "acedata", "--out", videos)
    assert result.exit_code == 1
    assert "2 things are wrong in p.jsonl; nothing was bought." in result.stderr
    assert "p.jsonl line 2: acedata: motion cannot be expressed" in result.stderr
    assert "p.jsonl line 3: " in result.stderr
    assert not sandbox.requests
    assert not videos.exists()


def test_a_dry_run_shows_what_would_be_sent(run, sandbox, listed, videos, monkeypatch):
    """One request a line, without key and callback token; nothing is sent or made."""
    monkeypatch.setenv("ACEDATA_API_KEY", "sandbox-canary")
    result = run("batch", listed("A cat", "A dog"), "--out", videos, "--dry-run")
    assert result.exit_code == 0
    shown = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["row"], row["line"], row["provider"], row["method"]) for row in shown] == [
        (1, 1, "acedata", "POST"),
        (2, 2, "acedata", "POST"),
    ]
    assert shown[1]["url"] == f"{sandbox.url}/pika/videos"
    assert shown[1]["headers"]["authorization"] == "***"
    assert shown[1]["body"]["prompt"] == "A dog"
    assert shown[1]["body"]["callback_url"] == "***"
    assert "canary" not in result.output
    assert not sandbox.requests
    assert not videos.exists()


def test_a_dry_run_shows_no_value_of_extra_body(run, listed, videos):
    """People put keys there: the names are shown, wherever the adapter has put them."""
    extra = {"user": "canary-in-extra", "fps": 77, "deep": {"key": "canary-2"}}
    row = json.dumps({"prompt": "A cat", "extra_body": extra})
    words = [listed(row, name="p.jsonl"), "--provider", "acedata", "--out", videos, "--dry-run"]
    result = run("batch", *words)
    shown = json.loads(result.stdout)["body"]
    assert (shown["user"], shown["fps"], shown["deep"]) == ("***", "***", {"key": "***"})
    assert shown["prompt"] == "A cat"
    assert "canary" not in result.output


def test_a_dry_run_in_the_sandbox_shows_its_address(run, listed, videos):
    """What is shown is what would be sent: nothing goes to the provider itself."""
    result = run("batch", listed("A cat"), "--out", videos, "--sandbox", "--dry-run")
    assert json.loads(result.stdout)["url"].startswith("http://127.0.0.1:")
    assert not videos.exists()


def test_a_dry_run_leaves_out_what_is_bought(run, sandbox, listed, videos):
    """Rows that are done or under way are not sent again, so they are not shown."""
    run("batch", listed("A cat"), "--out", videos)
    result = run("batch", listed("A cat", "A dog"), "--out", videos, "--dry-run")
    assert [json.loads(line)["row"] for line in result.stdout.splitlines()] == [2]
    assert "1 of 2 rows would be bought; 1 are already." in result.stderr


def test_a_dry_run_needs_no_key(run, listed, videos):
    """Who has chosen a provider sees its requests, files of theirs shortened."""
    image = videos.parent / "cat.png"
    image.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 4000)
    words = [listed('{"prompt": "A", "image": "cat.png"}', name="p.jsonl"), "--provider", "acedata"]
    result = run("batch", *words, "--out", videos, "--dry-run")
    (shown,) = (json.loads(line) for line in result.stdout.splitlines())
    assert shown["body"]["image_url"][0].endswith(" characters)")
    assert len(result.stdout) < 1000


def test_max_submits_caps_and_more_can_be_allowed(run, sandbox, listed, videos):
    """At the cap the other rows wait, and a higher cap goes on with them."""
    words = ["batch", listed("A", "B", "C", "D"), "--out", videos, "--max-concurrency", 1]
    capped = run(*words, "--max-submits", 2)
    assert (capped.exit_code, sandbox.billed) == (1, {"A": 1, "B": 1})
    assert "2 rows wait: The spending cap of 2 submits is reached" in capped.stderr
    assert run(*words, "--max-submits", 4).exit_code == 0
    assert sandbox.billed == Counter("ABCD")


def test_a_changed_list_buys_what_is_new(run, sandbox, listed, videos):
    """A row is known by what it asks for: moved rows keep their files, changed and repeated ones are new."""
    run("batch", listed("A cat", "A dog", "A cat"), "--out", videos)
    result = run("batch", listed("A fox", "A dog", "A cat", "A cat", "A cat"), "--out", videos)
    assert result.exit_code == 0
    assert sandbox.billed == {"A cat": 3, "A dog": 1, "A fox": 1}
    assert [row.file for row in rows_of(videos)] == [
        "001-a-fox.mp4", "002-a-dog.mp4", "001-a-cat.mp4", "003-a-cat.mp4", "005-a-cat.mp4",
    ]  # fmt: skip


def test_a_video_whose_row_is_gone_stays(run, sandbox, listed, videos):
    """What was paid is shown after the rows of the list; a new row takes nobody's file."""
    run("batch", listed("A cat"), "--out", videos)
    run("batch", listed('{"prompt": "A cat", "model": "1.5"}', name="p.jsonl"), "--out", videos)
    assert [(row.number, row.file) for row in rows_of(videos)] == [
        (1, "001-a-cat-2.mp4"),
        (2, "001-a-cat.mp4"),
    ]


def test_nothing_goes_on_where_every_open_row_failed_for_good(tried, listed, videos):
    """The same command again would do nothing: only the one that may cost again is told."""
    prompts = listed("A cat", "A bat sandbox-render-fails")
    result = tried("batch", prompts, "--out", videos)
    assert "To go on" not in result.stderr
    assert result.stderr.splitlines()[-1].endswith(f"--out {videos} --sandbox --retry-failed")
    assert json.loads(tried("batch", prompts, "--out", videos, "--json").stdout)["continue"] is None


def test_a_ledger_elsewhere(run, sandbox, listed, videos, tmp_path):
    """A folder on a network disk keeps the record of its jobs on a local one; how to go on names it."""
    ledger = tmp_path / "local.db"
    words = ["batch", listed("A cat", "B sandbox-no-balance"), "--out", videos, "--ledger", ledger]
    result = run(*words)
    assert f"--ledger {ledger}" in result.stderr
    assert ledger.exists()
    assert not (videos / "jobs.db").exists()
    (videos / "001-a-cat.mp4").unlink()
    run(*words)
    assert is_video(videos / "001-a-cat.mp4")
    assert sandbox.billed == {"A cat": 1}


def test_a_ledger_that_cannot_be_kept_is_told_with_the_way_out(tried, listed, videos, monkeypatch):
    """A file system that loses commits is refused before an order, and the option is named."""
    monkeypatch.setattr(opening, "prepare", lambda path: (_ for _ in ()).throw(LedgerError("It is on nfs4.")))
    result = tried("batch", listed("A cat"), "--out", videos)
    assert result.exit_code == 1
    assert "It is on nfs4." in result.stderr
    assert "--ledger FILE" in result.stderr


def test_a_folder_without_locks_is_told(tried, listed, videos, monkeypatch):
    """Some network disks have none: the batch goes on, and says that it keeps no other batch out."""

    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder.fcntl, "flock", flock)
    result = tried("batch", listed("A cat"), "--out", videos)
    assert result.exit_code == 0
    assert "has no locks (No locks available): run one batch at a time there" in result.stderr


def test_extra_columns_are_told_once_and_left_out_on_demand(tried, listed, videos):
    """A table that people keep has columns of their own."""
    rows = ("Nr;Prompt;Owner", *(f"{n};Cat {n};me" for n in range(9)))
    words = ["batch", listed(*rows, name="p.csv"), "--out", videos]
    result = tried(*words)
    assert result.stderr.count("no field is called") == 2
    assert "--ignore-extra-columns" in result.stderr
    assert tried(*words, "--ignore-extra-columns").exit_code == 0
    assert [row.request["prompt"] for row in rows_of(videos)] == [f"Cat {n}" for n in range(9)]


def test_a_lost_ledger_is_a_question(tried, listed, videos):
    """Without a terminal the question is an error that names both ways on; nothing is bought."""
    words = ["batch", listed("A cat", "A dog"), "--out", videos]
    tried(*words)
    (videos / "002-a-dog.mp4").unlink()
    (videos / "jobs.db").unlink()
    result = tried(*words)
    assert result.exit_code == 1
    assert "--ledger" in result.stderr
    assert f"row 2: {rows_of(videos)[1].token}" in result.stderr
    assert tried(*words, "--adopt").exit_code == 0
    assert is_video(videos / "002-a-dog.mp4")


def test_the_question_is_asked_at_a_terminal(tried, listed, videos, monkeypatch):
    """Who says yes goes on at once."""
    words = ["batch", listed("A cat"), "--out", videos]
    tried(*words)
    (videos / "001-a-cat.mp4").unlink()
    (videos / "jobs.db").unlink()
    asked = []
    monkeypatch.setattr(_batch_run, "_at_a_terminal", lambda: True)
    monkeypatch.setattr(_batch_run.click, "confirm", lambda text, **_: asked.append(text) or len(asked) > 1)
    assert [tried(*words).exit_code for _ in range(2)] == [1, 0]
    assert "by their tokens" in asked[0]


def test_json_is_one_object(tried, listed, videos):
    """`--json` prints one object: the counts, the command that continues, and every row."""
    prompts = listed("A cat", "A bat sandbox-render-fails", "A fox sandbox-no-balance")
    result = tried("batch", prompts, "--out", videos, "--json")
    found = json.loads(result.stdout)
    assert [found[name] for name in ("total", "done", "failed")] == [3, 1, 2]
    assert found["continue"] == f"pika-async batch {prompts} --out {videos} --sandbox"
    assert [row["state"] for row in found["rows"]] == ["done", "failed", "failed"]
    assert found["rows"][1]["error"]["name"] == "JobFailed"


def test_kinds_and_local_files_of_a_csv(run, sandbox, listed, videos):
    """A CSV chooses the kind of each row, and its files lie beside it."""
    (videos.parent / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    rows = ("kind,prompt,images,style", ",A cat,,", "ingredients,They dance,a.png,", "style,A duck,,Inflate")
    assert run("batch", listed(*rows, name="p.csv"), "--out", videos).exit_code == 0
    assert [row.request["kind"] for row in rows_of(videos)] == ["generate", "ingredients", "style"]


def test_another_batch_keeps_out(tried, listed, videos):
    """Two batches at a time in one folder would write over each other."""
    with BatchFolder(videos).held():
        result = tried("batch", listed("A cat"), "--out", videos)
    assert result.exit_code == 1
    assert "Another batch is running" in result.stderr


def test_sandbox_and_real_videos_do_not_mix(run, tried, sandbox, listed, videos):
    """A row that was only pretended would otherwise pass as done."""
    prompts = listed("A cat")
    assert tried("batch", prompts, "--out", videos).exit_code == 0
    result = run("batch", prompts, "--out", videos)
    assert result.exit_code == 1
    assert "videos of the sandbox" in result.stderr
    assert not sandbox.billed


def test_a_lost_answer_is_found_and_brought(run, sandbox, listed, videos, monkeypatch):
    """An order whose answer is cut off is looked for in the provider's history, in the same run."""
    monkeypatch.setattr(rounds, "_FIRST", 0.01)
    assert run("batch", listed("A cat sandbox-dropped"), "--out", videos).exit_code == 0
    assert sandbox.billed == {"A cat sandbox-dropped": 1}


def test_what_nobody_can_tell_is_for_a_person(run, sandbox, listed, videos, monkeypatch):
    """An order that is never found is told with the command that settles it; the next run orders nothing."""
    monkeypatch.setattr(rounds, "_FIRST", 0.01)
    monkeypatch.setattr(rounds, "_PERIOD", 0.01)
    monkeypatch.setattr(sweeper, "_PERIOD", 0.01)
    monkeypatch.setattr(Times, "lease", 0.05)
    monkeypatch.setitem(Times.__init__.__kwdefaults__, "resolve", 0.05)
    monkeypatch.setitem(Times.__init__.__kwdefaults__, "acceptance", -1800.0)
    words = ["batch", listed("A cat", "A bat sandbox-html"), "--out", videos]
    for result in (run(*words), run(*words)):
        assert result.exit_code == 1
        assert f"pika-async resolve --ledger {videos / 'jobs.db'} " in result.stderr
    assert sandbox.requests[POSTS] == 2


def test_a_render_that_takes_too_long_goes_on(run, sandbox, listed, videos):
    """When the wait is over the row has no file; another run waits for the same job."""
    words = ["batch", listed("A cat sandbox-never-finishes"), "--out", videos, "--timeout", "0.1"]
    assert "the job goes on" in run(*words).stderr
    assert run(*words).exit_code == 1
    assert sandbox.billed == {"A cat sandbox-never-finishes": 1}


def test_a_file_of_somebody_else_is_left_alone(run, sandbox, listed, videos):
    """A name that is taken is not ours to write to."""
    videos.mkdir()
    (videos / "001-a-cat.mp4").write_text("mine")
    assert run("batch", listed("A cat"), "--out", videos).exit_code == 0
    assert (videos / "001-a-cat.mp4").read_text() == "mine"
    assert is_video(videos / "001-a-cat-2.mp4")


class SlowToAnswer:
    """AceData, but every answer is *delay* seconds late."""

    def __init__(self, delay):
        self._delay, self._emulator = delay, AceDataEmulator()
        self.paths = self._emulator.paths
        self.asked = threading.Event()

    def answer(self, request, world):
        answer = self._emulator.answer(request, world)
        self.asked.set()
        return Held(until=world.now + self._delay, answer=lambda: answer)


def test_ctrl_c_waits_for_answers_and_says_how_to_go_on(process, run, sandbox_beside, listed, videos):
    """Orders under way are brought to their end, and the command that is printed continues: nothing twice."""
    emulator = SlowToAnswer(0.3)
    sandbox = sandbox_beside(emulators=[emulator], render_time=0.01)
    prompts = ["A cat", "A dog", "A fox"]
    words = ["batch", listed(*prompts), "--out", videos, "--max-concurrency", 2]
    with process(*map(str, words)) as running:
        assert emulator.asked.wait(30)
        running.interrupt()
        code, out, err = running.end()
    assert (code, out) == (130, "")
    assert "Interrupted; waiting for " in err
    assert "Traceback" not in err
    billed = dict(sandbox.billed)
    assert 1 <= len(billed) <= 2
    assert sum(row.token is not None for row in rows_of(videos)) == len(billed)
    continued = shlex.split(err.splitlines()[-1])
    assert continued[:5] == ["pika-async", *map(str, words[:4])]
    assert run(*continued[1:]).exit_code == 0
    assert sandbox.billed == Counter(prompts)


def test_a_sandbox_that_was_interrupted_goes_on_with_its_own_orders(tried, listed, videos, run):
    """The sandbox of the next run knows them: forty rows are forty orders, and none is left open."""
    words = ["batch", listed(*(f"Cat {n}" for n in range(40))), "--out", videos, "--max-concurrency", 3]

    def interrupt():
        while not list(videos.glob("*.mp4")):
            time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    interrupted = tried(*words)
    interrupting.join()
    assert interrupted.exit_code == 130
    assert tried(*words).exit_code == 0
    jobs = json.loads(run("jobs", "--ledger", videos / "jobs.db", "--limit", "100", "--json").stdout)["jobs"]
    assert [job["state"] for job in jobs] == ["succeeded"] * 40
    assert len((videos / "sandbox.jsonl").read_text().splitlines()) == 40


def test_stdin_is_a_list(sandbox, videos):
    """`-` reads the list from stdin; how to go on says that it is needed again."""
    words = ["batch", "-", "--out", str(videos)]
    result = CliRunner().invoke(app, words, input='{"prompt": "A cat"}\n{"prompt": "B sandbox-moderated"}\n')
    assert sandbox.billed == {"A cat": 1}
    assert "with the same list on stdin." in result.stderr
