"""How tests are written: one place for helpers, no reach into private parts, no comparison of elapsed time."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

TREES = {
    str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8")) for file in sorted((ROOT / "tests").rglob("*.py"))
}
CLOCKS = {"monotonic", "perf_counter", "process_time", "monotonic_ns", "perf_counter_ns", "process_time_ns"}
OF_NAMED_TUPLES = {"_replace", "_fields", "_asdict"}  # public, in spite of their names
PRIVATE = {"tests/bench/__main__.py": {"_impl"}}  # pika says nowhere else which version the broker has


def names_of(tree: ast.AST) -> Iterator[str]:
    """Return the modules that are imported somewhere in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


def private_reach(tree: ast.AST) -> set[str]:
    """Return the private attributes that are read or set on anything but `self` and `cls`, or patched by name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            found.add(node.attr)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            found |= {one.value for one in node.args if isinstance(one, ast.Constant) and is_private(one.value)}
    return found


def is_private(name: object) -> bool:
    return isinstance(name, str) and name.startswith("_") and not name.startswith("__") and name not in OF_NAMED_TUPLES


def is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


def timed_assertions(tree: ast.AST) -> list[int]:
    """Return the lines of assertions that compare a measured time; one on the name of a measured time is one too."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return sorted({line for function in functions for line in _timed_assertions(function)})


def _timed_assertions(function: ast.FunctionDef) -> Iterator[int]:
    measured: set[str] = set()
    for _ in range(3):  # names of measured times, and names made from those
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and is_timed(node.value, measured):
                measured |= {one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) and any(
            isinstance(one, ast.Compare) and is_timed(one, measured) for one in ast.walk(node.test)
        ):
            yield node.lineno


def is_timed(value: ast.expr, measured: set[str]) -> bool:
    """Return whether an expression asks a clock, or subtracts or compares a time that was asked for."""
    return any(
        (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_clock(node.func))
        or (isinstance(node, ast.Name) and node.id in measured)
        for node in ast.walk(value)
    )


def is_clock(function: ast.Attribute) -> bool:
    return function.attr in CLOCKS and isinstance(function.value, ast.Name) and function.value.id == "time"


def test_no_test_imports_from_a_conftest():
    assert [file for file, tree in TREES.items() if any(".conftest" in name for name in names_of(tree))] == []


def test_waiting_is_defined_once():
    defined = [
        (file, node.name)
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name in ("until", "wait_until", "eventually", "wait_for")
    ]
    waits_of_things = [  # methods that say what they wait for, of things that know it
        ("tests/chaos/ledger.py", "wait_for"),
        ("tests/support/recorders/recorder.py", "wait_until"),
    ]
    assert sorted(defined) == sorted([*waits_of_things, ("tests/support/waiting.py", "until")])


def test_no_test_reaches_into_private_parts():
    reached = {file: names for file, tree in TREES.items() if (names := private_reach(tree))}
    assert reached == PRIVATE


def test_no_test_compares_elapsed_time():
    assert [f"{file}:{line}" for file, tree in TREES.items() for line in timed_assertions(tree)] == []


def test_only_support_is_shared_by_folders_of_tests():
    """The fault suite lends its parts to the live tests; everything else that is shared stands in support."""
    lent = {("live", "chaos")}
    found = {
        (folder, name.split(".")[1])
        for file, tree in TREES.items()
        if (folder := Path(file).parts[1]) != "support"
        for name in names_of(tree)
        if name.startswith("tests.") and name.split(".")[1] not in (folder, "support")
    }
    assert found - lent == set()


# the laws find what they forbid


@pytest.mark.parametrize(
    "source",
    [
        "def test():\n    began = time.monotonic()\n    act()\n    assert time.monotonic() - began < 2",
        "def test():\n    began = time.perf_counter()\n    took = time.perf_counter() - began\n    assert 1 < took < 2",
    ],
)
def test_a_comparison_of_elapsed_time_is_found(source):
    assert timed_assertions(ast.parse(source)) == [source.count("\n") + 1]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("broker._events.clear()", {"_events"}),
        ("monkeypatch.setattr(Carrier, '_collect', f)", {"_collect"}),
        ("self._own = cls._also_own", set()),
        ("named.__dict__", set()),
    ],
)
def test_a_reach_into_private_parts_is_found(source, found):
    assert private_reach(ast.parse(source)) == found
