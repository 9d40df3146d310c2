"""The README says what is true: its program runs, its other blocks at least compile, and it stays short."""

from __future__ import annotations

import ast
import re
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

import pika_async
from pika_async.sandbox import Sandbox

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

pytestmark = pytest.mark.anyio


async def test_the_program_makes_a_video(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Word for word, but for the sandbox that the environment points it at."""
    async with Sandbox(render_time=0.02) as sandbox:
        monkeypatch.setenv("ACEDATA_API_KEY", "sandbox-key")
        monkeypatch.setenv("ACEDATA_BASE_URL", sandbox.url)
        monkeypatch.chdir(tmp_path)
        quick = partial(
            pika_async.Pika, poll_rate=None, poll_interval=0.02, media_hosts=[urlsplit(sandbox.url).netloc]
        )
        monkeypatch.setattr(pika_async, "Pika", quick)
        program = compile(BLOCKS[0], "README.md", "exec")
        await anyio.to_thread.run_sync(exec, program, {"__name__": "__main__"})
    assert b"ftyp" in (tmp_path / "cat.mp4").read_bytes()[:16]


@pytest.mark.parametrize("block", BLOCKS[1:])
async def test_the_other_blocks_are_python(block: str) -> None:
    """They are fragments, which begin in the middle of things."""
    compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


async def test_it_stays_short() -> None:
    """Nobody reads more."""
    assert len(README.splitlines()) <= 120
