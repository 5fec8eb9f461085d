"""Our own source, read as syntax: what the laws look at."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from shared.logs import LIBRARY_WARNED

ROOT = Path(import_module("services").__file__ or "").parents[1]
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")


@cache
def trees() -> tuple[tuple[str, ast.Module], ...]:
    """Return (path, syntax tree) of every module of shared, services and vssid."""
    paths = sorted(path for folder in ("shared", "services", "vssid") for path in (ROOT / folder).rglob("*.py"))
    return tuple((path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))) for path in paths)


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield (dotted name, call) of every call; a call on another call's result has ``()`` in its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{dotted(node.func)}()"
    return "?"


def log_calls() -> list[tuple[str, ast.Call]]:
    """Return (where, call) of everything that writes a log line."""
    found = []
    for path, tree in trees():
        chosen = {name for name, _ in _chosen_levels(tree)}
        for name, call in calls(tree):
            parts = name.split(".")
            logger = (
                len(parts) > 1 and parts[-1] in LEVELS and parts[-2].removesuffix("()") in ("log", "_log", "logger")
            )
            if logger or name in chosen:
                found.append((f"{path}:{call.lineno}", call))
    return found


def _chosen_levels(tree: ast.Module) -> Iterator[tuple[str, ast.Assign]]:
    """Yield names that stand for one of the logger's methods: ``tell = {…: log.info}.get(…)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            inside = (dotted(one) for one in ast.walk(node.value) if isinstance(one, ast.Attribute))
            if any(one in tuple(f"log.{level}" for level in LEVELS) for one in inside):
                yield node.targets[0].id, node


def log_events() -> set[str]:
    """Return every static event name, that of libraries' lines among them."""
    called = {call.args[0].value for _, call in log_calls() if call.args and isinstance(call.args[0], ast.Constant)}
    return called | {LIBRARY_WARNED}
