"""The folder of a batch: names that fit, files that are whole, and one run at a time."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async import ConfigError
from pika_async.batch.entry import Entry, RowState
from pika_async.batch.folder import BatchFolder, Names, fits, slug

# The digest of b"mine".
MINE = "8a53a1f5c0b6ee2d2d2a9ac2b4a4a2d1"


@given(st.text(max_size=500))
def test_any_prompt_makes_a_name_that_fits(prompt):
    """A name is one component, visible, and leaves room for what a download writes beside it."""
    name = f"0000001-{slug(prompt)}-99.mp4"
    assert "/" not in name
    assert "\0" not in name
    assert fits(name)


def test_names_are_told_apart_as_file_systems_do(tmp_path):
    """Case, and the two ways to write an accent, are no difference everywhere."""
    (tmp_path / "001-CAFE\u0301.mp4").touch()
    names = Names(tmp_path, 3, reserved=["002-b.mp4"])
    assert names.name(1, "Caf\u00e9") == "001-café-2"
    assert names.name(2, "B") == "002-b-2"


def test_a_name_that_the_disk_does_not_take_is_told(tmp_path, monkeypatch):
    """Some disks take the letters of one country only: that is found out before money is spent."""
    opened = os.open

    def latin_only(path, *arguments):
        if not str(path).isascii():
            raise OSError(errno.EILSEQ, "Invalid or incomplete multibyte character", str(path))
        return opened(path, *arguments)

    monkeypatch.setattr(os, "open", latin_only)
    folder = BatchFolder(tmp_path)
    folder.try_names(["001-a-cat.mp4"])
    with pytest.raises(ConfigError, match="cannot be made"):
        folder.try_names(["001-a-cat.mp4", "002-夕日.mp4"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x" * 250 + ".mp4", "夕" * 83 + ".mp4"])
def test_a_name_without_room_for_its_part_is_told(tmp_path, name):
    """250 bytes are a name, and their download is none."""
    with pytest.raises(ConfigError, match="Nothing was bought"):
        BatchFolder(tmp_path).try_names([name])


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_folder_without_locks_says_so(tmp_path, monkeypatch, error):
    """Any refusal but that of a lock that is held is the file system's."""
    from pika_async.batch import folder

    def flock(*_):
        raise OSError(error, "No locks available")

    monkeypatch.setattr(folder.fcntl, "flock", flock)
    with BatchFolder(tmp_path).held() as warning:
        assert "has no locks" in warning


def test_only_regular_files_of_the_folder_are_whole(tmp_path):
    """A link, a folder or a pipe in the place of a video is never opened for one."""
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(b"mine")
    folder = BatchFolder(tmp_path / "videos")
    folder.path.mkdir()
    (folder.path / "link.mp4").symlink_to(outside)
    (folder.path / "folder.mp4").mkdir()
    os.mkfifo(folder.path / "pipe.mp4")
    (folder.path / "file.mp4").write_bytes(b"mine")
    import hashlib

    digest = hashlib.sha256(b"mine").hexdigest()

    def is_whole(name):
        entry = Entry(number=1, request={}, state=RowState.DONE, file=name, size=4, sha256=digest)
        return folder.is_whole(entry)

    names = [
        "link.mp4",
        "folder.mp4",
        "pipe.mp4",
        "../outside.mp4",
        str(outside),
        "file.mp4",
        "",
        ".mp4",
        "x\0.mp4",
    ]
    assert [name for name in names if is_whole(name)] == ["file.mp4"]
