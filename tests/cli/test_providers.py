"""The list of providers: what each can do, and never a key."""

import json

import pytest

from pika_async import _registry
from pika_async._registry import Plugin


def test_the_list_fits_80_columns(run):
    """Every line can be read on a small terminal."""
    result = run("providers")
    assert result.exit_code == 0
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_key_is_told_as_set_and_never_shown(run, monkeypatch, words):
    """Whether a key is there is all that is told of it."""
    monkeypatch.setenv("ACEDATA_API_KEY", "canary-key")
    out = run("providers", *words).stdout
    assert "ACEDATA_API_KEY (set)" in out or '"ACEDATA_API_KEY": true' in out
    assert "DUOMI_API_KEY (not set)" in out or '"DUOMI_API_KEY": false' in out
    assert "canary" not in out


def test_a_broken_provider_is_listed_with_its_reason(run, monkeypatch):
    """A plugin that fails to load harms nobody, and says why."""
    broken = Plugin(name="acme", distribution="pika-acme", broken="ImportError: no acme\x1b[2J")
    monkeypatch.setattr(_registry, "plugins", lambda: {"acme": broken})
    out = run("providers").stdout
    assert "ImportError: no acme [2J; update or remove pika-acme" in " ".join(out.split())
    assert json.loads(run("providers", "--json").stdout)["providers"][0]["broken"].startswith("ImportError")


def test_json_lists_the_capabilities(run):
    """`--json` says what a program needs to choose."""
    listed = json.loads(run("providers", "--json").stdout)["providers"]
    duomi = next(one for one in listed if one["name"] == "duomi")
    assert duomi["name"] == "duomi"
    assert duomi["kinds"] == ["generate", "style"]
    assert "camera" in duomi["fields"]
    assert (duomi["callbacks"], duomi["poll_batch"], duomi["inline_media"]) == ("required", 1, False)


def test_files_are_told_where_they_can_be_sent(run):
    """However the adapter declares it: inline, or uploaded first."""
    rows = run("providers").stdout.splitlines()
    media = [line.split("media", 1)[1].strip() for line in rows if line.strip().startswith("media ")]
    names = [line.split()[0] for line in rows if "from pika-async" in line]
    told = dict(zip(names, media, strict=True))
    assert (told["duomi"], told["fal"], told["pika"]) == ("links only", "links and files", "links and files")
