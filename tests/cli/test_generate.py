"""Buying a video: the result, the refusals before anything is bought, the errors after."""

import errno
import json
import os
import stat

import click
import pytest

MP4 = b"ftyp"


def test_saves_the_video_and_prints_its_name(tried, tmp_path):
    """`-o FILE` brings a whole video to FILE; stdout holds its name alone."""
    file = tmp_path / "cat.mp4"
    result = tried("generate", "A cat", "-o", file)
    assert (result.exit_code, result.stdout) == (0, f"{file}\n")
    assert file.read_bytes()[4:8] == MP4
    assert list(tmp_path.iterdir()) == [file]


def test_every_provider_works_in_the_sandbox(tried, tmp_path):
    """`--provider duomi --sandbox` needs no key either."""
    result = tried("generate", "A cat", "--provider", "duomi", "-o", tmp_path / "cat.mp4")
    assert result.exit_code == 0
    assert "duomi delivered 4" in result.stderr


def test_providers_are_taken_in_order_of_preference(tried):
    """A request goes to the first named provider that can express it."""
    result = tried(
        "generate", "A cat", "--provider", "acedata", "--provider", "duomi", "--seed", "7", "--json"
    )
    assert json.loads(result.stdout)["provider"] == "duomi"


def test_prints_the_link_without_a_file(tried):
    """Without `-o` the link is all there is on stdout, and stderr says that it will not last."""
    result = tried("generate", "A cat")
    assert result.stdout.startswith("http://127.0.0.1:")
    assert result.stdout.endswith("/video.mp4\n")
    assert "add -o FILE" in result.stderr


def test_json_is_one_object(tried, tmp_path):
    """`--json` prints one object on stdout, with the documented keys in their order."""
    file = tmp_path / "cat.mp4"
    result = tried("generate", "A cat", "--json", "-o", file)
    found = json.loads(result.stdout)
    assert list(found) == [
        "id", "video_url", "image_url", "duration", "state", "token", "provider", "file",
    ]  # fmt: skip
    assert found["token"].startswith("pika1.")
    assert (found["state"], found["provider"], found["file"]) == ("succeeded", "acedata", str(file))


def test_an_existing_file_is_refused_before_buying(run, sandbox_beside, tmp_path):
    """A file that exists costs nothing."""
    sandbox = sandbox_beside(render_time=0.01)
    file = tmp_path / "cat.mp4"
    file.write_text("mine")
    result = run("generate", "A cat", "-o", file)
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert (file.read_text(), sandbox.requests) == ("mine", {})


def test_overwrite_replaces(tried, tmp_path):
    """`--overwrite` is the user's word that the old file may go."""
    file = tmp_path / "cat.mp4"
    file.write_text("old")
    assert tried("generate", "A cat", "-o", file, "--overwrite").exit_code == 0
    assert file.read_bytes()[4:8] == MP4


@pytest.mark.parametrize("place", ["", "file/cat.mp4"])
def test_an_impossible_place_is_refused(tried, tmp_path, place):
    """A folder, or a place under a file, is a usage error and not a lost video."""
    (tmp_path / "file").write_text("")
    result = tried("generate", "A cat", "-o", tmp_path / place)
    assert result.exit_code == 2
    assert "'-o'" in result.stderr


def test_folders_are_made(tried, tmp_path):
    """FILE may lie in a folder that does not exist yet."""
    assert tried("generate", "A cat", "-o", tmp_path / "new" / "cat.mp4").exit_code == 0
    assert stat.S_ISREG((tmp_path / "new" / "cat.mp4").stat().st_mode)


@pytest.mark.parametrize("option", ["--image", "--video"])
def test_missing_media_is_refused(tried, option):
    """A file that is not there is named before anything is bought."""
    result = tried("generate", "A cat", option, "nope.png")
    assert result.exit_code == 2
    assert "'nope.png' is no http(s) link, and no file that can be read (No such file" in result.stderr


def test_a_local_image_is_sent(tried, tmp_path):
    """`--image FILE` reads the file."""
    image = tmp_path / "cat.png"
    image.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert tried("generate", "It waves", "--image", image).exit_code == 0


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("sandbox-moderated", "change the prompt"),
        ("sandbox-no-balance", "balance"),
        ("sandbox-render-fails", "could not render"),
        ("sandbox-no-link", "gives no video"),
        ("sandbox-late-moderated", "moderation stopped the video"),
        ("sandbox-rate-limited", "wait, then call again"),
    ],
)
def test_a_failure_is_one_plain_sentence(tried, word, sentence):
    """What goes wrong is said on stderr, with exit code 1 and without a traceback."""
    result = tried("generate", f"A cat {word}")
    (error,) = (line for line in result.stderr.splitlines() if line.startswith("Error: "))
    assert sentence in error.casefold()
    assert (result.exit_code, result.stdout) == (1, "")
    assert isinstance(result.exception, SystemExit)


def test_a_lost_answer_names_the_job(process):
    """Who may have paid gets the job's token, and stderr holds no log line nobody asked for."""
    with process("generate", "A cat sandbox-dropped", "--sandbox") as running:
        code, _, err = running.end()
    assert code == 1
    said = err.splitlines()
    assert [line.partition(" ")[0] for line in said] == ["sending", "Error:", "Its"]
    assert said[-1].startswith("Its job is pika1.")


def test_a_bad_field_is_an_error(tried):
    """What no provider takes is refused by the request itself."""
    result = tried("generate", "A cat", "--aspect-ratio", "wide")
    assert result.exit_code == 1
    assert (
        result.stderr == "Error: aspect_ratio must be a ratio W:H such as 16:9; change it and call again.\n"
    )


def test_a_timeout_tells_how_to_go_on(tried):
    """When the wait is over, the token and the command that goes on are printed unbroken."""
    result = tried("generate", "A cat sandbox-never-finishes", "--timeout", "0.1", "-o", "my cat.mp4")
    assert result.exit_code == 1
    command = result.stderr.splitlines()[-1].split(maxsplit=3)
    assert command[:2] == ["pika-async", "fetch"]
    assert command[2].startswith("pika1.")
    assert command[3] == "-o 'my cat.mp4'"


def test_no_key_says_what_to_set(run):
    """Without a key the variables are named, and the sandbox."""
    result = run("generate", "A cat")
    assert result.exit_code == 1
    assert "set ACEDATA_API_KEY or COMFY_API_KEY or DUOMI_API_KEY" in result.stderr
    assert "--sandbox" in result.stderr


def test_several_keys_ask_for_a_choice(run, monkeypatch):
    """With several keys the provider must be named, and no key is shown."""
    monkeypatch.setenv("ACEDATA_API_KEY", "canary-1")
    monkeypatch.setenv("DUOMI_API_KEY", "canary-2")
    result = run("generate", "A cat")
    assert result.exit_code == 1
    assert "--provider" in result.stderr
    assert "canary" not in result.output


def test_the_environment_is_enough(run, sandbox_beside, tmp_path):
    """Key, address and media host are read from the environment; the render is bought once."""
    sandbox = sandbox_beside(render_time=0.01)
    result = run("generate", "A cat", "-o", tmp_path / "cat.mp4")
    assert result.exit_code == 0
    assert sandbox.billed == {"A cat": 1}


def test_verbose_logs_without_the_key(run, sandbox_beside):
    """`-vv` shows what happens, and never the key."""
    sandbox_beside(render_time=0.01)
    result = run("generate", "A cat", "-vv")
    assert "INFO job " in result.stderr
    assert "canary" not in result.output


def test_base_url_goes_with_one_provider(run):
    """An address belongs to one provider."""
    words = ["--provider", "acedata", "--provider", "duomi", "--base-url", "http://127.0.0.1:1"]
    assert run("generate", "A cat", *words).exit_code == 2


@pytest.mark.parametrize("name", ["a" * 246, "a" * 251, "a" * 255, "a" * 256, "猫" * 84, "new/" + "b" * 256])
def test_a_name_that_cannot_be_is_refused_before_buying(run, sandbox_beside, tmp_path, name):
    """What will lie beside the file counts as well: it must not fail once the video is paid."""
    sandbox = sandbox_beside(render_time=0.01)
    result = run("generate", "A cat", "-o", tmp_path / name)
    assert (result.exit_code, sandbox.requests) == (2, {})
    assert "Invalid value for '-o'" in result.stderr
    assert isinstance(result.exception, SystemExit)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["cat.mp4", "cat.mp4.part", "cat.mp4.part.json"])
def test_what_is_in_the_way_is_refused_before_buying(run, sandbox_beside, tmp_path, name):
    """Neither the file nor what lies beside it may be a pipe, a device or a folder, `--overwrite` or not."""
    sandbox = sandbox_beside(render_time=0.01)
    os.mkfifo(tmp_path / name)
    result = run("generate", "A cat", "-o", tmp_path / "cat.mp4", "--overwrite")
    assert (result.exit_code, sandbox.requests) == (2, {})
    assert f"{name}' is in the way" in result.stderr


@pytest.mark.parametrize("name", ["a" * 245, "猫" * 81])
def test_the_longest_names_work(tried, tmp_path, name):
    """What is not refused is delivered."""
    assert tried("generate", "A cat", "-o", tmp_path / name).exit_code == 0
    assert (tmp_path / name).read_bytes()[4:8] == MP4


@pytest.mark.parametrize(
    ("words", "kind", "code"),
    [
        (["generate", "A cat sandbox-moderated", "--sandbox"], "ContentBlocked", 1),
        (["generate", "A cat sandbox-render-fails", "--sandbox"], "JobFailed", 1),
        (["generate", "A cat", "--seed", "x"], "UsageError", 2),
        (["generate", "A cat", "-o", "."], "UsageError", 2),
        (["generate", "A cat"], "ConfigError", 1),
        (["fetch", "nope"], "ConfigError", 1),
        (["jobs", "--state", "lost"], "UsageError", 2),
        (["job", "nope"], "ConfigError", 1),
        (["recover", "--ledger", "nope.db"], "ConfigError", 1),
        (["resolve", "nope", "--abandon"], "ConfigError", 1),
    ],
)
@pytest.mark.usefixtures("quick")
def test_a_failure_with_json_is_a_json_object(run, words, kind, code):
    """Whoever reads stdout learns what went wrong, wherever `--json` stands; stderr has the sentence."""
    for asked in ([words[0], "--json", *words[1:]], [*words, "--json"]):
        result = run(*asked)
        assert result.exit_code == code
        error = json.loads(result.stdout)["error"]
        assert error["type"] == kind
        assert error["message"] in result.stderr


def test_an_error_object_says_what_an_error_says(tried):
    """Token, cost and what to do next are there, so that no program has to read our sentences."""
    words = ("generate", "A cat sandbox-never-finishes", "--timeout", "0.1", "--json")
    error = json.loads(tried(*words).stdout)["error"]
    assert error["token"].startswith("pika1.")
    assert (error["type"], error["charged"], error["retryable"], error["provider"]) == (
        "JobTimeout", "yes", False, "acedata",
    )  # fmt: skip
    assert error["notes"][-1].startswith("  pika-async fetch ")


def test_long_values_are_shown_shortened(tried):
    """An error does not repeat 400 kB that somebody pasted."""
    for words in (["--image", "x" * 400_000], ["--camera", "x" * 400_000], ["--extra-body", "[" * 400_000]):
        assert len(tried("generate", "A cat", *words).stderr) < 1000
    assert len(tried("generate", "A cat", "--image", f"data:image/png;base64,{'A' * 400_001}").stderr) < 1000


def test_a_data_link_is_sent(tried, run, tmp_path):
    """Media in a link is taken like a file, and shown shortened."""
    pixel = "data:image/png;base64,iVBORw0KGgo" + "A" * 4001
    ledger = tmp_path / "jobs.db"
    result = tried("generate", "It waves", "--image", pixel, "--ledger", ledger)
    assert result.exit_code == 0, result.stderr
    (job,) = json.loads(run("jobs", "--ledger", ledger, "--json").stdout)["jobs"]
    assert "AAAAAA" not in run("job", job["id"], "--ledger", ledger).stdout


def test_stdout_that_is_full_loses_no_result(run, sandbox_beside, monkeypatch):
    """The link that was paid for goes to stderr then, and no traceback."""
    sandbox_beside(render_time=0.01)
    echo = click.echo

    def full(text, **options):
        if not options.get("err"):
            raise OSError(errno.ENOSPC, "No space left on device")
        echo(text, **options)

    monkeypatch.setattr(click, "echo", full)
    result = run("generate", "A cat")
    assert isinstance(result.exception, SystemExit)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "/video.mp4\n" in result.stderr
