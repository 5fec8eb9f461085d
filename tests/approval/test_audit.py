"""`vssid audit …`: verifying, printing and exporting the journal, with the secret key and without it."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from services.approval import models
from services.approval.commands.journal import audit
from services.approval.domain.officer import Officer
from services.approval.domain.review import open_review
from shared.storage.seals import new_key
from shared.storage.signatures import Signer
from tests.support.databases import service_database
from tests.support.events import AT, declaration_submitted
from tests.support.journal import fill, unprotect

ROWS = 2 * (1 + 20) + 1


@pytest.fixture(params=["settings", "postgresql_settings"], ids=["sqlite", "postgresql"])
def settings_used(request, monkeypatch):
    """Settings that the environment names too."""
    settings = request.getfixturevalue(request.param)
    for name in ("var_dir", "database_url", "journal_key"):
        monkeypatch.setenv(name.upper(), getattr(settings, name))
    return settings


@pytest.fixture
def database(settings_used):
    with service_database("approval", settings_used) as database:
        fill(database, settings_used, days=2, rows_a_day=20)
        yield database


def run(*words):
    answer = CliRunner().invoke(audit, list(words))
    return answer.exit_code, answer.output.splitlines()


GOOD = (0, [f"{ROWS} rows are as they were written; the newest root covers {ROWS - 1}"])


def change_row_7(database):
    unprotect(database)
    with database.begin() as session:
        session.connection().exec_driver_sql("UPDATE journal_entries SET officer = 'canbo.gia' WHERE sequence = 7")


def test_a_journal_as_it_was_written_verifies(database):
    assert run("verify") == GOOD


def test_an_empty_journal_verifies(settings_used):
    with service_database("approval", settings_used):
        assert run("verify") == (0, ["0 rows are as they were written; the newest root covers 0"])


def test_a_changed_row_ends_the_command_with_1_and_is_named(database):
    change_row_7(database)
    assert run("verify") == (1, ["Error: the journal is broken at row 7: it was changed"])


def test_an_auditor_verifies_with_the_public_key_and_without_the_secret(database, settings_used, monkeypatch):
    code, keys = run("key")
    assert (code, keys) == (0, Signer(settings_used).public_keys)
    monkeypatch.delenv("JOURNAL_KEY")
    assert run("verify", "--key", keys[0]) == GOOD
    assert run("verify", "--key", "AAAA") == (
        1,
        ["Error: the journal is broken at row 1: the signature of this root is not by a known key"],
    )


def test_the_key_of_the_embedded_system_is_found_beside_its_data(database, settings_used, monkeypatch):
    monkeypatch.delenv("JOURNAL_KEY")
    (settings_used.folder / "journal.key").write_text(settings_used.journal_key)
    assert run("verify") == GOOD


def test_roots_are_printed_and_verified_against(database, tmp_path):
    with database.begin() as session:
        roots = models.roots(session)
    code, lines = run("root")
    assert (code, lines) == (0, [str(root) for root in roots])
    assert [line.split()[:2] for line in lines] == [["2026-08-03", "0"], ["2026-08-04", "21"], ["2026-08-05", "42"]]
    kept = tmp_path / "roots.txt"
    kept.write_text("\n".join(lines))
    assert run("verify", "--roots", str(kept)) == GOOD


def test_a_journal_that_was_begun_anew_is_found_by_the_roots_kept_elsewhere(settings_used, tmp_path):
    kept = tmp_path / "roots.txt"
    with service_database("approval", settings_used) as database:
        fill(database, settings_used, days=2, rows_a_day=20)
        kept.write_text("\n".join(run("root")[1]))
        unprotect(database)
        with database.begin() as session:
            for statement in ("DELETE FROM journal_entries", "UPDATE journal_head SET sequence = 0, hash = ''"):
                session.connection().exec_driver_sql(statement)
        assert run("verify")[0] == 0
        assert run("verify", "--roots", str(kept)) == (
            1,
            ["Error: the journal is broken at row 1: it is missing, with all rows up to 42"],
        )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2026-08-03 0 -", "line 1: not a line of `vssid audit root`"),
        ("2026-08-03 x - signature", "line 1: not a line of `vssid audit root`"),
        ("2026-08-03 7 a signature", "line 1: not signed by a known key"),
    ],
)
def test_a_file_that_holds_no_roots_of_ours_is_refused(database, tmp_path, line, said):
    kept = tmp_path / "roots.txt"
    kept.write_text(line)
    assert run("verify", "--roots", str(kept)) == (1, [f"Error: {kept}, {said}"])


def test_without_a_key_nothing_is_verified(database, monkeypatch):
    monkeypatch.setenv("JOURNAL_KEY", "")
    answer = CliRunner().invoke(audit, ["verify"])
    assert str(answer.exception) == "JOURNAL_KEY is not usable: it takes keys of `vssid key`, newest first"
    monkeypatch.setenv("JOURNAL_KEY", new_key())
    assert run("verify")[0] == 1


def listed(*words):
    code, lines = run("list", *words)
    assert code == 0
    return [line.split("\t") for line in lines]


def test_rows_are_printed_newest_first(database):
    first = listed("--limit", "1")
    assert [row[:4] for row in first] == [["43", "2026-08-05T02:00:00.000Z", "", "root_signed"]]
    assert len(listed()) == ROWS
    row = listed("--number", "2026-0000001")[-1]
    assert row[:7] == ["2", "2026-08-03T02:00:00.000Z", "canbo.mau", "signed_in", "2026-0000001", "", ""]


def test_whose_dossiers_an_officer_saw_is_answered_by_days_of_vietnam(database):
    day = (AT + timedelta(days=1)).date().isoformat()
    assert {row[2] for row in listed("--officer", "canbo.khac")} == {"canbo.khac"}
    assert len(listed("--officer", "canbo.khac", "--since", day)) == 10
    assert len(listed("--officer", "canbo.khac", "--until", day)) == 20
    assert listed("--officer", "canbo.khac", "--since", "2026-08-06") == []


COLUMNS = ["sequence", "at", "officer", "act", "number", "detail", "address", "session_id", "request_id"]


def test_rows_are_printed_for_programs(database):
    code, lines = run("list", "--json")
    rows = list(map(json.loads, lines))
    assert (code, len(rows)) == (0, ROWS)
    assert rows[0]["officer"] is None and rows[0]["address"] is None
    shown = [["" if row[name] is None else str(row[name]) for name in COLUMNS] for row in rows]
    assert (shown, [list(row) for row in rows]) == (listed(), [COLUMNS] * ROWS)


def test_roots_and_keys_are_printed_for_programs(database, settings_used):
    with database.begin() as session:
        roots = models.roots(session)
    code, lines = run("root", "--json")
    assert (code, list(map(json.loads, lines))) == (0, [{**vars(root), "hash": root.hash or None} for root in roots])
    assert json.loads(lines[0])["hash"] is None
    code, lines = run("key", "--json")
    assert (code, list(map(json.loads, lines))) == (
        0,
        [{"public_key": key} for key in Signer(settings_used).public_keys],
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--number", "2026-9999999"], "there is no declaration 2026-9999999; look at the number again"),
        (["--officer", "khong.ai"], "there is no officer khong.ai; `vssid officer list` shows all"),
    ],
)
def test_a_search_for_what_never_was_is_refused(database, words, said):
    assert run("list", *words) == (1, [f"Error: {said}"])


def test_a_search_that_finds_nothing_of_what_there_is_finds_nothing(database):
    with database.begin() as session:
        session.add(Officer("canbo.moi", "079", "officer", "hash"))
        session.add(open_review(declaration_submitted(number="2026-0000777")))
    assert run("list", "--officer", "canbo.moi", "--number", "2026-0000777") == (0, [])
    assert run("list", "--officer", "canbo.mau", "--number", "2026-0000001", "--since", "2026-09-01") == (0, [])
