"""A batch whose videos go to an object store; manifest, ledger and gallery stay in its folder."""

from __future__ import annotations

import obstore
import pytest

from pika_async import ConfigError
from pika_async.gallery import write_gallery
from tests.object_store import s3, store

__all__ = ["s3", "store"]

pytestmark = pytest.mark.anyio

JUNE = "s3://videos/june"


async def test_videos_go_to_the_store(store, shop):
    """The manifest says where each is, and no file is in the folder."""
    report = await shop.bring("A cat", "A dog", store=JUNE)
    assert (report.done, report.total) == (2, 2)
    assert [entry.address for entry in shop.entries] == [f"{JUNE}/001-a-cat.mp4", f"{JUNE}/002-a-dog.mp4"]
    assert not list(shop.folder.glob("*.mp4"))
    found = await obstore.head_async(store, "june/001-a-cat.mp4")
    assert found["size"] == shop.entries[0].size


async def test_what_is_in_the_store_is_not_fetched_again(store, shop):
    """The same rows again buy nothing and fetch only what somebody deleted."""
    await shop.bring("A fox", "A hen", store=f"{JUNE}/again/")
    kept = (await obstore.head_async(store, "june/again/001-a-fox.mp4"))["last_modified"]
    await obstore.delete_async(store, "june/again/002-a-hen.mp4")
    report = await shop.bring("A fox", "A hen", store=f"{JUNE}/again")
    assert report.done == 2
    assert (await obstore.head_async(store, "june/again/001-a-fox.mp4"))["last_modified"] == kept
    assert shop.billed == {"A fox": 1, "A hen": 1}


async def test_the_gallery_says_where_a_video_is_kept(store, shop):
    """A link would not open; the address can be copied."""
    await shop.bring("A cow", store=f"{JUNE}/page")
    page = write_gallery(shop.folder).read_text("utf-8")
    assert f"{JUNE}/page/001-a-cow.mp4" in page


async def test_an_address_that_is_no_store_is_refused(shop):
    """It is refused before a client is opened."""
    with pytest.raises(ConfigError, match="is no address"):
        shop.batch("A cat", store="ftp://videos")
