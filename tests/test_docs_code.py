"""Every Python block of the documentation runs, page by page, from the top to the bottom, in the sandbox."""

from __future__ import annotations

import ast
import inspect
import logging
import re
from base64 import b64decode
from functools import partial
from pathlib import Path

import anyio
import pytest

import pika_async.sync
from pika_async import sandbox as sandboxes

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parent.parent / "docs"
ELSEWHERE = {
    "callbacks.md": "tests/test_docs_callbacks.py",
    "providers.md": "tests/test_provider_table.py",
    "tutorial.md": "tests/cli/test_documentation.py",
}
"""Pages whose code has a test of its own."""
PAGES = sorted(path for path in DOCS.glob("*.md") if path.name not in ELSEWHERE)
BLOCK = re.compile(r"(<!-- not run: .+ -->\n)?```python\n(.*?)```", re.DOTALL)
PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def logs():
    """Put logging back as it was: a page shows how to change it."""
    loggers = logging.getLogger(), logging.getLogger("pika_async")
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
async def names(anyio_backend, tmp_path, monkeypatch, logs):
    """Return what the pages take for granted: a client, a sandbox that the environment leads to, files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.png").write_bytes(PNG)
    quick = partial(sandboxes.Sandbox, render_time=0.02)
    monkeypatch.setattr(sandboxes, "Sandbox", quick)
    async with quick() as sandbox:
        monkeypatch.setenv("ACEDATA_API_KEY", "sandbox-docs")
        monkeypatch.setenv("ACEDATA_BASE_URL", sandbox.url)
        monkeypatch.setenv("PIKA_ASYNC_MEDIA_HOST", sandbox.media_host)
        client = partial(pika_async.Pika, poll_rate=None, poll_interval=0.02)
        monkeypatch.setattr(pika_async, "Pika", client)
        quick_sync = partial(pika_async.sync.Pika, poll_rate=None, poll_interval=0.02)
        monkeypatch.setattr(pika_async.sync, "Pika", quick_sync)
        (tmp_path / "videos").mkdir()
        for ledger in ("jobs.db", "videos/jobs.db"):
            async with client("acedata", ledger=ledger):
                pass
        async with client("acedata") as pika:
            yield {
                "__name__": "__main__",
                "pika": pika,
                "sandbox": sandbox,
                "job": await pika.submit("A cat"),
            }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_the_code_of_a_page_runs(page, names):
    """Blocks build on each other; a whole program runs in a thread with a loop of its own."""
    for why, code in BLOCK.findall(page.read_text("utf-8")):
        if why:
            continue
        program = compile(code, page.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if "asyncio.run(" in code or "pika_async.sync" in code:
            await anyio.to_thread.run_sync(exec, program, {"__name__": "__main__"})
        elif inspect.isawaitable(run := eval(program, names)):
            with anyio.fail_after(20):
                await run


def test_every_other_page_has_a_test_of_its_own():
    """A page leaves this list when its test goes."""
    for page, test in ELSEWHERE.items():
        assert (DOCS / page).exists(), page
        assert (DOCS.parent / test).exists(), test
