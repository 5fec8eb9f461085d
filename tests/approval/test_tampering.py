"""Whatever is changed in the journal behind the service's back is found, and the first wrong row is named."""

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from services.approval import models
from services.approval.domain.journal import Act, BrokenJournal, Entry, root_of, root_text
from services.approval.handlers.journal import verify_journal
from shared.language.clock import VIETNAM
from shared.settings import Settings
from shared.storage.database import Database
from shared.storage.seals import new_key
from shared.storage.signatures import Signer, is_signed
from tests.support.databases import service_database
from tests.support.events import AT
from tests.support.journal import fill, unprotect, verify
from tests.support.servers import drop_databases, fresh_database_url

TIMES = 1000
SEED = 20260803
ENTRIES, HEAD = models.journal_entries, models.journal_head
COLUMNS = [column.name for column in ENTRIES.c]


class Copy:
    """A journal in a transaction that is rolled back in the end, and somebody who tampers with it."""

    def __init__(self, session, rows, chance):
        self.session, self.rows, self.chance = session, rows, chance
        self.end = rows[-1]

    def any_row(self):
        return self.chance.choice(self.rows)

    def change(self, row, **values):
        self.session.execute(sa.update(ENTRIES).where(ENTRIES.c.sequence == row.sequence).values(values))

    def add(self, entry):
        self.session.execute(sa.insert(ENTRIES), vars(entry))

    def remove(self, condition):
        self.session.execute(sa.delete(ENTRIES).where(condition))

    def move_head(self, **values):
        self.session.execute(sa.update(HEAD).values(values))

    def rewrite(self, rows):
        """Put rows in the place of those with the same numbers, and of all after them."""
        self.remove(ENTRIES.c.sequence >= rows[0].sequence)
        self.session.execute(sa.insert(ENTRIES), [vars(row) for row in rows])


def other_text(copy, text, longest=None):
    """Return a text that differs: a character more, less or changed, or nothing."""
    place = copy.chance.randrange(len(text) + 1)
    digit = copy.chance.choice("0123456789abcdef")
    changed = [
        text[:place] + digit + text[place:],
        text[:place] + digit + text[place + 1 :],
        text[:place],
        digit,
        "",
    ]
    return copy.chance.choice([one[:longest] for one in changed if one[:longest] != text])


def change(copy, column):
    row = copy.any_row()
    value = getattr(row, column)
    if column == "at":
        value += timedelta(microseconds=copy.chance.choice([1, -1, 10**6, 10**9]))
    elif column == "sequence":
        value = copy.chance.choice([0, -value, copy.end.sequence + copy.chance.randrange(1, 99)])
    else:
        value = other_text(copy, value, getattr(ENTRIES.c[column].type, "length", None))
    copy.change(row, **{column: value})


def remove_one(copy):
    copy.remove(ENTRIES.c.sequence == copy.any_row().sequence)


def remove_some(copy):
    first = copy.any_row().sequence
    copy.remove(ENTRIES.c.sequence.between(first, first + copy.chance.randrange(9)))


def cut_off(copy):
    copy.remove(ENTRIES.c.sequence > copy.chance.randrange(copy.end.sequence))


def swap(copy):
    one, other = copy.chance.sample(copy.rows, 2)
    copy.remove(ENTRIES.c.sequence.in_([one.sequence, other.sequence]))
    copy.add(replace(one, sequence=other.sequence))
    copy.add(replace(other, sequence=one.sequence))


def linked(row, before):
    """Return the row as it would be written after another one."""
    row = replace(row, sequence=before.sequence + 1, previous=before.hash)
    return replace(row, hash=row.own_hash())


def put_in(copy):
    """Put a copy of a row, changed and well hashed, behind another; the rows after it move up."""
    row, before = copy.any_row(), copy.any_row()
    new = linked(replace(row, officer="canbo.gia"), before)
    after = [replace(one, sequence=one.sequence + 1) for one in copy.rows if one.sequence > before.sequence]
    copy.rewrite([new, *after])


def repeat(copy):
    """Write a row twice, as it is; those after it move up."""
    row = copy.any_row()
    after = [replace(one, sequence=one.sequence + 1) for one in copy.rows if one.sequence > row.sequence]
    copy.rewrite([row, replace(row, sequence=row.sequence + 1), *after])


def append(copy):
    """Append a row that is hashed as it should be, past the head."""
    copy.add(linked(copy.any_row(), copy.end))


def change_head(copy):
    sequence = copy.end.sequence + copy.chance.choice([-1, 1, -copy.end.sequence, copy.chance.randrange(2, 99)])
    copy.move_head(**copy.chance.choice([{"sequence": sequence}, {"hash": other_text(copy, copy.end.hash, 64)}]))


def remove_head(copy):
    copy.session.execute(sa.delete(HEAD))


def second_head(copy):
    copy.session.execute(sa.insert(HEAD).values(head_id=2, sequence=copy.end.sequence, hash=copy.end.hash))


def compute_anew(copy):
    """Change a row before the newest root, and compute every hash after it as the service would, and the head."""
    first = copy.chance.randrange(len(copy.rows) - 1)
    rows = recomputed(copy.rows, first, officer=other_text(copy, copy.rows[first].officer, 60))
    copy.rewrite(rows[first:])
    copy.move_head(hash=rows[-1].hash)


def recomputed(rows, first, **changes):
    rows = [*rows[:first], replace(rows[first], **changes), *rows[first + 1 :]]
    for place in range(first, len(rows)):
        before = rows[place - 1] if place else replace(rows[0], sequence=0, hash="")
        rows[place] = linked(rows[place], before)
    return rows


def sign_with_another_key(copy):
    root = copy.chance.choice([row for row in copy.rows if row.act == Act.ROOT_SIGNED])
    day = root.detail.partition(" ")[0]
    signature = Signer(copy.session.info["foreign"]).sign(root_text(day, before_of(root)))
    rows = recomputed(copy.rows, root.sequence - 1, detail=f"{day} {signature}")
    copy.rewrite(rows[root.sequence - 1 :])
    copy.move_head(hash=rows[-1].hash)


def before_of(root):
    return replace(root, sequence=root.sequence - 1, hash=root.previous)


WAYS = [
    *([change] * len(COLUMNS)),
    *(remove_one, remove_some, cut_off, swap, put_in, repeat, append),
    *(change_head, remove_head, second_head, compute_anew, sign_with_another_key),
]


@dataclass
class Journal:
    """A journal of a few hundred rows without its triggers, who signed it, and settings with another key."""

    database: Database
    signer: Signer
    foreign: Settings
    rows: list[Entry]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def journal(request, tmp_path_factory):
    settings = Settings(var_dir=str(tmp_path_factory.mktemp("var")), journal_key=new_key(), database_timeout=10.0)
    url = fresh_database_url(request.getfixturevalue("servers")) if request.param == "postgresql" else ""
    settings = replace(settings, database_url=url)
    with service_database("approval", settings) as database:
        signer = fill(database, settings, days=4, rows_a_day=60)
        unprotect(database)
        with database.begin() as session:
            rows = list(models.all_entries(session))
        yield Journal(database, signer, replace(settings, journal_key=new_key()), rows)
    if url:
        drop_databases(url)


def fault(journal, tamper, kept=()):
    """Tamper with a copy of the journal; return the row that is found to be wrong, or None."""
    with journal.database.begin() as session:
        session.info["foreign"] = journal.foreign
        tamper(session)
        try:
            verify_journal(session, partial(is_signed, journal.signer.public_keys), kept)
        except BrokenJournal as broken:
            return broken.sequence
        finally:
            session.rollback()
    return None


def tampered(journal, way, chance, *words):
    return lambda session: way(Copy(session, journal.rows, chance), *words)


def test_a_thousand_of_a_thousand_random_tampers_are_found(journal):
    missed = []
    on_sqlite = journal.database.engine.dialect.name == "sqlite"
    for number in range(0, TIMES, 1 if on_sqlite else 7):  # a sample on PostgreSQL, where it takes longer
        chance = random.Random(f"{SEED}-{number}")
        way = WAYS[number % len(WAYS)]
        words = (COLUMNS[number % len(WAYS)],) if way is change else ()
        if fault(journal, tampered(journal, way, chance, *words)) is None:
            missed.append((number, way.__name__, *words))
    assert missed == []
    assert verify(journal.database, journal.signer)[0].sequence == 4 * 61 + 1


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "sequence"])
def test_the_first_row_that_was_changed_is_named(journal, column):
    value = AT if column == "at" else "x"
    changed = sa.update(ENTRIES).where(ENTRIES.c.sequence.in_([70, 90])).values({column: value})
    assert fault(journal, lambda session: session.execute(changed)) == 70


def test_the_first_row_that_is_missing_or_moved_is_named(journal):
    def removed(session):
        session.execute(sa.delete(ENTRIES).where(ENTRIES.c.sequence.in_([70, 90])))

    def cut(session):
        session.execute(sa.delete(ENTRIES).where(ENTRIES.c.sequence >= 200))

    def emptied(session):
        session.execute(sa.delete(ENTRIES))

    assert [fault(journal, tamper) for tamper in (removed, cut, emptied)] == [70, 200, 1]


def compute_anew_from_100(copy):
    rows = recomputed(copy.rows, 99, officer="canbo.gia")
    copy.rewrite(rows[99:])
    copy.move_head(hash=rows[-1].hash)


def leave_roots_out_from_100(copy):
    kept = [row for row in copy.rows if row.sequence < 100 or row.act != Act.ROOT_SIGNED]
    rows = recomputed(kept, 99, officer="canbo.gia")
    copy.rewrite(rows[99:])
    copy.move_head(sequence=rows[-1].sequence, hash=rows[-1].hash)


def compute_the_end_anew(copy):
    """Compute the last day anew, without the root after it."""
    rows = recomputed(copy.rows[:-1], 200, officer="canbo.gia")
    copy.rewrite(rows[200:])
    copy.move_head(sequence=rows[-1].sequence, hash=rows[-1].hash)


def cut_off_the_end(copy):
    copy.remove(ENTRIES.c.sequence > 200)
    copy.move_head(sequence=200, hash=copy.rows[199].hash)


def test_what_was_computed_anew_without_the_key_is_found_at_the_next_root(journal):
    assert fault(journal, tampered(journal, compute_anew_from_100, random.Random(SEED))) == 123


def test_a_journal_without_the_roots_that_it_should_have_is_found(journal):
    assert fault(journal, tampered(journal, leave_roots_out_from_100, random.Random(SEED))) == 63


@pytest.mark.parametrize("way", [compute_the_end_anew, cut_off_the_end])
def test_roots_that_were_kept_elsewhere_find_what_the_journal_alone_does_not(journal, way):
    """Within a day of the newest root that is left, and with a head to match, nothing inside the journal can tell."""
    kept = [root_of(row) for row in journal.rows if row.act == Act.ROOT_SIGNED]
    tamper = tampered(journal, way, random.Random(SEED))
    assert fault(journal, tamper) is None
    assert fault(journal, tamper, kept) == {compute_the_end_anew: kept[-1].sequence, cut_off_the_end: 201}[way]


def test_what_the_service_cannot_have_written_is_found_too(settings):
    """SQLite keeps values of any type in any column."""
    with service_database("approval", settings) as database:
        signer = fill(database, settings, days=1, rows_a_day=9)
        unprotect(database)
        for column, value in (("at", "'gestern'"), ("detail", "x'00ff'"), ("at", "7"), ("officer", "1.5")):

            def tamper(session, column=column, value=value):
                session.execute(sa.text(f"UPDATE journal_entries SET {column} = {value} WHERE sequence = 5"))

            assert fault(Journal(database, signer, settings, []), tamper) in range(1, 6)


def test_a_hash_is_made_of_everything_in_a_row_and_of_its_place():
    row = Entry(1, AT, "viewed", "a", "079", "declaration-1", "2026-0000001", "", "", "", "request-1", "")
    others = [replace(row, **{name: "b"}) for name in COLUMNS if name not in ("sequence", "at", "hash")]
    others += [replace(row, sequence=2), replace(row, at=AT + timedelta(microseconds=1))]
    others += [replace(row, officer="", agency_code="a079"), replace(row, detail="2026-0000001", number="")]
    assert len({one.own_hash() for one in [row, *others]}) == len(others) + 1
    assert replace(row, at=AT.astimezone(VIETNAM)).own_hash() == row.own_hash()
