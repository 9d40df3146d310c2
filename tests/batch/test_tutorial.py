"""The program of the tutorial is a batch that runs."""

import re
from functools import partial
from pathlib import Path

import anyio
import pytest

import pika_async
from pika_async.sandbox import Sandbox

TUTORIAL = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text("utf-8")

pytestmark = pytest.mark.anyio


async def test_the_program_of_the_tutorial_runs(monkeypatch, tmp_path, capsys):
    """Word for word, but for the sandbox that the environment points it at."""
    (program,) = re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)
    (tmp_path / "prompts.txt").write_text("A cat\nA dog\n")
    async with Sandbox(render_time=0.01) as sandbox:
        monkeypatch.setenv("ACEDATA_API_KEY", "sandbox-key")
        monkeypatch.setenv("ACEDATA_BASE_URL", sandbox.url)
        monkeypatch.chdir(tmp_path)
        hosts = [sandbox.url.removeprefix("http://")]
        quick = partial(pika_async.Pika, poll_rate=None, poll_interval=0.01, media_hosts=hosts)
        monkeypatch.setattr(pika_async, "Pika", quick)
        code = compile(program, "tutorial.md", "exec")
        await anyio.to_thread.run_sync(exec, code, {"__name__": "__main__"})
    assert capsys.readouterr().out.endswith("2 of 2 videos are there\n")
    assert len(list((tmp_path / "videos").glob("*.mp4"))) == 2
