"""What every import does with a file, good or bad, on SQLite and on PostgreSQL."""

import csv
import os
import pty
import subprocess
import sys
import threading
import unicodedata
from dataclasses import replace
from importlib import import_module

import psycopg2.extensions
import psycopg2.extras
import pytest
import sqlalchemy as sa

from services.approval import models as approval
from services.approval.commands.register import keep_people
from services.registration.commands import AGENCIES
from shared.language.errors import Unavailable
from shared.settings import Settings
from shared.storage import migrate
from shared.storage.csv_rows import NOT_TEXT, read_day
from shared.storage.database import Database
from shared.storage.imports import keep_rows
from shared.storage.refused_rows import ImportRefused, RowRefused
from tests.support.imports import IMPORTS
from tests.support.servers import drop_databases, ensure, fresh_database_url

REGISTER = IMPORTS["register"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stores(request, tmp_path_factory):
    """The databases of the services that have imports, on each kind of server."""
    settings = Settings(var_dir=str(tmp_path_factory.mktemp("var")), database_timeout=10.0)
    if request.param == "postgresql":
        settings = replace(settings, database_url=fresh_database_url(ensure()))
    found = {}
    for service in {one.service for one in IMPORTS.values()}:
        metadata = import_module(f"services.{service}.models").metadata
        migrate.upgrade(service, metadata, settings)
        found[service] = Database(metadata, settings.database(service), settings)
    yield settings, found
    for database in found.values():
        database.engine.dispose()
    if settings.database_url:
        drop_databases(settings.database_url)


@pytest.fixture
def environment(stores, monkeypatch):
    """The environment of a command: it names the databases. Nobody is registered, before and after."""
    settings, databases = stores
    monkeypatch.setenv("VAR_DIR", settings.var_dir)
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("DATABASE_TIMEOUT", "10")
    yield
    with databases["approval"].begin() as session:
        session.execute(sa.delete(REGISTER.table))


@pytest.fixture(params=IMPORTS)
def one(request, stores, environment):
    """An import whose row is not in the table; what a test leaves there is deleted."""
    one = IMPORTS[request.param]
    yield one
    with stores[1][one.service].begin() as session:
        session.execute(sa.delete(one.table).where(one.table.c[one.header[0]] == one.row[0]))


def kept(stores, one):
    """Return the whole table."""
    with stores[1][one.service].begin() as session:
        return sorted(map(repr, session.execute(sa.select(one.table)).all()))


def is_there(stores, one):
    key, second = (one.table.c[name] for name in one.header[:2])
    with stores[1][one.service].begin() as session:
        return session.scalars(sa.select(second).where(key == one.row[0])).all() == [one.row[1]]


# files that are taken


def quoted(one):
    return "".join(",".join(f'"{cell}"' for cell in cells) + "\n" for cells in (one.header, one.row))


GOOD = {
    "UTF-8": lambda one: one.text(one.row).encode(),
    "a byte-order mark": lambda one: one.text(one.row).encode("utf-8-sig"),
    "semicolons": lambda one: one.text(one.row, separator=";").encode("utf-8-sig"),
    "UTF-16 with tabs": lambda one: one.text(one.row, separator="\t").encode("utf-16"),
    "UTF-16 of the other order": lambda one: b"\xfe\xff" + one.text(one.row, separator="\t").encode("utf-16-be"),
    "carriage returns and line feeds": lambda one: one.text(one.row).replace("\n", "\r\n").encode(),
    "carriage returns": lambda one: one.text(one.row).replace("\n", "\r").encode(),
    "no line break at the end": lambda one: one.text(one.row).rstrip("\n").encode(),
    "quotes": lambda one: quoted(one).encode(),
    "decomposed characters": lambda one: unicodedata.normalize("NFD", one.text(one.row)).encode(),
    "padded values": lambda one: one.text([f" \u00a0{cell}  " for cell in one.row]).encode(),
    "line breaks in quotes": lambda one: one.text([f'"{cell}\n"' for cell in one.row]).encode(),
    "blank lines and rows": lambda one: f"\n\n{one.text(one.row, ['', ' ', ''])}\n\n".encode(),
    "columns nobody asked for": lambda one: (
        ("extra," + one.text(one.row).replace("\n", ",\n") + "\n")
        .replace(one.row[0], f"\u200bx,{one.row[0]}", 1)
        .encode()
    ),
}


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD)
def test_a_file_of_any_spreadsheet_is_taken(one, stores, tmp_path, content):
    file = tmp_path / "rows.csv"
    file.write_bytes(content(one))
    assert one.run(file) == (0, f"{one.things}: 1 added, 0 changed, 0 unchanged\n")
    assert is_there(stores, one)
    assert list(tmp_path.iterdir()) == [file]


def test_only_what_differs_is_written(one, stores, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text(one.text(one.row), "utf-8")
    assert one.run(file) == (0, f"{one.things}: 1 added, 0 changed, 0 unchanged\n")
    before = kept(stores, one)
    assert one.run(file) == (0, f"{one.things}: 0 added, 0 changed, 1 unchanged\n")
    assert kept(stores, one) == before
    file.write_text(one.text(one.changed), "utf-8")
    assert one.run(file) == (0, f"{one.things}: 0 added, 1 changed, 0 unchanged\n")
    assert len(kept(stores, one)) == len(before) and kept(stores, one) != before


# files that are refused


def with_first(one, value):
    return [value, *one.row[1:]]


def missing_column(one):
    return ",".join(one.header[1:]) + "\n" + ",".join(one.row[1:]) + "\n"


BAD = {
    "empty": (lambda one: b"", "the file is empty"),
    "blank lines alone": (lambda one: b"\n  \n\r\n", "the file is empty"),
    "a header alone": (lambda one: one.text().encode(), "there are no rows below the header"),
    "a header without names": (lambda one: b",,,\n", "columns missing: {required}"),
    "a missing column": (lambda one: missing_column(one).encode(), "columns missing: {first}"),
    "a column named twice": (
        lambda one: one.text(one.row).replace("\n", f",{one.header[0]}\n", 1).encode(),
        "columns named twice: '{first}'",
    ),
    "too many values": (lambda one: one.text([*one.row, "x"]).encode(), "line 2: {more} values for {width} columns"),
    "a key twice": (lambda one: one.text(one.row, [], one.changed).encode(), "line 4: {key} as on line 2"),
    "a quotation mark alone": (
        lambda one: (one.text(one.row) + '"' + ",".join(one.row)).encode(),
        "line 3: the row that begins here is no CSV (unexpected end of data): look for a quotation mark that is alone",
    ),
    "text behind a quotation mark": (
        lambda one: one.text(one.row, with_first(one, '"7"9')).encode(),
        "line 3: the row that begins here is no CSV (',' expected after '\"'): look for a quotation mark that is alone",
    ),
    "a NUL": (
        lambda one: one.text(with_first(one, "7\0")).encode(),
        "line 2: {first}: characters that cannot be printed",
    ),
    "an invisible character": (
        lambda one: one.text(with_first(one, "7\u202e7")).encode(),
        "line 2: {first}: characters that cannot be printed",
    ),
    "a character that a program lost": (
        lambda one: one.text(with_first(one, "7\ufffd")).encode(),
        "line 2: {first}: characters that cannot be printed",
    ),
    "a value behind line breaks in quotes": (
        lambda one: one.text([f'"{cell}\n"' for cell in one.row], with_first(one, "7\0")).encode(),
        "line {behind}: {first}: characters that cannot be printed",
    ),
    "Windows-1258": (lambda one: one.text(one.row).encode() + "khoá".encode("cp1258"), f"line 3: {NOT_TEXT}"),
    "Windows-1258 in the header": (lambda one: "khoá\n".encode("cp1258"), NOT_TEXT),
    "UTF-16 without its mark": (lambda one: one.text(one.row).encode("utf-16-le"), NOT_TEXT),
    "half a surrogate pair": (
        lambda one: one.text(one.row).encode("utf-16") + b"\x00\xd8\x0a\x00",
        f"this begins like UTF-16, but {NOT_TEXT}",
    ),
    "a workbook": (lambda one: b"PK\x03\x04\x14\x00\x06\x00", NOT_TEXT),
    "a line without an end": (
        lambda one: one.text(one.row).encode() + b"7" * 1_000_001,
        "line 3: the row that begins here is no CSV (field larger than field limit (131072)): "
        "look for a quotation mark that is alone",
    ),
    "a line without an end, of many values": (
        lambda one: one.text(one.row).encode() + b"7," * 1_000_001,
        "line 3: 500001 values for {width} columns",
    ),
    "a value that is too long": (
        lambda one: one.text(with_first(one, "7" * 301)).encode(),
        "line 2: {first} is longer than {length} characters",
    ),
}


@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD)
def test_of_a_bad_file_nothing_is_kept_and_its_fault_is_said(one, stores, tmp_path, content, said):
    file = tmp_path / "rows.csv"
    file.write_bytes(content(one))
    before = kept(stores, one)
    status, output = one.run(file)
    wanted = said.format(
        first=one.header[0],
        required=", ".join(sorted(one.required)),
        key=", ".join(one.key),
        width=len(one.header),
        more=len(one.header) + 1,
        length=one.table.c[one.header[0]].type.length,
        behind=len(one.header) + 3,
    )
    assert (status, output.splitlines()[0]) == (1, f"Error: {wanted}")
    assert kept(stores, one) == before


def test_every_bad_row_is_named_and_written_where_only_the_operator_reads_it(one, stores, tmp_path):
    file, refused = tmp_path / "rows.csv", tmp_path / "rows.refused.csv"
    bad = [with_first(one, f"7x{number}") for number in range(30)]
    file.write_text(one.text(one.row, *bad, [*one.row, "more"], separator=";"), "utf-8")
    status, output = one.run(file)
    said = output.splitlines()
    assert (status, len(said)) == (1, 22)
    assert [line.removeprefix("Error: ").split(":")[0] for line in said[:20]] == [f"line {n}" for n in range(3, 23)]
    assert said[20:] == ["… and 11 more", f"Nothing was imported; the refused rows and why: {refused}"]
    assert refused.stat().st_mode & 0o777 == 0o600
    rows = list(csv.reader(refused.read_text("utf-8-sig").splitlines(), delimiter=";"))
    assert rows[0] == [*one.header, "reason"]
    assert [row[: len(one.header)] for row in rows[1:]] == [*bad, list(one.row)]
    assert [row[len(one.header)].split(":")[0] for row in rows[1:]] == [f"line {n}" for n in range(3, 34)]
    assert rows[-1][len(one.header) + 1 :] == ["more"]
    assert not is_there(stores, one)


def test_refused_rows_are_imported_once_they_are_mended(one, stores, tmp_path):
    file, refused, again = (tmp_path / f"rows{end}.csv" for end in ("", ".refused", ".refused.refused"))
    file.write_text(one.text(with_first(one, "7x")), "utf-8")
    assert one.run(file)[0] == 1
    assert one.run(refused)[0] == 1  # not mended yet
    assert refused.read_text("utf-8-sig").splitlines()[0] == again.read_text("utf-8-sig").splitlines()[0]
    again.write_text(again.read_text("utf-8-sig").replace("7x", one.row[0], 1), "utf-8-sig")
    assert one.run(again) == (0, f"{one.things}: 1 added, 0 changed, 0 unchanged\n")
    assert is_there(stores, one)


def test_doubled_rows_are_written_to_the_file_too(one, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text(one.text(one.row, one.row), "utf-8")
    assert one.run(file)[0] == 1
    (_, row) = csv.reader((tmp_path / "rows.refused.csv").read_text("utf-8-sig").splitlines())
    assert row == [*one.row, f"line 3: {', '.join(one.key)} as on line 2"]


def test_a_file_that_is_there_already_is_not_overwritten(environment, tmp_path):
    file, earlier = tmp_path / "rows.csv", tmp_path / "rows.refused.csv"
    earlier.write_text("mine")
    file.write_text(REGISTER.text(with_first(REGISTER, "7x")), "utf-8")
    _, output = REGISTER.run(file)
    assert output.splitlines()[-1].endswith(f"{tmp_path}/rows.refused-2.csv")
    assert earlier.read_text() == "mine"


def test_rows_before_the_fault_of_a_file_are_named_with_it(environment, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_bytes(REGISTER.text(with_first(REGISTER, "7x")).encode() + b"7\xff\n")
    assert [line for line in REGISTER.run(file)[1].splitlines() if "line" in line][:2] == [
        "Error: line 2: insurance_code is not ten digits",
        f"line 3: {NOT_TEXT}",
    ]


# many rows, and others meanwhile


def invented(count):
    return [(f"56{n:08d}", "Nguyễn Văn Thử", "1985", "male", "") for n in range(count)]


def test_rows_of_many_batches_are_kept_together_or_not_at_all(stores, environment, tmp_path):
    file, people = tmp_path / "rows.csv", invented(25_000)
    before = kept(stores, REGISTER)
    file.write_text(REGISTER.text(*people, with_first(REGISTER, "7x"), people[3]), "utf-8")
    assert REGISTER.run(file)[1].splitlines()[:2] == [
        "Error: line 25002: insurance_code is not ten digits",
        "line 25003: insurance_code as on line 5",
    ]
    assert kept(stores, REGISTER) == before
    file.write_text(REGISTER.text(*people), "utf-8")
    assert REGISTER.run(file) == (0, "people: 25000 added, 0 changed, 0 unchanged\n")


def test_who_reads_during_an_import_is_not_blocked_and_sees_all_of_it_or_nothing(stores, environment):
    """The file comes slowly; a reader asks while rows are staged, and goes on while they are merged."""
    database, people = stores[1]["approval"], invented(12_000)
    half, read = threading.Event(), threading.Event()

    def lines():
        yield from REGISTER.text(*people[:11_000]).splitlines()
        half.set()
        assert read.wait(30)
        yield from (",".join(row) for row in people[11_000:])

    importing = threading.Thread(target=lambda: keep_people(lines()))
    importing.start()
    assert half.wait(30)
    seen = {found(database, people)}
    read.set()
    while importing.is_alive():
        seen.add(found(database, people))
    importing.join()
    seen.add(found(database, people))
    assert seen == {0, 120}


def found(database, people):
    """Return how many of the people are registered, after asking for one of them as an approval does."""
    with database.begin() as session:
        approval.person_registered(session, people[0][0])
        query = sa.select(sa.func.count()).where(REGISTER.table.c.insurance_code.in_([row[0] for row in people[::100]]))
        return session.execute(query).scalar_one()


def test_two_imports_at_once_both_end(stores, environment):
    people = invented(3_000)
    done = []
    texts = [REGISTER.text(*people), REGISTER.text(*reversed(people))]
    both = [threading.Thread(target=lambda text=text: done.append(keep_people(text.splitlines()))) for text in texts]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted((counts.added, counts.changed, counts.unchanged) for counts in done) == [(0, 0, 3000), (3000, 0, 0)]


def test_the_time_limit_of_a_service_is_none_of_an_import(stores, environment, monkeypatch, tmp_path):
    if stores[0].database_url == "":
        pytest.skip("SQLite has no limit for a statement")
    people = invented(60_000)
    monkeypatch.setenv("DATABASE_TIMEOUT", "0.05")
    file = tmp_path / "rows.csv"
    file.write_text(REGISTER.text(*people), "utf-8")
    assert REGISTER.run(file) == (0, "people: 60000 added, 0 changed, 0 unchanged\n")


def test_a_database_that_goes_away_is_named_and_nothing_is_kept(stores, environment):
    if stores[0].database_url == "":
        pytest.skip("a file does not go away")
    before = kept(stores, REGISTER)

    def lines():
        yield from REGISTER.text(*invented(11_000)).splitlines()
        end_other_connections(stores)
        yield from (",".join(row) for row in invented(21_000)[11_000:])

    with pytest.raises(Unavailable) as failure:
        keep_people(lines())
    assert failure.value.details == {"dependency": "database"}
    assert kept(stores, REGISTER) == before


def test_under_green_threads_rows_are_inserted_where_copy_does_not_work(stores, environment):
    psycopg2.extensions.set_wait_callback(psycopg2.extras.wait_select)
    try:
        counts = keep_people(REGISTER.text(REGISTER.row).splitlines())
    finally:
        psycopg2.extensions.set_wait_callback(None)
    assert (counts.added, is_there(stores, REGISTER)) == (1, True)


def test_a_connection_takes_one_import_after_another(stores, environment):
    database = stores[1]["registration"]
    lines = IMPORTS["agency"].text(("99001", "BHXH Mẫu", "79", "")).splitlines()
    before = kept(stores, IMPORTS["agency"])
    for _ in range(2):
        with pytest.raises(ImportRefused):
            keep_rows(database, AGENCIES, [*lines, lines[1]])
    assert kept(stores, IMPORTS["agency"]) == before


def end_other_connections(stores):
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    with stores[1]["approval"].begin() as session:
        session.execute(sa.text(f"{ending} AND state = 'idle in transaction' AND pid <> pg_backend_pid()"))


# the terminal


def command(file, **options):
    return subprocess.Popen([sys.executable, "-m", "vssid.command", "register", "import", str(file)], **options)


def test_a_terminal_sees_a_progress_bar_and_a_pipe_does_not(stores, environment, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text(REGISTER.text(REGISTER.row), "utf-8")
    with command(file, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as piped:
        assert piped.communicate(timeout=60) == (b"people: 1 added, 0 changed, 0 unchanged\n", b"")
    master, terminal = pty.openpty()
    with command(file, stdout=subprocess.PIPE, stderr=terminal) as shown:
        assert shown.communicate(timeout=60)[0] == b"people: 0 added, 0 changed, 1 unchanged\n"
    os.close(terminal)
    assert b"100%" in os.read(master, 10_000)
    os.close(master)


def test_a_file_may_come_through_a_pipe(stores, environment, tmp_path):
    with command("/dev/stdin", stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path) as piped:
        output, _ = piped.communicate(REGISTER.text(REGISTER.row).encode("utf-16"), timeout=60)
    assert output == b"people: 1 added, 0 changed, 0 unchanged\n"
    with command("/dev/stdin", stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as piped:
        _, errors = piped.communicate(REGISTER.text(with_first(REGISTER, "7x")).encode(), timeout=60)
    assert errors.decode().splitlines()[-1] == (
        f"Nothing was imported; the refused rows and why: {tmp_path}/stdin.refused.csv"
    )


def test_a_day_is_read():
    assert read_day("2026-02-17").isoformat() == "2026-02-17"


@pytest.mark.parametrize("text", ["", "17/02/2026", "2026-02-30", "2026-2-7", "20260217", "2026-W08-2"])
def test_what_is_no_day_is_refused(text):
    with pytest.raises(RowRefused) as refusal:
        read_day(text)
    assert str(refusal.value) == f"{text!r} is not a date YYYY-MM-DD"
