"""The dictionary has one entry for each word, and every word that services say to each other."""

import re
from collections import Counter
from dataclasses import fields, is_dataclass
from enum import StrEnum
from inspect import getmembers, isclass

from services.cards.domain import Payer
from shared.language import values as words
from shared.language.events import EVENTS
from tests.architecture.sources import ROOT

PAGE = (ROOT / "docs" / "words.md").read_text("utf-8")
EXPLAINED = set(re.findall(r"`([^`]+)`", PAGE))


def is_known(name):
    """A field is explained by its own entry, or by the thing whose id, code, name or time it is."""
    parts = name.removeprefix("sealed_").split("_")
    return any("_".join(parts[:count]) in EXPLAINED for count in range(1, len(parts) + 1))


def test_every_word_has_one_entry():
    entries = Counter(
        word for entry in re.findall(r"(?m)^\| ([^|]+) \|", PAGE) for word in re.findall(r"`([^`]+)`", entry)
    )
    assert [word for word, count in entries.items() if count > 1] == []


def test_every_field_of_an_event_is_explained():
    told = {field.name for kind in EVENTS.values() for field in fields(kind)} - {"at"}
    assert sorted(name for name in told if not is_known(name)) == []


def test_every_value_of_a_choice_is_explained():
    choices = {kind for _, kind in getmembers(words, isclass) if issubclass(kind, StrEnum) and kind is not StrEnum}
    values = {str(value) for choice in (*choices, Payer) for value in choice} - set(words.Language)
    assert sorted(values - EXPLAINED) == []


def test_every_part_of_a_value_is_explained():
    kinds = [kind for _, kind in getmembers(words, isclass) if is_dataclass(kind)]
    parts = {field.name for kind in kinds for field in fields(kind)} - {"type", "code", "name"}
    assert sorted(name for name in parts if not is_known(name)) == []
