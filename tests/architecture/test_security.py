"""The page on security is whole: each requirement and duty once, with a verdict, and tests and files that exist."""

import ast
import re
from collections import Counter
from functools import cache

import pytest

from tests.architecture.sources import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
# how many requirements of level 1 and 2 each chapter of OWASP ASVS 5.0 has
REQUIREMENTS = dict(enumerate([27, 11, 19, 10, 9, 35, 18, 7, 7, 29, 14, 9, 13, 9, 13, 16, 7], start=1))
DUTIES = 22
ROW = re.compile(r"(?m)^\| (V\d+\.\d+\.\d+|D\d+) \|(.+)\|$")
PROVEN = {"met", "partly"}
VERDICTS = {"V": {"met", "not met", "not ours"}, "D": {"met", "partly", "not met", "not ours"}}
SHOWN_BY = {"V": 2, "D": 3}  # the cell that names tests and files
CODE = re.compile(r"`([^`]+)`")
TEST = re.compile(r"`(tests/[\w./-]+)::(\w+)`")


@cache
def rows() -> list[tuple[str, list[str]]]:
    """Return (number, cells after it) of every requirement and every duty."""
    return [(number, [cell.strip() for cell in rest.split("|")]) for number, rest in ROW.findall(PAGE)]


def verdict(number: str, cells: list[str]) -> str:
    return cells[SHOWN_BY[number[0]] - 1]


def place_of(number: str) -> tuple[int, ...]:
    return tuple(map(int, number[1:].split(".")))


@cache
def functions_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def is_there(named: str) -> bool:
    path, _, function = named.partition("::")
    return (ROOT / path).is_file() and (not function or function in functions_in(path))


def test_every_requirement_stands_there_once_and_in_its_order():
    numbers = [place_of(number) for number, _ in rows() if number[0] == "V"]
    assert Counter(chapter for chapter, *_ in numbers) == REQUIREMENTS
    assert numbers == sorted(set(numbers))


def test_every_duty_stands_there_once_and_in_its_order():
    assert [number for number, _ in rows() if number[0] == "D"] == [f"D{one}" for one in range(1, DUTIES + 1)]


def test_every_row_has_a_verdict_and_no_empty_cell():
    wrong = [number for number, cells in rows() if verdict(number, cells) not in VERDICTS[number[0]] or not all(cells)]
    assert wrong == []


def test_what_is_met_names_a_test_or_a_file_and_each_exists():
    for number, cells in rows():
        if verdict(number, cells) in PROVEN:
            named = CODE.findall(cells[SHOWN_BY[number[0]]].partition(": ")[0])
            assert named and [one for one in named if not is_there(one)] == [], number


def test_every_test_that_the_page_names_exists():
    assert [f"{path}::{name}" for path, name in TEST.findall(PAGE) if not is_there(f"{path}::{name}")] == []


@pytest.mark.parametrize(
    ("series", "sentence"),
    [
        ("V", "Of {all} requirements {met} are met, {not met} are not met, {not ours} are not ours."),
        ("D", "Of {all} duties {met} are met, {partly} partly, {not met} are not met, {not ours} are not ours."),
    ],
)
def test_the_page_counts_its_verdicts(series, sentence):
    counts = Counter(verdict(number, cells) for number, cells in rows() if number[0] == series)
    assert sentence.format_map(counts | Counter(all=counts.total())) in PAGE
