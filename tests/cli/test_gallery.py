"""The gallery as a command: written, or served until Ctrl-C."""

import re
import socket
from urllib.request import urlopen

import pytest

from pika_async.gallery import MANIFEST, PAGE
from tests.gallery.entries import done, fill


@pytest.fixture
def videos(tmp_path):
    """Return a folder with one video."""
    return fill(tmp_path, done(1, "A cat"))


def test_the_page_is_written(run, videos):
    """Without options the page is made anew, and named."""
    result = run("gallery", videos)
    assert (result.exit_code, result.stdout) == (0, f"{videos / PAGE}\n")
    assert "A cat" in (videos / PAGE).read_text()


def test_the_gallery_is_served_until_ctrl_c(process, videos):
    """The address is printed; Ctrl-C ends it well."""
    with process("gallery", str(videos), "--serve", "--port", "0") as serving:
        address = re.search(r"http://\S+", serving.await_stdout("until Ctrl-C"))[0]
        with urlopen(address) as page:
            assert b"A cat" in page.read()
        serving.interrupt()
        code, _, err = serving.end()
    assert (code, err) == (0, "The gallery is not served any more.\n")


def test_a_folder_without_a_batch_is_refused(run, tmp_path):
    """Who names the wrong folder is told how one is made."""
    result = run("gallery", tmp_path)
    assert result.exit_code == 1
    assert "holds no batch; make one with `pika-async batch" in result.stderr
    assert not (tmp_path / MANIFEST).exists()


def test_a_taken_port_is_named(run, videos):
    """A port that someone else has is one plain sentence."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("gallery", videos, "--serve", "--port", port)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: Port {port} cannot be used (")


def test_galleries_are_exported(run, videos, tmp_path_factory):
    """Two folders become one page in a new folder; without --export they are refused."""
    site = tmp_path_factory.mktemp("exports") / "site"
    result = run("gallery", videos, videos, "--export", site)
    assert (result.exit_code, result.stdout) == (0, f"{site / PAGE}\n")
    again = run("gallery", videos, "--export", site)
    assert (again.exit_code, "is not empty" in again.stderr) == (1, True)
    alone = run("gallery", videos, videos)
    assert (alone.exit_code, "need --export" in alone.stderr) == (1, True)
    both = run("gallery", videos, "--serve", "--export", site)
    assert (both.exit_code, "exclude each other" in both.stderr) == (1, True)
