"""A gallery that is copied for a web server: its page, its videos, and nothing else."""

from pathlib import Path

import pytest

from pika_async import ConfigError
from pika_async.gallery import Manifest, export_gallery
from tests.gallery.entries import MEDIA, done, entry, failed, fill


def files(site: Path) -> dict[str, int]:
    """Return every file below *site* with its size."""
    return {str(path.relative_to(site)): path.stat().st_size for path in site.rglob("*") if path.is_file()}


def test_an_export_holds_the_page_and_the_media_alone(tmp_path: Path):
    """No manifest, token, ledger, sidecar or unfinished file comes along."""
    folder = fill(tmp_path / "sea", done(1, file="clips/ü.mp4", poster="001.jpg"), entry(2), failed(3))
    for name in ("ledger.db", "001.mp4.json", "002.mp4.part", "index.html"):
        (folder / name).write_bytes(b"pika-token-of-a-job")
    page = export_gallery([folder], tmp_path / "deep" / "site")
    assert page == tmp_path / "deep" / "site" / "index.html"
    video, poster = (MEDIA / "video.mp4").stat().st_size, (MEDIA / "poster.jpg").stat().st_size
    html = page.read_bytes()
    assert files(page.parent) == {
        "index.html": len(html),
        "media/0001.mp4": video,
        "media/0001-poster.jpg": poster,
    }
    assert b'data-src="media/0001.mp4"' in html
    assert not [word for word in (b"token", b"cdn.example", str(tmp_path).encode()) if word in html]
    assert not (tmp_path / "deep" / "site.part").exists()


def test_several_folders_become_one_page(tmp_path: Path):
    """Rows of the same number follow each other, each with its origin; files of the same name stay apart."""
    folders = [
        fill(tmp_path / name, done(1, provider=provider), done(2, provider=provider))
        for name, provider in (("one", "acedata"), ("two", "duomi"))
    ]
    page = export_gallery(folders, tmp_path / "site")
    assert sorted(files(page.parent)) == ["index.html", *(f"media/000{n}.mp4" for n in range(1, 5))]
    html = page.read_text("utf-8")
    assert "<title>one and two</title>" in html
    origins = ["1 of one", "1 of two", "2 of one", "2 of two"]
    assert sorted(origins, key=html.index) == origins


def test_a_video_in_a_store_is_not_named(tmp_path: Path):
    """Whoever reads the page has no way to the store, and need not know its name."""
    folder = fill(tmp_path / "sea")
    with Manifest(folder / "manifest.jsonl") as manifest:
        manifest.append(done(1, address="s3://private-bucket/1.mp4"))
    assert "private-bucket" not in export_gallery([folder], tmp_path / "site").read_text("utf-8")


def test_a_link_out_of_the_folder_is_not_copied(tmp_path: Path):
    """A manifest may come from anywhere, and a name in it may be a link."""
    (tmp_path / "outside.mp4").write_bytes(b"secret")
    folder = fill(tmp_path / "sea", done(1))
    (folder / "001.mp4").unlink()
    (folder / "001.mp4").symlink_to(tmp_path / "outside.mp4")
    page = export_gallery([folder], tmp_path / "site")
    assert list(files(page.parent)) == ["index.html"]
    assert "Done, but not shown here" in page.read_text("utf-8")


def test_nothing_is_written_over(tmp_path: Path):
    """A folder that holds something stays as it is; an empty one is used."""
    folder, site = fill(tmp_path / "sea", done(1)), tmp_path / "site"
    site.mkdir()
    export_gallery([folder], site)
    before = files(site)
    with pytest.raises(ConfigError, match="site is not empty; choose a new folder"):
        export_gallery([folder], site)
    with pytest.raises(ConfigError, match="sea is not empty"):
        export_gallery([folder], folder)
    assert files(site) == before


def test_an_export_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A full disk leaves no half of a site."""

    def full(*_):
        raise OSError(28, "No space left on device")

    folder = fill(tmp_path / "sea", done(1))
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        export_gallery([folder], tmp_path / "site")
    assert [path.name for path in tmp_path.iterdir()] == ["sea"]
