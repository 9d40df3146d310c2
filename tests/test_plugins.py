"""A stranger's distribution, installed beside ours, is a provider like any other."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from textwrap import dedent

import pytest

from tests.wheels import ROOT, build_wheel

BROKEN = """
    [build-system]
    requires = ["hatchling"]
    build-backend = "hatchling.build"
    [project]
    name = "pika-broken"
    version = "1.0"
    [project.entry-points."pika_async.providers"]
    broken = "pika_broken:Broken"
    [project.entry-points."pika_async.emulators"]
    broken = "pika_broken:Emulator"
    [tool.hatch.build.targets.wheel]
    only-include = ["pika_broken.py"]
"""

PROGRAM = """
    import asyncio, json, sys
    import pika_async, pika_demo
    from pika_async import ConfigError, Pika
    from pika_async._registry import plugins
    from pika_async.sandbox import Sandbox

    async def main():
        told = {name: [plugin.distribution, plugin.broken] for name, plugin in plugins().items()}
        async with Sandbox(render_time=0) as sandbox:
            demo = Pika(
                "demo", api_key="sandbox-demo", base_url=sandbox.url, poll_rate=None, poll_interval=0
            )
            async with demo as pika:
                video = await pika.generate("A cat surfing at sunset", timeout=5)
            billed, silent = dict(sandbox.billed), list(sandbox.broken)
        try:
            Pika("broken", api_key="k")
        except ConfigError as error:
            refused = str(error)
        files = [module.__file__ for module in (pika_async, pika_demo, sys.modules["pika_acedata"])]
        print(json.dumps([told, video.state, video.video_url, billed, silent, refused, files]))

    asyncio.run(main())
"""


def environment_with(folder: Path, *wheels: Path) -> Path:
    """Make a fresh environment with *wheels*; what they depend on is borrowed from this one, offline."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    subprocess.run([*pip, "--no-index", "--no-deps", *wheels], check=True)
    # A path in a .pth file comes after the environment's own packages, and its own .pth files, among them
    # those of our editable install, are not read.
    (site_packages,) = folder.glob("lib/python*/site-packages")
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site_packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return python


@pytest.fixture(scope="module")
def told(tmp_path_factory, wheel):
    """Run a program where our wheel, the example provider and a broken one are installed."""
    folder = tmp_path_factory.mktemp("plugins")
    broken = folder / "pika_broken"
    broken.mkdir()
    (broken / "pyproject.toml").write_text(dedent(BROKEN))
    (broken / "pika_broken.py").write_text("raise ImportError('its dependency is gone')\n")
    demo = build_wheel(ROOT / "examples" / "pika_demo", folder / "demo")
    python = environment_with(folder / "env", wheel, demo, build_wheel(broken, folder / "broken"))
    done = subprocess.run(
        [python, "-I", "-W", "error", "-c", dedent(PROGRAM)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = ("plugins", "state", "video_url", "billed", "broken_emulators", "refused", "files")
    return {**dict(zip(names, json.loads(done.stdout), strict=True)), "env": str(folder / "env")}


def test_the_program_ran_on_what_was_installed(told):
    """The test proves what it says: not a line of it came from this tree."""
    assert [Path(file).is_relative_to(told["env"]) for file in told["files"]] == [True, True, True]


def test_a_strangers_provider_is_found_and_generates_a_video(told):
    """By its entry point alone, through the sandbox that found its emulator the same way."""
    assert told["plugins"]["demo"] == ["pika-demo", None]
    assert told["state"] == "succeeded"
    assert told["video_url"].endswith("/video.mp4")
    assert told["billed"] == {"A cat surfing at sunset": 1}


def test_a_broken_one_beside_it_is_reported_and_harmless(told):
    """It is listed with its reason, its neighbours work, and choosing it says who must act."""
    distribution, why = told["plugins"]["broken"]
    assert distribution == "pika-broken"
    assert why == "ImportError: its dependency is gone"
    assert told["plugins"]["acedata"] == ["pika-async", None]
    assert told["broken_emulators"] == ["broken"]
    assert "'broken' of pika-broken cannot be loaded" in told["refused"]
