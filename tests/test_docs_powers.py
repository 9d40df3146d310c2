"""docs/providers.md shows every function of the contract with its signature, in code that works."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attrs import evolve, frozen

import pika_async.provider as api
from pika_async import _contract
from pika_async.testing import check_provider
from pika_demo import Demo, DemoEmulator
from tests.test_testing import the_key_of_the_kit  # noqa: F401 - for every test here

PAGE = Path(__file__).parents[1] / "docs" / "providers.md"
BLOCK = re.compile(r"```python\n(def .*?)```", re.DOTALL)
OWN = {"build_submit", "read_submit", "build_poll", "read_poll"}


def shown() -> dict[str, Any]:
    """Return the functions that the page shows for an adapter, by name."""
    known = {
        "api": api,
        "Any": Any,
        "Iterator": Iterator,
        "Mapping": Mapping,
        "Sequence": Sequence,
        "quote": quote,
        "evolve": evolve,
        "REFUSALS": api.Refusals(provider="demo"),
    }
    before = set(known)
    for code in BLOCK.findall(PAGE.read_text("utf-8")):
        if "(self" in code:
            exec(code, known)
    return {name: known[name] for name in known.keys() - before - {"__builtins__"}}


def made(functions: dict[str, Any]) -> Any:
    """Return an adapter class with *functions* beside those of the example."""
    fields = {"__annotations__": {"held": bool}, "held": False}
    post = {
        "_post": lambda self, path, body: api.HttpRequest(
            method="POST", url=f"{self.base_url}/{path}", headers=self._headers, body=api.Json(body)
        )
    }
    return frozen(kw_only=True)(type("Shop", (Demo,), {**functions, **fields, **post}))


def test_every_function_of_the_contract_is_shown():
    """And what is shown fits: the names, the numbers of arguments, and no half of a power."""
    functions = shown()
    kept = {name: functions[name] for name in functions if name.startswith(("build_", "check_", "read_"))}
    assert kept.keys() | OWN == _contract._KNOWN.keys()
    assert _contract.check_provider(made(kept)(api_key="k")) == _contract._POWERS.keys()


def test_what_is_shown_keeps_the_contract():
    """The kit passes an adapter of these functions, as far as it goes without an emulator."""
    functions = shown()
    capabilities = evolve(Demo.capabilities, fields={"seed", "aspect_ratio", "model", "duration"})
    kept = {name: functions[name] for name in functions if name not in {"examples", "limits"}}
    check_provider(made({**kept, "capabilities": capabilities}))


def test_the_shown_examples_are_those_of_the_example():
    """The emulator's members of the page fit the example adapter."""
    functions = shown()
    members = {name: functions[name] for name in ("examples", "limits")}
    check_provider(Demo, emulator=type("Shop", (DemoEmulator,), members)())
