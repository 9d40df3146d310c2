"""What we promise to the outside: names, light imports, the wheel, and who imports whom."""

import doctest
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
import zipfile

import pytest

import pika_async
import pika_async.emulator
import pika_async.provider
import pika_async.sandbox
import pika_async.testing
from tests.wheels import ROOT

PUBLIC = [pika_async, pika_async.provider, pika_async.sandbox, pika_async.testing]
PACKAGES = ["pika_async", "pika_acedata", "pika_duomi"]


def test_the_exports_are_these():
    """Adding or losing one is a decision, written into the changelog."""
    assert pika_async.__all__ == [
        "AuthError",
        "BadReply",
        "Blob",
        "Callbacks",
        "Camera",
        "ConfigError",
        "ContentBlocked",
        "DownloadError",
        "Generate",
        "Ingredients",
        "InsufficientBalance",
        "Job",
        "JobFailed",
        "JobTimeout",
        "JobUnresolved",
        "LedgerError",
        "Pika",
        "PikaError",
        "ProviderUnavailable",
        "RateLimited",
        "State",
        "Style",
        "SubmitRefused",
        "SubmitUnknown",
        "UnsupportedRequest",
        "VideoResult",
    ]


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_every_export_is_there_sorted_and_explained(module):
    """No name without a thing, and no class or function without a docstring of its own."""
    named = [name for name in module.__all__ if not name.isupper()]
    assert named == sorted(named)
    things = {name: getattr(module, name) for name in named}
    explained = {n: t for n, t in things.items() if inspect.isclass(t) or inspect.isfunction(t)}
    assert not [name for name, thing in explained.items() if not thing.__doc__]


def test_whatever_is_imported_for_users_is_exported():
    """A public name at the top that is not in `__all__` would be a promise by accident."""
    visible = {
        name
        for name, thing in vars(pika_async).items()
        if not name.startswith("_") and not inspect.ismodule(thing)
    }
    loaded_on_first_use = {"Callbacks"}
    assert visible | loaded_on_first_use == set(pika_async.__all__)


def test_errors_are_documented_where_users_look_first():
    """The README's table knows every error that can be caught."""
    readme = (ROOT / "README.md").read_text()
    kinds = {name for name in pika_async.__all__ if isinstance(getattr(pika_async, name), type)}
    errors = {name for name in kinds if issubclass(getattr(pika_async, name), pika_async.PikaError)}
    assert not [name for name in errors - {"PikaError"} if f"`{name}`" not in readme]


def test_importing_the_package_loads_nothing_heavy():
    """A command that only shows its help must not pay for an HTTP client."""
    program = (
        "from pika_async import Pika, Generate, VideoResult\n"
        "import json, sys; print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    heavy = {
        "aiohttp",
        "cattrs",
        "click",
        "rich",
        "jinja2",
        "stamina",
        "sqlite3",
        "pika_acedata",
        "pika_duomi",
    }
    assert not loaded & heavy
    assert "importlib.metadata" not in json.loads(done.stdout)


def test_the_wheel_holds_exactly_what_it_should(wheel):
    """Three packages with their types, the sandbox's media, the licence; no tests and no `providers`."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    (dist_info,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
    assert {name.partition("/")[0] for name in names} == {*PACKAGES, dist_info}
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert {"pika_async/sandbox/media/video.mp4", "pika_async/sandbox/media/poster.jpg"} <= set(names)
    assert f"{dist_info}/licenses/LICENSE" in names
    strays = [name for name in names if name.endswith((".pyc", ".orig", ".tmp")) or "__pycache__" in name]
    assert not strays


def test_imports_only_go_downward():
    """The layers, and where foreign libraries may appear, are contracts in pyproject.toml."""
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as c; c()",
        "--no-cache",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def modules():
    for package in PACKAGES:
        folder = importlib.import_module(package).__path__
        yield package
        yield from (found.name for found in pkgutil.walk_packages(folder, f"{package}."))


def test_the_examples_in_docstrings_are_true():
    """Every doctest of every module."""
    failed = {}
    tried = 0
    for name in modules():
        result = doctest.testmod(importlib.import_module(name))
        tried += result.attempted
        if result.failed:
            failed[name] = result.failed
    assert not failed
    assert tried > 20
