"""The gallery of a folder on disk."""

from pathlib import Path

import pytest

from pika_async.batch import files
from pika_async.gallery import Manifest, write_gallery
from tests.gallery.entries import done, entry, fill


def test_page_is_written_beside_the_manifest(tmp_path: Path):
    """The page holds the rows of the manifest and is called after the folder."""
    folder = tmp_path / "a-day-at-sea"
    fill(folder, done(1, "A paper boat"))
    page = write_gallery(folder)
    assert page == folder / "index.html"
    html = page.read_text("utf-8")
    assert "<title>a-day-at-sea</title>" in html
    assert "A paper boat" in html
    assert "pika-token" not in html
    assert sorted(path.name for path in folder.iterdir()) == ["001.mp4", "index.html", "manifest.jsonl"]


def test_page_of_an_empty_folder(tmp_path: Path):
    """Before the first row the page says so."""
    assert "No rows yet." in write_gallery(tmp_path).read_text("utf-8")


def test_half_characters_do_not_stop_the_page(tmp_path: Path):
    """A name that is not UTF-8 is shown with a replacement character, and linked to as it is."""
    with Manifest(tmp_path / "manifest.jsonl") as manifest:
        manifest.append(done(1, file="\udcff.mp4"))
    assert 'data-src="%FF.mp4"' in write_gallery(tmp_path).read_text("utf-8")


def test_failed_write_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A page is replaced whole or stays as it was."""
    write_gallery(fill(tmp_path, entry(1, prompt="the old one")))

    def full(*_, mode):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "open_own", full)
    with pytest.raises(OSError, match="No space left"):
        write_gallery(tmp_path)
    assert "the old one" in (tmp_path / "index.html").read_text("utf-8")
