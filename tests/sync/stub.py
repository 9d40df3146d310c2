"""Write `pika_async/sync/__init__.pyi` from the sources of the asynchronous classes.

python -m tests.sync.stub
"""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

from pika_async import sync
from pika_async.sync._derived import NAMES, worded

STUB = Path(sync.__file__).with_suffix(".pyi")

HEAD = '''
"""The types of `pika_async.sync`, for mypy and editors.

Written by `python -m tests.sync.stub`: change the asynchronous classes, then run it.
"""
'''
ITEM = '''
class Item(_item.Item):
    """An item of a `map`, whose *job* is waited for without `await`."""

    job: Job | None  # type: ignore[assignment]
'''
HOMES = {"Job": "_job", "JobEvents": "_events", "Map": "_bulk", "Pika": "_client"}
"""Where the asynchronous class of each name is."""
OWN = {*HOMES, "Item"}
REFUSED = {"callbacks"}
"""An option and a member that need an event loop of the user's."""
TYPES = {
    "AsyncIterator": "Iterator",
    "AsyncIterable": "Iterable",
    "AbstractAsyncContextManager": "AbstractContextManager",
}
STANDARD = {"Iterator": "collections.abc", "AbstractContextManager": "contextlib"}


class _Plainly(ast.NodeTransformer):
    """Turns the annotations of asynchronous code into those of a call that waits."""

    def __init__(self, homes: dict[str, str]) -> None:
        self.homes = homes

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if (awaited := self._awaited(node.id)) is not None:
            return self.visit(awaited)
        return ast.Name(TYPES.get(node.id, node.id))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        left, right = self.visit(node.left), self.visit(node.right)
        return left if ast.dump(left) == ast.dump(right) else ast.BinOp(left, node.op, right)

    def _awaited(self, name: str) -> ast.expr | None:
        """Return what `await` makes of an object of ours that is no job: `list[Job]` of `Recovered`."""
        home = self.homes.get(name, "")
        if name in OWN or not home.startswith("pika_async."):
            return None
        kind = getattr(importlib.import_module(home), name, None)
        if not inspect.isclass(kind) or not hasattr(kind, "__await__"):
            return None
        returned = ast.parse(inspect.get_annotations(kind.__await__)["return"], mode="eval").body
        return returned.slice.elts[2]


def _homes(tree: ast.Module) -> dict[str, str]:
    """Return the module from which each name comes."""
    return {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
        if alias.asname is None
    }


def _method(node: ast.FunctionDef | ast.AsyncFunctionDef, plainly: _Plainly) -> ast.FunctionDef | None:
    if node.name in {*REFUSED, "__repr__", "_repr_html_"} or (
        node.name not in {*NAMES, "__init__"} and node.name.startswith("_")
    ):
        return None
    arguments = node.args
    options = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    kept = [(option, default) for option, default in options if option.arg not in REFUSED]
    arguments.kwonlyargs, arguments.kw_defaults = map(list, zip(*kept, strict=True)) if kept else ([], [])
    plainly.visit(arguments)
    doc = worded(ast.get_docstring(node))
    body = [ast.Expr(ast.Constant(doc))] if doc else [ast.Expr(ast.Constant(...))]
    return ast.FunctionDef(
        name=NAMES.get(node.name, node.name),
        args=arguments,
        body=body,
        decorator_list=node.decorator_list,
        returns=node.returns and plainly.visit(node.returns),
        type_params=[],
    )


def _self_returning(name: str) -> ast.FunctionDef:
    return ast.parse(f"def {name}(self) -> Self: ...").body[0]


def _class(name: str) -> tuple[ast.ClassDef, dict[str, str]]:
    source = importlib.import_module(f"pika_async.{HOMES[name]}")
    tree = ast.parse(inspect.getsource(source))
    homes = _homes(tree)
    plainly = _Plainly(homes)
    node = next(part for part in tree.body if isinstance(part, ast.ClassDef) and part.name == name)
    methods = [
        made
        for part in node.body
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
        and not (part.name == "__init__" and name != "Pika")
        and (made := _method(part, plainly)) is not None
    ]
    found = {method.name for method in methods}
    if "__next__" in found:
        methods.append(_self_returning("__iter__"))
    if "__exit__" in found:
        methods.append(_self_returning("__enter__"))
    doc = ast.Expr(ast.Constant(inspect.getdoc(getattr(sync, name))))
    bases = [plainly.visit(base) for base in node.bases]
    # What the module itself defines, an alias say, comes from there.
    own = {part.id for part in ast.walk(ast.Module(methods, [])) if isinstance(part, ast.Name)}
    homes |= {
        one: source.__name__
        for one in own - set(homes) - OWN
        if one in vars(source) and not inspect.ismodule(vars(source)[one])
    }
    made = ast.ClassDef(
        name=name, bases=bases, keywords=[], body=[doc, *methods], decorator_list=[], type_params=[]
    )
    return made, homes


def stub() -> str:
    """Return the text of the stub."""
    classes, homes = [], dict(STANDARD)
    for name in HOMES:
        made, known = _class(name)
        classes.append(made)
        homes |= known
    used = {node.id for made in classes for node in ast.walk(made) if isinstance(node, ast.Name)} - OWN
    imports = "\n".join(f"from {homes[name]} import {name}" for name in sorted(used) if name in homes)
    modules = "import os\n" if "os" in used else ""
    text = "\n\n".join(ast.unparse(ast.fix_missing_locations(made)) for made in classes)
    names = sorted(OWN)
    text = f"{HEAD}{modules}{imports}\nfrom pika_async import _item\n__all__ = {names}\n{ITEM}\n{text}\n"
    for command in (["check", "--select", "D209,F401,I,PYI011", "--fix"], ["format"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "-q", "--stdin-filename", str(STUB), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


if __name__ == "__main__":
    STUB.write_text(stub(), "utf-8")
