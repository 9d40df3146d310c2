"""The documentation site builds without a warning, and every public name is in its reference."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REFERENCE = (
    "pika_async",
    *(
        f"pika_async.{name}"
        for name in ("batch", "callbacks", "ledger", "provider", "sandbox", "sync", "testing", "types")
    ),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site as CI does, once."""
    pytest.importorskip("sphinx", reason="the site is built with the extra [docs]")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-qW",
            "--keep-going",
            "-d",
            folder / "trees",
            ROOT / "docs",
            folder / "html",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


def test_every_public_name_is_in_the_reference(site):
    """A name without a page is a name that nobody finds."""
    pages = "".join(page.read_text("utf-8") for page in (site / "reference").glob("*.html"))
    described = {name.rpartition(".")[2] for name in re.findall(r'id="(pika_async[\w.]+)"', pages)}
    missing = {
        f"{module}.{name}"
        for module in REFERENCE
        for name in importlib.import_module(module).__all__
        if inspect.isclass(thing := getattr(importlib.import_module(module), name))
        or inspect.isfunction(thing)
        if name not in described | {"JSON"}  # an alias that is a class to the interpreter
    }
    assert not missing


def test_every_page_is_in_the_contents(site):
    """A page that no list of contents names is lost; Sphinx warns of it, and the front page leads to all."""
    front = (site / "index.html").read_text("utf-8")
    for page in ROOT.joinpath("docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert name == "index.html" or f'href="{name}' in front, name
