"""The journal: a row for every look at a dossier and for every act on one, chained by hashes (D9, D11).

A row's hash is made of everything else in it and of the hash of the row before, so no row can be changed, removed,
moved or put in without changing all that follow. Once a day the newest hash is signed: a root. It stands in the
journal itself, and whoever changes rows before it would have to sign it again.

Rows hold ids and pseudonyms only, nothing that the deletion of a person's data would have to touch.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from shared.language.clock import vietnam_day


class Act(StrEnum):
    """What an officer did; `root_signed` is the service's own."""

    SIGNED_IN = "signed_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGNED_OUT = "signed_out"
    SEARCHED = "searched"
    VIEWED = "viewed"
    PHOTO_VIEWED = "photo_viewed"
    RECEIVED = "received"
    RETURNED = "returned"
    PHOTO_REPLACED = "photo_replaced"
    REMINDED = "reminded"
    APPROVED = "approved"
    APPROVAL_REFUSED = "approval_refused"
    REJECTED = "rejected"
    PASSWORD_REQUESTED = "password_requested"  # noqa: S105
    JOURNAL_VIEWED = "journal_viewed"
    ROOT_SIGNED = "root_signed"


@dataclass
class Entry:
    """A row. Its hash is made of all other fields, in this order; a new field would change every hash.

    ``detail`` is what else there is to say of an act: the purpose of a photo, the code of a refusal, which criteria
    were searched by and which numbers were shown, day and signature of a root. ``address`` is the officer's.
    """

    sequence: int
    at: datetime
    act: str
    officer: str
    agency_code: str
    declaration_id: str
    number: str
    detail: str
    address: str
    session_id: str
    request_id: str
    previous: str
    hash: str = ""

    def own_hash(self) -> str:
        """Return the hash that the row has to have: a SHA-256 in hexadecimal."""
        values = [getattr(self, name) for name in HASHED]
        values[AT] = self.at.astimezone(UTC).isoformat()
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()


HASHED = [one.name for one in fields(Entry) if one.name != "hash"]
AT = HASHED.index("at")


@dataclass(frozen=True)
class Head:
    """Where the journal ends: the newest row, kept beside the rows so that none can be cut off unnoticed."""

    sequence: int
    hash: str


@dataclass(frozen=True)
class Root:
    """The journal up to a row, signed on a day of Vietnam."""

    day: str
    sequence: int
    hash: str
    signature: str

    @property
    def text(self) -> str:
        """What is signed."""
        return root_text(self.day, Head(self.sequence, self.hash))

    def __str__(self) -> str:
        return f"{self.day} {self.sequence} {self.hash or '-'} {self.signature}"


def root_text(day: str, head: Head) -> str:
    return f"vssid journal {day} {head.sequence} {head.hash}"


def root_day(at: datetime) -> str:
    """Return the day of a root that is signed now: YYYY-MM-DD, by Vietnam's time."""
    return vietnam_day(at).isoformat()


def root_of(entry: Entry) -> Root:
    """Return the root in a row that keeps one: it covers the rows before."""
    day, _, signature = entry.detail.partition(" ")
    return Root(day, entry.sequence - 1, entry.previous, signature)


def read_root(line: str) -> Root:
    """Return the root in a line that was written by ``str``.

    Raises:
        ValueError: it is none.
    """
    day, sequence, digest, signature = line.split()
    return Root(day, int(sequence), "" if digest == "-" else digest, signature)


class BrokenJournal(Exception):
    """A row is not what it was; ``sequence`` is the first where that shows."""

    def __init__(self, sequence: int, why: str) -> None:
        super().__init__(f"row {sequence}: {why}")
        self.sequence = sequence


def verify(
    entries: Iterable[Entry], head: Head | None, is_signed: Callable[[str, str], bool], kept: Iterable[Root] = ()
) -> tuple[Head, Root | None]:
    """Check the rows, which come in order; return where they end and their newest root.

    ``head`` is the one that was there before the rows were read, ``is_signed`` says of a text and a signature whether
    they belong together, ``kept`` are roots that were kept elsewhere.

    Raises:
        BrokenJournal: a row was changed, removed, moved or put in, the end was cut off, or a root is missing or not
            signed.
    """
    first = last = newest = None
    expected = _expected([*kept, *([head] if head else [])])
    try:
        for entry in entries:
            _check_entry(entry, last, expected)
            if entry.act == Act.ROOT_SIGNED:
                newest = _checked_root(entry, is_signed)
            first, last = first or entry, entry
    except (TypeError, ValueError, AttributeError):  # SQLite takes values of any type
        raise BrokenJournal(
            _after(last).sequence + 1, "it, or a row soon after, holds what was never written"
        ) from None
    end = _after(last)
    if head is None:
        raise BrokenJournal(end.sequence + 1, "the head of the journal is missing")
    if end.sequence < max(expected):
        raise BrokenJournal(end.sequence + 1, f"it is missing, with all rows up to {max(expected)}")
    if first is not None and last is not None:
        _check_newest_root(newest, first, last)
    return end, newest


def _after(last: Entry | None) -> Head:
    return Head(last.sequence, last.hash) if last else Head(0, "")


def _check_newest_root(newest: Root | None, first: Entry, last: Entry) -> None:
    signed_until = newest.day if newest else root_day(first.at)
    if root_day(last.at - timedelta(days=1)) > signed_until:
        raise BrokenJournal(newest.sequence + 2 if newest else 1, f"no root was signed since {signed_until}")


def _checked_root(entry: Entry, is_signed: Callable[[str, str], bool]) -> Root:
    root = root_of(entry)
    if not is_signed(root.text, root.signature):
        raise BrokenJournal(entry.sequence, "the signature of this root is not by a known key")
    return root


def _expected(known: Iterable[Head | Root]) -> Mapping[int, set[str]]:
    """Return the hashes that rows must have by what is known beside them."""
    hashes: defaultdict[int, set[str]] = defaultdict(set)
    for one in known:
        hashes[one.sequence].add(one.hash)
    return dict(hashes)


def _check_entry(entry: Entry, before: Entry | None, expected: Mapping[int, set[str]]) -> None:
    sequence, digest = (before.sequence + 1, before.hash) if before else (1, "")
    if entry.sequence != sequence:
        raise BrokenJournal(sequence, "it is missing, or another stands in its place")
    if entry.previous != digest:
        raise BrokenJournal(entry.sequence, "it does not follow the row before")
    if entry.hash != entry.own_hash():
        raise BrokenJournal(entry.sequence, "it was changed")
    if entry.sequence in expected and expected[entry.sequence] != {entry.hash}:
        raise BrokenJournal(entry.sequence, "head or a root that was kept elsewhere say another hash")
