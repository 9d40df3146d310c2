"""The bugs that are seeded into adapters to prove the conformance kit."""

import ast
import sys

from benchmarks import kit
from benchmarks._adapter_bugs import BUGS, EQUIVALENT
from benchmarks._adapter_mutations import mutations


def test_every_bug_is_a_bug_of_today_s_adapter():
    """Each changes one place, and what comes out is a module."""
    assert len(BUGS) >= 60
    for bug in BUGS:
        text = kit.sources(bug.adapter)[kit.home_of(bug)]
        assert bug.old != bug.new, bug
        ast.parse(text.replace(bug.old, bug.new))


def test_every_explained_change_is_one_that_is_seeded():
    """An explanation of a change that nobody makes would hide one that somebody makes."""
    told = {f"{adapter} {what}" for adapter, _, what, _ in kit.seeded()}
    assert told >= EQUIVALENT.keys()


def test_operators_change_one_place_and_leave_the_source_alone():
    """The tree that they are given stays as it was."""
    tree = ast.parse("def read(x):\n    return x if x > 3 else None\n")
    before = ast.dump(tree)
    made = {what: ast.unparse(make()) for what, make in mutations(tree)}
    assert "if x <= 3" in made["read: x > 3, the other way"]
    assert "if x >= 3" in made["read: x > 3, its edge"]
    assert "x > 4" in made["read: 4 for 3 in x > 3"]
    assert ast.dump(tree) == before


def test_a_bug_is_found_and_the_adapter_itself_is_not():
    """The campaign's verdict is the kit's sentence, or None."""
    bug = next(bug for bug in BUGS if bug.adapter == "demo")
    (name, text), *_ = kit.sources("demo").items()
    assert kit.verdict("demo", {name: ast.parse(text)}) is None
    assert kit.verdict("demo", {name: ast.parse(text.replace(bug.old, bug.new))})


def test_a_bug_of_a_part_is_a_bug_of_its_adapter():
    """An adapter of two modules is judged as one, and the sound part is in its place again afterwards."""
    bug = next(bug for bug in BUGS if bug.what == "the turbo's path")
    name = kit.home_of(bug)
    text = kit.sources(bug.adapter)[name]
    sound = sys.modules[name]
    assert name in kit.SUBJECTS[bug.adapter].parts
    assert kit.verdict(bug.adapter, {name: ast.parse(text.replace(bug.old, bug.new))})
    assert sys.modules[name] is sound
