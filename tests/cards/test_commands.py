"""`vssid card …` on the real tables."""

import json
from datetime import date

import pytest
from click.testing import CliRunner

from services.cards import models
from services.cards.commands import card

GROUPS = "insurance_code,group_code,valid_from,valid_to\n"
LEVELS = "group_code,name,payer,level,valid_from,valid_to\n"


@pytest.fixture
def run(database, settings, tmp_path, monkeypatch):
    """Run a command on FILE with the text given; the environment names the database of the test."""
    monkeypatch.setenv("VAR_DIR", settings.var_dir)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    file = tmp_path / "rows.csv"

    def run(*words, text=None):
        if text is None:
            return CliRunner().invoke(card, words)
        file.write_text(text, encoding="utf-8")
        return CliRunner().invoke(card, [*words, str(file)])

    return run


def participations(database, insurance_code, day):
    with database.begin() as session:
        return sorted(models.participations_on(session, insurance_code, day))


def test_participations_are_imported(run, database):
    answer = run("groups", "import", text=GROUPS + "7900000017,DN,2026-01-01,\n7900000017,HS,2026-01-01,2026-05-31\n")
    assert (answer.exit_code, answer.output) == (0, "participations: 2 added, 0 changed, 0 unchanged\n")
    assert participations(database, "7900000017", date(2026, 5, 31)) == ["DN", "HS"]
    assert participations(database, "7900000017", date(2026, 6, 1)) == ["DN"]


def test_a_participation_imported_again_is_brought_up_to_date(run, database):
    run("groups", "import", text=GROUPS + "7900000017,DN,2026-01-01,\n")
    run("groups", "import", text=GROUPS + "7900000017,DN,2026-01-01,2026-03-31\n")
    assert participations(database, "7900000017", date(2026, 3, 31)) == ["DN"]
    assert participations(database, "7900000017", date(2026, 4, 1)) == []


def test_a_file_from_a_spreadsheet_with_a_byte_order_mark_is_read(run, database):
    answer = run("groups", "import", text="\ufeff" + GROUPS + "7900000017,DN,2026-01-01,\n")
    assert answer.exit_code == 0
    assert participations(database, "7900000017", date(2026, 1, 1)) == ["DN"]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("790000001,DN,2026-01-01,", "line 3: '790000001' is not an insurance code of ten digits"),
        ("7900000025,QQ,2026-01-01,", "line 3: no group is called 'QQ'"),
        ("7900000025,DN,01/01/2026,", "line 3: '01/01/2026' is not a date YYYY-MM-DD"),
        ("7900000025,DN,,", "line 3: '' is not a date YYYY-MM-DD"),
        ("7900000025,DN,2026-01-02,2026-01-01", "line 3: valid_to lies before valid_from"),
        ("7900000025", "line 3: no group is called ''"),
        (f"7900000025,{'D' * 50},2026-01-01,", "line 3: group_code is longer than 2 characters"),
    ],
)
def test_of_a_file_with_a_fault_no_row_is_taken(run, database, row, fault):
    answer = run("groups", "import", text=f"{GROUPS}7900000017,DN,2026-01-01,\n{row}\n")
    assert (answer.exit_code, answer.output.splitlines()[0]) == (1, f"Error: {fault}")
    assert participations(database, "7900000017", date(2026, 1, 1)) == []


def test_a_missing_column_is_named(run):
    answer = run("groups", "import", text="insurance_code,valid_from\n")
    assert (answer.exit_code, answer.output) == (1, "Error: columns missing: group_code\n")


def test_a_new_group_is_added_with_its_level(run, database):
    answer = run("levels", "import", text=LEVELS + "ZZ,nhóm mẫu,budget,3,2026-07-01,\n")
    assert (answer.exit_code, answer.output) == (0, "benefit levels: 1 added, 0 changed, 0 unchanged\n")
    with database.begin() as session:
        assert "ZZ" not in models.benefits_on(session, date(2026, 6, 30))
        assert models.benefits_on(session, date(2026, 7, 1))["ZZ"].level == 3


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("zz,nhóm mẫu,budget,3,2026-07-01,", "line 2: 'zz' is not a group code of two capital letters"),
        ("ZZ,,budget,3,2026-07-01,", "line 2: the name is missing"),
        (
            "ZZ,nhóm mẫu,nobody,3,2026-07-01,",
            "line 2: 'nobody' is not one of employer, fund, budget, supported, household",
        ),
        ("ZZ,nhóm mẫu,budget,6,2026-07-01,", "line 2: '6' is not a benefit level from 1 to 5"),
        ("ZZ,nhóm mẫu,budget,³,2026-07-01,", "line 2: '³' is not a benefit level from 1 to 5"),
    ],
)
def test_a_level_that_cannot_be_is_refused(run, row, fault):
    answer = run("levels", "import", text=f"{LEVELS}{row}\n")
    assert (answer.exit_code, answer.output.splitlines()[0]) == (1, f"Error: {fault}")


def test_the_groups_are_listed_with_their_levels_of_today(run):
    answer = run("groups", "list")
    assert answer.exit_code == 0
    assert "CN  2  supported  hộ cận nghèo" in answer.output.splitlines()
    assert len(answer.output.splitlines()) == 45


def test_the_groups_are_listed_for_programs(run):
    rows = [json.loads(line) for line in run("groups", "list", "--json").output.splitlines()]
    assert {"group_code": "CN", "level": 2, "payer": "supported", "name": "hộ cận nghèo"} in rows
    lines = [f"{row['group_code']}  {row['level']}  {row['payer']:<9}  {row['name']}" for row in rows]
    assert lines == run("groups", "list").output.splitlines()
