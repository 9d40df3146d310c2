"""The extras are optional: without their packages the core works, and what needs one names it."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """
import asyncio, json, sys
from pathlib import Path

HIDDEN = set(sys.argv[1].split())
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())

from pika_async import Pika, PikaError
from pika_async.sandbox import Sandbox
told = {}

def refused(what, do):
    try:
        do()
    except (PikaError, SystemExit) as error:
        told[what] = str(error)

async def main():
    options = {"ledger": "jobs.db", "poll_interval": 0.02}
    async with Sandbox(render_time=0.02) as sandbox, sandbox.client(**options) as pika:
        video = await pika.generate("A cat")
        told["size"] = (await pika.download(video, "cat.mp4")).size
        try:
            await pika.download(video, "s3://bucket/cat.mp4")
        except PikaError as error:
            told["s3"] = str(error)

asyncio.run(main())
refused("postgres", lambda: Pika("acedata", api_key="sandbox", ledger="postgresql://u:p@127.0.0.1/x"))
import pika_async.cli
refused("cli", pika_async.cli.main)
told["loaded"] = sorted(HIDDEN & {name.partition(".")[0] for name in sys.modules})
sys.stderr = sys.stdout
def cli(what, *words):
    import io, contextlib
    out = io.StringIO()
    sys.argv = ["pika-async", *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            pika_async.cli.main()
        except SystemExit as end:
            told[what] = f"{out.getvalue()}{end}"
HIDDEN -= {"click"}
cli("late", "jobs")
HIDDEN -= {"click", "platformdirs", "rich", "jinja2", "markupsafe"}
cli("mcp", "mcp", "--sandbox")
cli("distributed", "work", "--ledger", "postgresql://u:p@127.0.0.1/x", "acedata")
print(json.dumps(told))
"""
CORE = {"aiohttp", "anyio", "attrs", "cattrs"}
MODULES = {
    "cli": {"click", "platformdirs", "rich", "jinja2"},
    "distributed": {"procrastinate", "psycopg", "psycopg_pool"},
    "fal": {"cryptography"},
    "mcp": {"mcp"},
    "otel": {"opentelemetry_api"},
    "postgres": {"psycopg"},
    "s3": {"obstore"},
}
"""What each extra that users install brings."""


def declared() -> dict:
    """Return what the distribution declares."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def named(requirements: list[str]) -> set[str]:
    """Return the names of *requirements*, as modules are written."""
    return {
        text.replace("[binary]", "").partition(">")[0].partition(",")[0].strip().replace("-", "_")
        for text in requirements
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Run a program in which no package of an extra can be imported."""
    hidden = " ".join(sorted(set().union(*MODULES.values()) | {"opentelemetry"}))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, hidden],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path_factory.mktemp("bare"),
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_the_core_needs_four_packages_and_extras_need_what_is_tested():
    """What every user installs does not grow by accident."""
    project = declared()
    assert named(project["dependencies"]) == CORE
    extras = project["optional-dependencies"]
    assert {name: named(extras[name]) for name in MODULES} == MODULES
    assert extras.keys() - MODULES.keys() == {"bench", "docs", "test"}


def test_the_core_buys_records_and_downloads_without_any_extra(told):
    """A client on a SQLite ledger loads none of their packages."""
    assert told["size"] > 0
    assert told["loaded"] == []


@pytest.mark.parametrize("extra", ["cli", "distributed", "mcp", "postgres", "s3"])
def test_what_needs_an_extra_says_how_to_install_it(told, extra):
    """One plain sentence, and no traceback."""
    assert f"pika-async[{extra}]" in told[extra]
    assert "Traceback" not in told[extra]


def test_a_command_that_misses_a_part_of_its_extra_says_so_too(told):
    """Other packages bring click, so that the rest is missed only where it is used."""
    assert "pika-async[cli]" in told["late"]
