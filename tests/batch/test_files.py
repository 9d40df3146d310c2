"""Files of a batch's folder are never opened through a link, and are replaced whole."""

import pytest

from pika_async.batch.files import open_own, replace_whole


def test_a_link_is_not_opened(tmp_path):
    """Neither to write nor to read."""
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    for how in ("rb", "a+b"):
        with pytest.raises(OSError, match=r"[Ll]ink"):
            open_own(tmp_path / "link", how)


def test_a_file_is_replaced_with_the_rights_asked_for(tmp_path):
    """Whatever an earlier process left under the name of the part."""
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "file.part").symlink_to(tmp_path / "outside")
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(0o644)
    replace_whole(tmp_path / "file", b"new", mode=0o600)
    assert (tmp_path / "file").read_text() == "new"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "outside").read_text() == "mine"
    assert not (tmp_path / "file.part").is_symlink()
