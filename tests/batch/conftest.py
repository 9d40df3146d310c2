"""A sandbox beside the test, and batches of one line against it."""

import asyncio
import os

import pytest

from pika_async import Generate, Pika
from pika_async._ledger.sqlite import opening
from pika_async.batch import MANIFEST, Batch, Manifest
from pika_async.sandbox import Sandbox


@pytest.fixture(autouse=True)
def no_waiting_for_disks(monkeypatch):
    """Nothing here is about the power going out."""
    monkeypatch.setattr(opening, "_SETTINGS", ("PRAGMA synchronous = OFF",))
    monkeypatch.setattr(os, "fsync", lambda _: None)


class Shop:
    """A sandbox, and a *folder* that batches fill from it; *ledger* is the file of their jobs."""

    def __init__(self, sandbox, path):
        self.sandbox = sandbox
        self.folder = path / "videos"
        self.ledger = path / "jobs.db"

    @property
    def billed(self):
        """What was bought so far, by prompt."""
        return dict(self.sandbox.billed)

    @property
    def entries(self):
        """What the manifest says, in order."""
        return list(Manifest(self.folder / MANIFEST).entries().values())

    def client(self, **options):
        """Make a client of the sandbox."""
        given = {"ledger": self.ledger, "poll_rate": None, "poll_interval": 0.01, **options}
        return Pika(
            "acedata",
            api_key="sandbox",
            base_url=self.sandbox.url,
            media_hosts=[self.sandbox.url.removeprefix("http://")],
            **given,
        )

    def batch(self, *rows, pika=None, **options):
        """Make a batch of *rows*: prompts, requests, or rows of a list."""
        requests = [Generate(row) if isinstance(row, str) else row for row in rows]
        return Batch(requests, self.folder, pika=pika or self.client(), **options)

    async def bring(self, *rows, **options):
        """Carry a batch out, and return its report."""
        async with asyncio.timeout(20), self.batch(*rows, **options) as batch:
            async for _ in batch:
                pass
        return batch.report

    def lose_ledger(self):
        """Delete the record of all jobs."""
        for file in self.ledger.parent.glob(f"{self.ledger.name}*"):
            file.unlink()

    def rewrite(self, change):
        """Change the lines of the manifest: *change* gets each entry as JSON text and returns a line."""
        path = self.folder / MANIFEST
        path.write_text("".join(change(line) for line in path.read_text().splitlines(keepends=True)))


@pytest.fixture
async def shop(tmp_path):
    """Open a sandbox that renders at once, with an empty folder."""
    async with Sandbox(render_time=0.01) as sandbox:
        yield Shop(sandbox, tmp_path)
