"""What we promise to the outside: names, light imports, the wheel, and who imports whom."""

import ast
import builtins
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
import pika_async.callbacks
import pika_async.emulator
import pika_async.errors
import pika_async.fleet
import pika_async.installed
import pika_async.ledger
import pika_async.provider
import pika_async.requests
import pika_async.results
import pika_async.sandbox
import pika_async.testing
import pika_async.types
from tests.wheels import ROOT

PUBLIC = [
    pika_async,
    pika_async.batch,
    pika_async.fleet,
    pika_async.installed,
    pika_async.ledger,
    pika_async.provider,
    pika_async.sandbox,
    pika_async.testing,
    pika_async.types,
]
NAMED = [*PUBLIC, pika_async.callbacks, pika_async.errors, pika_async.requests, pika_async.results]
PACKAGES = ["pika_async", "pika_acedata", "pika_comfy", "pika_duomi", "pika_fal", "pika_official"]


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
        "Edit",
        "Frame",
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
        "asdict",
    ]


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_every_export_is_there_sorted_and_explained(module):
    """No name without a thing, and no class or function without a docstring of its own."""
    named = [name for name in module.__all__ if not name.isupper()]
    assert named == sorted(named)
    things = {name: getattr(module, name) for name in named}
    explained = {n: t for n, t in things.items() if inspect.isclass(t) or inspect.isfunction(t)}
    assert not [name for name, thing in explained.items() if not thing.__doc__]


def test_the_import_loads_nothing_of_ours():
    """Each name is loaded where it is first used; a program pays for what it uses."""
    code = "import sys, pika_async; print(sorted(m for m in sys.modules if m.startswith('pika_')))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "['pika_async', 'pika_async._lazily']"


def test_an_opened_client_loads_no_more_than_it_needs():
    """What sends comes with the first request; emulators, downloads, callbacks and anyio come when used."""
    code = (
        "import asyncio, sys\nfrom pika_async import Pika\nasync def main():\n"
        " async with Pika('acedata', api_key='sandbox'): pass\nasyncio.run(main())\nprint(*sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    idle = {
        "aiohttp",
        "pika_async._transport",
        "anyio",
        "pika_acedata._emulator",
        "pika_async._download",
        "pika_async.callbacks.receiver",
    }
    assert "pika_async._engine.engine" in told.split()
    assert not {*idle, "pika_duomi", "pika_official"} & {*told.split()}


def test_whatever_is_imported_for_users_is_exported():
    """A public name at the top that is not in `__all__` would be a promise by accident."""
    visible = {
        name
        for name, thing in vars(pika_async).items()
        if not name.startswith("_") and not inspect.ismodule(thing)
    }
    assert visible <= set(pika_async.__all__)
    assert all(hasattr(pika_async, name) for name in pika_async.__all__)


def public_names():
    """Return every name that a user may import, with what it is."""
    return {
        name: getattr(module, name)
        for module in NAMED
        for name in getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")])
    }


def returned_names(kind):
    """Return the method and the name of each thing of ours that a public method of *kind* returns."""
    for name, member in inspect.getmembers(kind):
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        module = inspect.getmodule(function)
        hidden = name.startswith("_") and name not in {"__anext__", "__await__"}
        if hidden or not inspect.isfunction(function) or not module.__name__.startswith("pika_"):
            continue
        returned = function.__annotations__.get("return", "None")
        told = ast.parse(returned if isinstance(returned, str) else inspect.formatannotation(returned))
        foreign = {*dir(builtins), *imported_from_others(module)}
        yield from (
            (f"{kind.__name__}.{name}", node.id)
            for node in ast.walk(told)
            if isinstance(node, ast.Name) and node.id not in foreign
        )


def imported_from_others(module):
    """Return the names that *module* imports from elsewhere than us, whoever the import is for."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("pika_"):
            yield from (alias.asname or alias.name for alias in node.names)
        if isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)


def test_whatever_a_public_method_returns_has_a_public_name():
    """A typed program can write down what it got, without a private import."""
    named = public_names()
    kinds = {t for t in named.values() if inspect.isclass(t) and t.__module__.startswith("pika_")}
    returned = {found for kind in kinds for found in returned_names(kind)}
    assert {("Pika.stats", "AccountStats"), ("Map.__anext__", "Item"), ("Job.raw", "JSON")} <= returned
    assert not sorted((method, name) for method, name in returned if name not in named)


def test_names_for_annotations_cost_nothing_until_they_are_used():
    """`pika_async.types` may be imported by a module that only annotates."""
    program = "import pika_async.types, sys; print('aiohttp' in sys.modules, 'cattrs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


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
        "sqlite3",
        "pika_acedata",
        "pika_comfy",
        "pika_duomi",
        "pika_fal",
        "pika_official",
    }
    assert not loaded & heavy
    assert "importlib.metadata" not in json.loads(done.stdout)


def test_the_wheel_holds_exactly_what_it_should(wheel):
    """The packages with their types, the sandbox's media, the licence; no tests and no `providers`."""
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
