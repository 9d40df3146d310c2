"""One-step changes of an adapter's source, made by operators and without judgement. Pure."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any, TypeAlias

Change: TypeAlias = Callable[[Any], None]

_SWAPPED = {
    "AuthError": "SubmitRefused",
    "RateLimited": "SubmitRefused",
    "InsufficientBalance": "RateLimited",
    "ContentBlocked": "SubmitRefused",
    "SubmitUnknown": "SubmitRefused",
    "SubmitRefused": "SubmitUnknown",
    "ProviderUnavailable": "SubmitRefused",
    "Pending": "Failed",
    "SUCCEEDED": "RUNNING",
    "FAILED": "RUNNING",
    "QUEUED": "RUNNING",
    "RUNNING": "QUEUED",
    "REQUESTED": "TOO_LATE",
    "TOO_LATE": "REQUESTED",
}
_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
}
_HOLDERS = (ast.Dict, ast.Call, ast.Tuple, ast.Set, ast.List, ast.Compare)
_EDGES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}


def mutations(
    tree: ast.Module, passed: Collection[str] = ()
) -> Iterator[tuple[str, Callable[[], ast.Module]]]:
    """Yield each bug of *tree*: where and what is changed, and what makes the module.

    Emulators stay as they are, and so do the functions named in *passed*, which they use.
    """
    nodes = list(ast.walk(tree))
    parents = {child: parent for parent in nodes for child in ast.iter_child_nodes(parent)}
    left = {child for one in nodes for top in _left(one, passed) for child in ast.walk(top)}
    seen: Counter[str] = Counter()
    for index, node in enumerate(nodes):
        if node in left:
            continue
        for change, make in _changes(node, parents.get(node)):
            what = f"{_place(node, parents)}: {change}"
            seen[what] += 1
            what = what if seen[what] == 1 else f"{what} ({seen[what]})"
            yield what, partial(_spoilt, tree, index, make)


def _spoilt(tree: ast.Module, index: int, make: Change) -> ast.Module:
    spoilt = copy.deepcopy(tree)
    make(list(ast.walk(spoilt))[index])
    return ast.fix_missing_locations(spoilt)


def _left(node: ast.AST, passed: Collection[str]) -> Iterator[ast.AST]:
    """Yield what of *node* is no part of what an adapter does: emulators, docstrings, annotations."""
    match node:
        case ast.ClassDef(name=name) if name.endswith("Emulator"):
            yield node
        case ast.FunctionDef(name=name) if name in passed:
            yield node
        case ast.ClassDef(decorator_list=decorators):
            yield from decorators
        case ast.FunctionDef(args=arguments, returns=returns):
            yield from (one.annotation for one in arguments.args if one.annotation is not None)
            yield from [] if returns is None else [returns]
        case ast.AnnAssign(annotation=annotation):
            yield annotation
        case ast.Expr(value=ast.Constant()):
            yield node
        case _:
            pass


def _place(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> str:
    names = []
    while (node := parents.get(node)) is not None:  # type: ignore[assignment]
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
    return ".".join(reversed(names)) or "module"


def _changes(node: ast.AST, parent: ast.AST | None) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test):
            yield f"not ({_told(test)})", _set_test
        case ast.Compare(ops=[op]):
            if type(op) in _FLIPPED:
                yield f"{_told(node)}, the other way", _set_op(_FLIPPED[type(op)])
            if type(op) in _EDGES:
                yield f"{_told(node)}, its edge", _set_op(_EDGES[type(op)])
        case ast.BoolOp(op=op):
            other: ast.boolop = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"{_told(node)}, {'or' if isinstance(op, ast.And) else 'and'}", _set("op", other)
        case ast.Attribute(attr=name) if name in _SWAPPED:
            yield f"{name} for {_SWAPPED[name]} in {_told(parent)}", _set("attr", _SWAPPED[name])
        case ast.Constant(value=str(text)) if isinstance(parent, _HOLDERS) and text and " " not in text:
            yield f"{text!r} misspelt in {_told(parent)}", _set("value", f"{text}_x")
        case ast.Constant(value=bool(word)) if not isinstance(parent, ast.AnnAssign):
            yield f"{not word} for {word} in {_told(parent)}", _set("value", not word)
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            yield f"{number + 1} for {number} in {_told(parent)}", _set("value", number + 1)
        case ast.Call(keywords=[*keywords]) if keywords:
            for at, keyword in enumerate(keywords):
                if keyword.arg is not None:
                    yield f"{keyword.arg}= left out of {_told(node)}", _without(at)
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield f"return None for {_told(value)}", _set("value", ast.Constant(None))
        case _:
            pass


def _told(node: ast.AST | None) -> str:
    return "" if node is None else " ".join(ast.unparse(node).split())[:60]


def _set(name: str, value: object) -> Change:
    return lambda twin: setattr(twin, name, value)


def _without(at: int) -> Change:
    return lambda twin: twin.keywords.pop(at)


def _set_op(op: type[ast.cmpop]) -> Change:
    return lambda twin: setattr(twin, "ops", [op()])


def _set_test(twin: Any) -> None:
    twin.test = ast.UnaryOp(ast.Not(), twin.test)
