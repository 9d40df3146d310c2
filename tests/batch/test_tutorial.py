"""The program of the tutorial is a batch that runs."""

import re
from functools import partial
from pathlib import Path

import anyio
import pytest

from pika_async import sandbox as sandboxes

TUTORIAL = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text("utf-8")

pytestmark = pytest.mark.anyio


async def test_the_program_of_the_tutorial_runs(monkeypatch, tmp_path, capsys):
    """Word for word, and without a key; only the sandbox of the test renders at once."""
    (program,) = re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)
    (tmp_path / "prompts.txt").write_text("A cat\nA dog\n")
    monkeypatch.delenv("ACEDATA_API_KEY", raising=False)
    monkeypatch.setattr(sandboxes, "Sandbox", partial(sandboxes.Sandbox, render_time=0.01))
    monkeypatch.chdir(tmp_path)
    code = compile(program, "tutorial.md", "exec")
    await anyio.to_thread.run_sync(exec, code, {"__name__": "__main__"})
    assert capsys.readouterr().out.endswith("2 of 2 videos are there\n")
    assert len(list((tmp_path / "trial-python").glob("*.mp4"))) == 2
