"""Finished videos come to their folder, and the user's code hears of each."""

from __future__ import annotations

import hashlib

import pytest

from pika_async import ConfigError
from pika_async.fleet.delivery import hook_of
from tests.fleet.conftest import until

pytestmark = pytest.mark.anyio
told = []
failing = []


async def hook(delivery):
    """Note what was delivered; fail as often as a test wants."""
    if failing:
        raise failing.pop()
    told.append(delivery)


@pytest.fixture(autouse=True)
def nothing_told():
    """Forget what other tests were told."""
    told.clear()
    failing.clear()


async def test_a_finished_video_is_saved_under_a_name_that_stays_and_its_hook_is_told(place, tmp_path):
    """The hook fails once, and is told again; the file is not fetched twice for that."""
    failing.append(RuntimeError("the shop's database is away"))
    name = f"{__name__}:hook"
    async with place.working(out=str(tmp_path), hook=name), place.client() as shop:
        job = await shop.enqueue("a cat")
        await until(lambda: told, 30)
    (delivery,) = told
    path = tmp_path / f"{job.id}.mp4"
    assert delivery.place == str(path)
    assert delivery.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert delivery.job_id == job.id
    assert (tmp_path / f"{job.id}.mp4.json").exists()


async def test_a_hook_without_a_folder_is_told_of_the_link(place):
    """Whoever stores links needs no files."""
    async with place.working(hook=f"{__name__}:hook"), place.client() as shop:
        await shop.enqueue("a cat")
        await until(lambda: told, 30)
    assert told[0].place is None
    assert told[0].video.video_url


def test_a_hook_that_is_not_there_is_named():
    """Before the first video is paid."""
    with pytest.raises(ConfigError, match="cannot be loaded"):
        hook_of("nowhere:nothing")
    with pytest.raises(ConfigError, match="no function"):
        hook_of(f"{__name__}:told")
    with pytest.raises(ConfigError, match="entry point"):
        hook_of("nothing")
