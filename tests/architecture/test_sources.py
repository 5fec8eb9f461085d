"""Facts are cited by number, and docs/sources.md says what each of them is.

A number is one of the series S I U F D A C with up to three digits, alone or as a range; ``§`` with a number and the
table of time limits count as well. Where it is a citation:

- in prose (comments, docstrings, pages, the example of the settings): wherever it stands as a word of its own,
  outside of code in backticks and of what ``noqa`` names;
- in any other string of Python, which may hold anything: only where it is a whole item of a list in parentheses.

S3 is the object store and A4 a sheet of paper, everywhere: facts of these numbers cannot be cited.
"""

import ast
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

SOURCES = ROOT / "docs" / "sources.md"
FOLDERS = ("shared", "services", "vssid", "tests", "docs")
PROSE = (".md", ".yml", ".csv")  # the generated .json repeats what Python says
NOT_FACTS = {"S3", "A4"}

FACT = r"([SIUFDAC])([1-9][0-9]{0,2})(?:[-–]\1?([1-9][0-9]{0,2}))?"
SECTION = r"§ ?([0-9]+(?:\.[0-9]+)?)"
TABLE = r"F-table"
# not inside of a word, a path, a code point, a colour, or a name joined by hyphens: UTF8, %F1, #F00, S3-compatible
FACTS = re.compile(rf"(?<![\w%#=./–-]){FACT}(?![\w%/–-]|\.\w)")
SECTIONS = re.compile(rf"(RFC ?[0-9]+,? ?)?{SECTION}")  # those of an RFC are its own
TABLES = re.compile(rf"\b{TABLE}\b")
ITEM = re.compile(rf"{FACT}|{SECTION}|{TABLE}")
PARENTHESES = re.compile(r"(?<!\w)\(([^()]*)\)")
CODE = re.compile(r"(?s)```.*?```|``.*?``|`[^`\n]*`")
NOQA = re.compile(r"noqa: *[A-Z]+[0-9]+(?:[, ]+[A-Z]+[0-9]+)*")

ROW = re.compile(rf"(?m)^\| ([SIUFDAC][0-9]{{1,3}}|{TABLE}) \|(.*)\|$")
HEADING = re.compile(r"(?m)^### (§[0-9.]+) .+\n\n\w")


def facts_in(prose: str) -> Iterator[str]:
    """Yield every fact that a text cites, each member of a range for itself."""
    for series, first, last in FACTS.findall(prose):
        members = (f"{series}{number}" for number in range(int(first), int(last or first) + 1))
        yield from (fact for fact in members if fact not in NOT_FACTS)
    yield from (f"§{number}" for rfc, number in SECTIONS.findall(prose) if not rfc)
    yield from TABLES.findall(prose)


def in_parentheses(text: str) -> str:
    """Return what of a string that may hold anything is a citation: whole items of lists in parentheses."""
    items = (item for inside in PARENTHESES.findall(text) for item in re.split(r"[,;]\s+", inside))
    return ", ".join(item for item in items if ITEM.fullmatch(item))


def lines_of_prose(text: str, first: int = 1) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of a page or a docstring without the code in it."""
    without = CODE.sub(lambda code: " " + "\n" * code[0].count("\n"), text)
    yield from enumerate(without.splitlines(), start=first)


def lines_of_python(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of everything in a module that may cite."""
    for token in tokenize.generate_tokens(StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield from lines_of_prose(NOQA.sub("", token.string), token.start[0])
    tree = ast.parse(text)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in alone:  # a docstring
                yield from lines_of_prose(node.value, node.lineno)
            else:
                yield node.lineno, in_parentheses(node.value)


def files() -> list[Path]:
    """Return every file that may cite; the examples below are no citations."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in (".py", *PROSE)]
    ours = {SOURCES, Path(__file__).resolve()}
    return sorted({*found, *ROOT.glob("README*.md"), ROOT / ".env.example"} - ours)


@cache
def cited() -> dict[str, list[str]]:
    """Return where each fact is cited, as file:line."""
    places: dict[str, list[str]] = {}
    for path in files():
        read = lines_of_python if path.suffix == ".py" else lines_of_prose
        for line, text in read(path.read_text("utf-8")):
            for fact in facts_in(text):
                places.setdefault(fact, []).append(f"{path.relative_to(ROOT).as_posix()}:{line}")
    return places


@cache
def listed() -> tuple[str, ...]:
    """Return every fact and section that the list of sources explains, in its order."""
    text = SOURCES.read_text("utf-8")
    return (*(fact for fact, _ in ROW.findall(text)), *HEADING.findall(text))


def test_every_fact_that_is_cited_stands_in_the_list_of_sources():
    assert [f"{fact}: {place}" for fact in cited() if fact not in listed() for place in cited()[fact]] == []


def test_every_fact_in_the_list_of_sources_is_cited():
    assert [fact for fact in listed() if fact not in cited()] == []


def test_no_fact_stands_in_the_list_of_sources_twice():
    assert [fact for fact, times in Counter(listed()).items() if times > 1] == []


def test_facts_of_a_series_stand_in_the_order_of_their_numbers():
    for one, other in pairwise(fact for fact in listed() if fact[1:].isdigit()):
        assert one[0] != other[0] or int(one[1:]) < int(other[1:]), f"{other} stands after {one}"


def test_every_fact_in_the_list_says_something_and_names_its_source():
    for fact, rest in ROW.findall(SOURCES.read_text("utf-8")):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", rest)]
        assert len(cells) == 2 and all(cells), fact


def test_the_list_of_sources_leans_on_no_fact_that_it_leaves_out():
    text = SOURCES.read_text("utf-8")
    assert {fact for _, line in lines_of_prose(text) for fact in facts_in(line)} - {*listed()} == set()


@pytest.mark.parametrize(
    ("prose", "facts"),
    [
        ("Deleted after ten days (S59).", "S59"),
        ("(S14, S72-S74)", "S14 S72 S73 S74"),
        ("(S72–S74)", "S72 S73 S74"),
        ("(S72-74)", "S72 S73 S74"),
        ("# I7, I16", "I7 I16"),
        ("# I21: forms differ", "I21"),
        ("C6: one sender", "C6"),
        ("the order is F5 of the list", "F5"),
        ("by (§2.4, §2.5) and §3.", "§2.4 §2.5 §3"),
        ("three days (F-table)", "F-table"),
        ("A1-A6", "A1 A2 A3 A5 A6"),
        ("pictures lie in S3, or S3-compatible, on A4", ""),
        ("GSM 03.38, GSM-7, E.164, X.509, UTF8, UCS-2, 40P01, 5.7.1, RFC 9457, E402, ISO-8859-1", ""),
        ("cursor=%F1%9F, #F00, sha256 0A1B2C3, id:d41d8cd98f, v=S59, U+1F600, docs/S59/C6.md", ""),
        ("RFC 9457 §3.1 and RFC 5321, §4.5", ""),
        ("the alphabet !¡§¿", ""),
    ],
)
def test_a_citation_in_prose_is_told_from_its_look_alikes(prose, facts):
    assert " ".join(facts_in(prose)) == facts


@pytest.mark.parametrize(
    ("string", "facts"),
    [
        ("days an undecided declaration lives (S59)", "S59"),
        ("seen (S72-S74; I29, §2.2)", "S72 S73 S74 I29 §2.2"),
        ("Phòng D12, tòa nhà C6", ""),
        ("(phòng D12)", ""),
        ("SELECT max(C1)", ""),
        ("Tờ A4 (A4)", ""),
    ],
)
def test_a_citation_in_any_other_string_fills_its_place_in_parentheses(string, facts):
    assert " ".join(facts_in(in_parentheses(string))) == facts


def test_code_is_no_prose():
    code = 'x = \'D12\'  # noqa: S608, C408 - see S59\n"""Rule ``D12``, not `C6`."""\ny = \'D12\'\n'
    assert [fact for _, text in lines_of_python(code) for fact in facts_in(text)] == ["S59"]
