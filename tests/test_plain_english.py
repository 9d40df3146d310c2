"""Docstrings and documents keep to plain words: readers read them in their second language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLAINER = {
    r"anew": "again",
    r"any day": "at any time",
    r"bad day": "a failure",
    r"(?:fell|fall) silent": "stopped responding",
    r"gone on with": "continued",
    r"goes on where": "continues where",
    r"at the first go": "at the first attempt",
    r"let go": "release, close",
    r"lives? on": "continues",
    r"money went": "the order was charged",
    r"pleasure": "decides",
    r"pretend\w*": "simulated",
    r"speaks? (?:its|the|every|our|up)": "answers like",
    r"somebody else's": "another's",
    r"took up again|takes? up again|taken up again": "continues",
    r"will do(?=[.;:,])": "is enough",
    r"a wish|its wish": "a request",
}
"""Words that were hard to read, as patterns, each with what to write instead."""

ANY = re.compile(rf"\b(?:{'|'.join(PLAINER)})\b", re.IGNORECASE)


def documents() -> Iterator[tuple[str, str]]:
    """Yield the prose of every page, without its code."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        yield page.name, re.sub(r"```.*?```|`[^`\n]+`", "", page.read_text("utf-8"), flags=re.DOTALL)


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield every docstring; those of commands are their help."""
    for path in (*sorted((ROOT / "pika_async").rglob("*.py")), *sorted((ROOT / "providers").rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = getattr(node, "name", "module")
                yield f"{path.relative_to(ROOT)}: {name}", ast.get_docstring(node) or ""


def hard(text: str) -> list[str]:
    """Return the words of *text* for which there are plainer ones."""
    flat = " ".join(text.split())
    if not ANY.search(flat):
        return []
    return [
        f"{found[0]!r}: write {plainer!r}"
        for word, plainer in PLAINER.items()
        for found in re.finditer(rf"\b(?:{word})\b", flat, re.IGNORECASE)
    ]


@pytest.mark.parametrize("texts", [documents, docstrings])
def test_there_are_plainer_words(texts):
    """Correct the sentence; its subject comes first, and one word stands for one thing."""
    assert [f"{where}: {word}" for where, text in texts() for word in hard(text)] == []


def test_a_hard_word_is_found():
    """Also where a line breaks inside it."""
    assert hard("It is gone\n on with, and will do.") == [
        "'gone on with': write 'continued'",
        "'will do': write 'is enough'",
    ]
    assert hard("It will do no harm. It continues.") == []
