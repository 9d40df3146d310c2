"""Getting the video of a job that was bought before."""

import json
import os

import pytest


@pytest.fixture
def token(run, sandbox_beside):
    """Buy a video, and keep only its token."""
    sandbox_beside(render_time=0.01)
    return json.loads(run("generate", "A cat", "--json").stdout)["token"]


def test_fetch_saves_the_video(run, token, tmp_path):
    """The token alone says which provider to ask; the file comes whole."""
    file = tmp_path / "cat.mp4"
    result = run("fetch", token, "-o", file)
    assert (result.exit_code, result.stdout) == (0, f"{file}\n")
    assert file.read_bytes()[4:8] == b"ftyp"


def test_fetch_prints_the_result_as_json(run, token):
    """`--json` is the same object as for a new video, with the same token."""
    assert json.loads(run("fetch", token, "--json").stdout)["token"] == token


def test_fetch_takes_an_address(run, token, monkeypatch):
    """`--base-url` leads to a provider that the environment does not know."""
    address = os.environ["ACEDATA_BASE_URL"]
    monkeypatch.delenv("ACEDATA_BASE_URL")
    assert run("fetch", token, "--base-url", address).exit_code == 0


def test_half_a_token_is_refused(run, token):
    """A token that was not copied whole is named as that."""
    result = run("fetch", token[:-3])
    assert result.exit_code == 1
    assert "not a whole job token" in result.stderr


def test_fetching_does_not_read_like_a_purchase(run, token, tmp_path):
    """Nothing is sent or rendered any more, and it is said that nothing was bought."""
    for words in ((token,), (token, "-o", tmp_path / "cat.mp4")):
        said = run("fetch", *words).stderr
        assert said.startswith("asking acedata for the video\n")
        assert "nothing was bought now" in said
        assert not [word for word in ("sending", "rendering", "usually", "delivered") if word in said]


def test_a_token_from_elsewhere_does_not_read_like_one_either(run, token, monkeypatch, tmp_path):
    """Before its first look nobody knows whether such a job still renders."""
    monkeypatch.setenv("PIKA_ASYNC_LEDGER", str(tmp_path / "other.db"))
    said = run("fetch", token).stderr
    assert said.startswith("asking acedata about the job\n")
    assert "usually" not in said
