"""The pytest plugin: applications meet the sandbox, unchanged, in milliseconds, without a key."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from pika_async import ContentBlocked, Pika, State
from pika_async import sync as plainly


@pytest.mark.anyio
async def test_an_application_is_led_to_the_sandbox(pika_sandbox, tmp_path):
    """It names neither a key nor an address; the media host is allowed as well."""
    async with Pika("acedata") as pika:
        video = await pika.generate("A cat")
        saved = await pika.download(video, tmp_path / "cat.mp4")
    assert saved.size > 0
    assert pika_sandbox.billed == {"A cat": 1}
    assert sum(pika_sandbox.requests.values()) >= 3


@pytest.mark.anyio
async def test_renders_take_time_that_no_test_waits_for(pika_sandbox):
    """A render of an hour is over when the test says so."""
    pika_sandbox.render_time = 3600
    async with pika_sandbox.client("duomi") as pika:
        job = await pika.submit("A slow cat")
        assert await job.refresh() in {State.QUEUED, State.RUNNING}
        pika_sandbox.advance(3600)
        assert await job.refresh() is State.SUCCEEDED


def test_a_fault_is_ordered_by_a_word(pika_sandbox):
    """In a client without `await` too, made by the application or here; what is refused is not billed."""
    for pika in (pika_sandbox.sync_client(), plainly.Pika("duomi")):
        with pika, pytest.raises(ContentBlocked):
            pika.generate("sandbox-moderated")
    assert not pika_sandbox.billed


def test_the_defaults_of_clients_come_back(pytestconfig):
    """The plugin is there, and has changed nothing for a test that does not ask for it."""
    assert pytestconfig.pluginmanager.hasplugin("pika_async")
    assert Pika.__init__.__kwdefaults__["poll_interval"] == 1.0
    assert "pika-async" not in {thread.name for thread in threading.enumerate()}


def test_the_plugin_loads_nothing_until_it_is_used():
    """Every pytest run of an environment with this library pays for it."""
    code = (
        "import pytest, sys, pika_async.pytest_plugin; print(sorted(m for m in sys.modules if 'pika' in m))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "['pika_async', 'pika_async._lazily', 'pika_async.pytest_plugin']"
