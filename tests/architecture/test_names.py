"""Words that gave way to the field's own (docs/words.md) do not come back: not in code, tests, logs or documents.

What the domain itself calls so stays: the household register, an officer's desk, a mail as a letter, the official
letters that facts cite, and letters of an alphabet; so do dead letters, and the lines that read what 0.1 wrote.
"""

import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

# as words, and as parts of names: `desk_unavailable`, `DeskDatabase`
WORDS = {
    *("town", "towns", "desk", "desks", "house", "houses", "counter", "counters", "room", "rooms"),
    *("crew", "crews", "courier", "couriers", "parcel", "parcels", "letter", "letters", "fate", "fates"),
    *("switchboard", "lane", "lanes", "round", "rounds", "toil", "heed"),
}
# as whole names only, because they are ordinary words in prose
NAMES = re.compile(
    r"Line|RemoteDesk|Post|Aside|Round|Leave|Answer|Stored|Moment|answer_once|handed_over|put_fate|put_aside"
    r"|gi(?:ve|ves|ven|ving)_back\w*|take_review|hire|\w*PATIENCE|\w*PAUSES|\w*AT_ONCE|\w*LOOK_SECONDS|LEAVE_SECONDS"
)
# hands, where they stand for workers or for whoever has something now
PHRASES = re.compile(r"(?i)\b(?:free|other|another|its|newest|older|eight|enough|nobody's|whose|in) hands?(?! over)\b")
ALLOWED = re.compile(
    r"(?i:officers?['’]s? desks?|reception desk|at the desk the person|house numbers?)"
    r"|(?i:dead[-_ ]?letter\w*)|(?i:capital letters|letters?) ?\d+|capital letters|letters(?=,| and | of any )"
    r"|\bround\(|around|round trips?|way[_ ]round|house style|room (?:for|to|is short)"
    r"|\bCounter\b|COUNTERS|[Cc]ounter belongs to|perf_counter|\"counter\"|keys, and counters|Counters, for databases"
    # written by version 0.1, and still read or renamed
    r"|x-round|ix_letters_queue|TABLE letters|has_table\(\"letters\"\)|COLUMN \"round\""
)
# where a word is the right one: a letter is a mail or an official letter, letters are those of an alphabet
MAILS = {"letter", "letters"}
OWN = {
    "services/notification/": MAILS,
    "tests/notification/": MAILS,
    "tests/live/test_recorders.py": MAILS,
    "docs/sources.md": MAILS,
    "docs/words.md": MAILS,
    "shared/forms.py": {"letters"},
    "shared/language/text.py": {"letters"},
    "services/notification/migrations/0004_outcome_unknown.py": {"fate"},  # renames it
    "tests/live/test_servers.py": {"letters"},
    "tests/cards/test_domain.py": MAILS,
    "tests/gateway/test_declarations.py": {"letters"},
    "tests/shared/test_codec.py": {"letters"},
    "tests/shared/test_forms.py": {"letters"},
    "tests/shared/test_text.py": MAILS,
    "tests/shared/test_embedded.py": {"letters", "round"},  # a file of version 0.1
    "tests/chaos/ledger.py": {"Line"},  # of the ledger
}
RECORDS = {"CHANGELOG.md", "tests/architecture/test_names.py"}  # they list what was renamed
CODE = ("shared", "services", "vssid", "tests")
SUFFIXES = {".py", ".html", ".txt", ".mako", ".js", ".css", ".yml"}
DOCUMENTS = ("*.md", "docs/**/*.md", "Makefile", "Dockerfile", "docker-compose.yml", ".env*")
GENERATED = ("docs/events.md", "docs/asyncapi.json", "docs/openapi.json")  # they say what the code says


def old_words(text: str) -> set[str]:
    kept = ALLOWED.sub(" ", text)
    parts = {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", kept)}
    return parts & WORDS | {found.lower() for found in PHRASES.findall(kept)}


def old_names(names: list[str]) -> set[str]:
    return {name for name in names if NAMES.fullmatch(name)}


def names_in_code(text: str) -> list[str]:
    """Return the names in Python source, and not what its comments and strings say."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.NAME]


def found_in(path: str) -> set[str]:
    """Return what is left of the replaced words in a file, its own name included."""
    text = (ROOT / path).read_text("utf-8")
    names = names_in_code(text) if path.endswith(".py") else re.findall(r"`(\w+)`", text)
    found = old_words(text) | old_words(path) | old_names(names) | ({"households"} if "/households." in path else set())
    return found.difference(*(words for start, words in OWN.items() if path.startswith(start)))


@cache
def code() -> list[str]:
    written = (path for folder in CODE for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)
    return files([*written, *(ROOT / path for path in GENERATED)])


def documents() -> list[str]:
    written = files(path for pattern in DOCUMENTS for path in ROOT.glob(pattern) if path.name != ".env")
    return [path for path in written if path not in GENERATED]


def files(paths) -> list[str]:
    return sorted({Path(path).relative_to(ROOT).as_posix() for path in paths} - RECORDS)


@pytest.mark.parametrize("path", documents())
def test_no_document_uses_a_replaced_word(path):
    assert found_in(path) == set()


def test_no_code_uses_a_replaced_word():
    left = {path: sorted(found_in(path)) for path in code()}
    assert {path: words for path, words in left.items() if words} == {}


@pytest.mark.parametrize(
    "text",
    [
        *("The town is up.", 'log.warning("desk_unavailable")', "class DeskDatabase:", "the letters of a queue row"),
        *("knows no house", "a new round of retries", "its fate is unknown", "in other hands by now", "LANES = 2"),
    ],
)
def test_a_replaced_word_is_found(text):
    assert old_words(text) != set()


@pytest.mark.parametrize("name", ["Line", "SETTLE_PAUSES", "give_back_review", "LOOK_SECONDS", "Moment"])
def test_a_replaced_name_is_found_in_code_and_not_in_prose(name):
    assert old_names(names_in_code(f"{name} = 1\n")) == {name}
    assert old_names(names_in_code(f"x = 1  # {name}\n")) == set()


@pytest.mark.parametrize(
    "text",
    [
        *("the household register", "hands it in at the reception desk", "an officer's desk", "letter 3717, Annex 02"),
        *("letters, digits and spaces", "two capital letters", "from collections import Counter", "round(took, 1)"),
        *("the dead letters", "one round trip", "nameko hands to every extension", "x-round", "by the way"),
    ],
)
def test_what_the_domain_or_the_field_calls_so_is_not_refused(text):
    assert old_words(text) == set()


def test_a_word_is_the_right_one_only_where_it_is_said_to_be():
    assert [path for path in OWN if not (ROOT / path).exists()] == []
