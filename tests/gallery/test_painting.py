"""The page that follows a batch on disk."""

import anyio
import anyio.lowlevel
import pytest

from pika_async.gallery import PAGE, painted, write_gallery
from tests.gallery.entries import done, fill

pytestmark = pytest.mark.anyio


async def test_the_page_follows_the_manifest(tmp_path):
    """A row that joins while the context is open comes onto the page."""
    page = tmp_path / PAGE
    fill(tmp_path, done(1, "A cat"))
    # The first page loads its templates, and the pause is a share of the time that a page took.
    write_gallery(tmp_path).unlink()
    with anyio.fail_after(5):
        async with painted(tmp_path, every=0.001):
            while not page.exists():
                await anyio.lowlevel.checkpoint()
            fill(tmp_path, done(1, "A cat"), done(2, "A dog"))
            while "A dog" not in page.read_text():
                await anyio.lowlevel.checkpoint()


async def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path):
    """The videos matter more than the page."""
    async with painted(tmp_path / "missing", every=0.001):
        await anyio.sleep(0.01)
