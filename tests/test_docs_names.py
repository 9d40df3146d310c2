"""Names in the documentation exist in the code: identifiers, files, commands and their options."""

from __future__ import annotations

import ast
import builtins
import fnmatch
import importlib
import re
import shlex
from functools import cache
from pathlib import Path

import click
import pytest

from pika_async.cli._app import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CODE = ("pika_async", "providers", "benchmarks", "examples")

INSTANCES = {"pika": "Pika", "job": "Job", "error": "JobTimeout", "video": "VideoResult", "engine": "Engine"}
"""What a lower-case name stands for when the documentation takes a member of it."""

FOREIGN = {
    *("Authorization", "Retry-After", "fullfsync", "json.dumps", "trial"),
    *("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE"),
    *("AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"),
    # Words of providers that no code of ours has to spell.
    *("KEY", "another", "canceled", "effect", "flex", "h3", "not_applied", "other"),
}
FOREIGN_PROGRAMS = {"cloudflared", "curl", "lint-imports", "mypy", "python", "ruff", "uvicorn"}


class _Names(ast.NodeVisitor):
    """The names that a source file defines or uses, the words of its texts, its classes and their members."""

    def __init__(self):
        self.names: set[str] = set()
        self.bases: dict[str, list[str]] = {}
        self.members: dict[str, set[str]] = {}
        self._classes: list[str] = []

    def visit_ClassDef(self, node):
        self.names.add(node.name)
        self.bases[node.name] = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
        self.members.setdefault(node.name, set())
        self._classes.append(node.name)
        self.generic_visit(node)
        self._classes.pop()

    def visit_FunctionDef(self, node):
        self._belongs(node.name)
        if node.name == "__init__":
            for argument in (*node.args.args, *node.args.kwonlyargs):
                self._belongs(argument.arg)
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_AnnAssign(self, node):
        if isinstance(node.target, ast.Name):
            self._belongs(node.target.id)
        self.generic_visit(node)

    def visit_Attribute(self, node):
        self.names.add(node.attr)
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            self._belongs(node.attr)
        self.generic_visit(node)

    def visit_Name(self, node):
        self.names.add(node.id)

    def visit_arg(self, node):
        self.names.add(node.arg)
        self.generic_visit(node)

    def visit_keyword(self, node):
        self.names |= {node.arg} if node.arg else set()
        self.generic_visit(node)

    def visit_alias(self, node):
        self.names |= {*node.name.split("."), node.asname or ""}

    def visit_Expr(self, node):
        # A docstring may lag just as the documentation does.
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, str):
            self.names |= {node.value, *re.findall(r"[\w-]+", node.value)}

    def _belongs(self, name):
        self.names.add(name)
        if self._classes:
            self.members[self._classes[-1]].add(name)


@cache
def code():
    """Read every source file once."""
    names = _Names()
    for folder in CODE:
        for path in (ROOT / folder).rglob("*.py"):
            names.visit(ast.parse(path.read_text("utf-8")))
            names.names |= set(path.relative_to(ROOT).with_suffix("").parts)
    names.names |= set(dir(builtins))
    return names


def members(kind):
    """Return the members of a class of ours, inherited ones included; None for no class of ours."""
    known = code()
    if kind not in known.members:
        return None
    return known.members[kind].union(*(members(base) or set(dir(builtins)) for base in known.bases[kind]))


def is_known(dotted):
    """Return whether a name exists: as a module's attribute, a member of its class, or a word of the code.

    What a class takes when it is made counts as a member of it.
    """
    root, *rest = dotted.split(".")
    if root == "pika_async":
        return _can_be_imported(dotted)
    of_class = members(INSTANCES.get(root, root)) if rest else None
    if of_class is not None:
        return rest[0] in of_class
    return all(part in code().names for part in (root, *rest))


def _can_be_imported(dotted):
    module, _, name = dotted.rpartition(".")
    try:
        return not module or hasattr(importlib.import_module(module), name) or importlib.import_module(dotted)
    except ImportError:
        return False


def names_in(span):
    """Return the dotted names in a span of Python; none in a text that is no Python."""
    span = re.sub(r"=(?=[),]|$)", "=None", span.replace("…", "None"))
    for attempt in (span, f"_({span})"):
        try:
            tree = ast.parse(attempt)
        except SyntaxError:
            continue
        return set(_dotted(tree)) - {"_"}
    return set()


def _dotted(tree):
    inner = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute() | ast.Name() if node not in inner:
                inner |= set(ast.walk(node))
                text = ast.unparse(node)
                # Of `f(x).a` only the parts are names: what a call returns is not looked into.
                yield from [text] if re.fullmatch(r"[\w.]+", text) else re.findall(r"\w+", text)
            case ast.Call(func=ast.Name(id=name), keywords=keywords):
                of_class = f"{name}." if members(name) is not None else ""
                yield from (f"{of_class}{keyword.arg}" for keyword in keywords)
            case ast.Call(keywords=keywords):
                yield from (keyword.arg for keyword in keywords)
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=str(module), names=aliases):
                yield from (f"{module}.{alias.name}" for alias in aliases)


def unknown_in_command(line):
    """Return the words of a line for the shell that no command of ours understands."""
    program, *words = shlex.split(line)
    command = app if program == "pika-async" else None
    if command is None:
        return []
    missing = []
    for word in words:
        if word.startswith("-"):
            option = word.partition("=")[0]
            missing += [] if option in _options(command) else [word]
        elif isinstance(command, click.Group) and word.islower():
            with click.Context(command) as context:
                found = command.get_command(context, word)
            missing += [] if found else [word]
            command = found or command
    return missing


def _options(command):
    return {text for option in command.params for text in (*option.opts, *option.secondary_opts)} | {"--help"}


@cache
def all_options():
    """Return the options of all commands, and those that the benchmarks read."""
    found, commands = {"-v", "-vv", "--full"}, [app]
    while commands:
        command = commands.pop()
        found |= _options(command)
        if isinstance(command, click.Group):
            with click.Context(command) as context:
                commands += [command.get_command(context, name) for name in command.list_commands(context)]
    return found


def path_exists(path, folders):
    """Return whether a file or folder is at the root, in the package, or where its neighbours are."""
    return any(list((ROOT / folder).glob(path.rstrip("/"))) for folder in ("", "pika_async", *folders))


def unknown(block):
    """Return the spans of one block of text that name what the code does not have."""
    missing, folders = [], set()
    for span in re.findall(r"`([^`\n]+)`", block):
        if {span, span.split()[0]} & (FOREIGN | FOREIGN_PROGRAMS) or not re.search(r"[a-zA-Z]{2}", span):
            continue
        if re.fullmatch(r"[\w./*-]+(\.py|\.md|/)", span):
            missing += [] if path_exists(span, folders) else [span]
            folders.add(str(Path("pika_async", span).parent))
        elif span.startswith("pika-async "):
            missing += unknown_in_command(span)
        elif span.startswith("-"):
            missing += [] if span.split()[0] in all_options() else [span]
        elif re.fullmatch(r"\w+\*", span):
            missing += [] if fnmatch.filter(code().names, span) else [span]
        elif span not in code().names:
            missing += sorted(name for name in names_in(span) - FOREIGN if not is_known(name))
    return missing


def text_of(page):
    """Return a page without its programs, which have tests of their own; its drawings stay, as spans."""
    text = page.read_text("utf-8")
    text = re.sub(r"```\w+\n.*?```", "", text, flags=re.DOTALL)
    return re.sub(r"```\n(.*?)```", lambda drawing: _spans(drawing[1]), text, flags=re.DOTALL)


def _spans(drawing):
    return " ".join(f"`{name}`" for name in re.findall(r"[\w]*[a-z]\.[a-z_]\w+|\b_?[a-z]+_\w+", drawing))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_in_the_documentation_exists(page):
    """Names between backticks are those of the code as it is; else correct the page, or add to FOREIGN."""
    missing = {name for block in re.split(r"\n\s*\n", text_of(page)) for name in unknown(block)}
    assert not missing, f"{page.name} names what the code does not have: {sorted(missing)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_in_the_documentation_leads_to_a_file(page):
    """Links to other pages, and to their headings."""
    for target, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)", page.read_text("utf-8")):
        path = page.parent / target if target else page
        assert path.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings]
            assert heading[1:] in anchors, heading


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`Pika.generate` and `pika.recover(queued=True)`", []),
        ("`Pika.gone()`", ["Pika.gone"]),
        ("`pika.gone`", ["pika.gone"]),
        ("`await error.job`, `error.gone`", ["error.gone"]),
        ("`RenamedError`", ["RenamedError"]),
        ("`Pika(gone=8)`", ["Pika.gone"]),
        ("`Generate(image=)`, `Generate(images=)`, `gone_option=`", ["Generate.images", "gone_option"]),
        ("`pika_async.asdict(video)`", []),
        ("`pika_async.gone`", ["pika_async.gone"]),
        ("`from pika_async import Pika, Gone`", ["pika_async.Gone"]),
        ("`_transport.py`, `_media.py`", ["_media.py"]),
        ("`_download/media.py`, `part.py`, `gone.py`", ["gone.py"]),
        ("`sandbox/`, `gone/`", ["gone/"]),
        ("`pika-async jobs prune --older-than 30d`", []),
        ("`pika-async gone`", ["gone"]),
        ("`pika-async generate --gone`", ["--gone"]),
        ("`--max-submits 50`, `--gone`", ["--gone"]),
        ("`read_*`, `gone_*`", ["gone_*"]),
    ],
)
def test_a_name_that_is_gone_is_found(text, missing):
    """Of every sort that the documentation has."""
    assert unknown(text) == missing
