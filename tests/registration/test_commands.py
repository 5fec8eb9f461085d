"""`vssid agency …` on the registration service's real tables."""

from datetime import date

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from services.registration import models
from services.registration.commands import agency, keep_starter_list

HEADER = "code,name,province_code,address,opened_on,closed_on,note\n"
TABLE = models.metadata.tables["agencies"]


@pytest.fixture
def import_file(database, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("VAR_DIR", settings.var_dir)
    monkeypatch.delenv("DATABASE_URL", raising=False)

    def run(text):
        file = tmp_path / "agencies.csv"
        file.write_text(text, "utf-8")
        answer = CliRunner().invoke(agency, ["import", str(file)])
        return answer.exit_code, answer.output

    return run


def agencies(database, *codes):
    with database.begin() as session:
        query = sa.select(TABLE).where(TABLE.c.code.in_(codes)).order_by(TABLE.c.code)
        return [dict(row) for row in session.execute(query).mappings()]


def test_agencies_are_imported_with_what_they_have(import_file, database):
    rows = "99001,BHXH Mẫu,79,1 Đường Mẫu,2025-07-01,2026-01-31,tạm\n991,BHXH Thử,79,,,,\n"
    assert import_file(HEADER + rows) == (0, "agencies: 2 added, 0 changed, 0 unchanged\n")
    full, bare = agencies(database, "99001", "991")
    assert (full["name"], full["address"], full["opened_on"], full["closed_on"], full["note"]) == (
        *("BHXH Mẫu", "1 Đường Mẫu", date(2025, 7, 1), date(2026, 1, 31), "tạm"),
    )
    assert (bare["name"], bare["address"], bare["opened_on"], bare["closed_on"], bare["note"]) == (
        *("BHXH Thử", None, date(1995, 2, 16), None, None),
    )


def test_a_known_agency_is_brought_up_to_date_and_the_starter_list_leaves_it(import_file, database):
    import_file(HEADER + "99001,BHXH Mẫu,79,,,,\n")
    assert import_file("code,name,province_code\n07921,BHXH Thử,79\n") == (
        0,
        "agencies: 0 added, 1 changed, 0 unchanged\n",
    )
    keep_starter_list()
    assert [one["name"] for one in agencies(database, "07921")] == ["BHXH Thử"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("9900,BHXH Mẫu,79,,,,", "line 3: code '9900' is not three or five digits"),
        ("９９００２,BHXH Mẫu,79,,,,", "line 3: code '９９００２' is not three or five digits"),
        ("99002,BHXH Mẫu,00,,,,", "line 3: '00' is not one of today's provinces"),
        ("99002,,79,,,,", "line 3: the name is missing"),
        (f"99002,{'a' * 201},79,,,,", "line 3: name is longer than 200 characters"),
        (f"99002,BHXH Mẫu,79,{'a' * 301},,,", "line 3: address is longer than 300 characters"),
        ("99002,BHXH Mẫu,79,,01/07/2025,,", "line 3: '01/07/2025' is not a date YYYY-MM-DD"),
        ("99002,BHXH Mẫu,79,,,x,", "line 3: 'x' is not a date YYYY-MM-DD"),
    ],
)
def test_of_a_file_with_a_fault_no_agency_is_imported(import_file, database, row, said):
    status, output = import_file(f"{HEADER}99001,BHXH Mẫu,79,,,,\n{row}\n")
    assert (status, output.splitlines()[0]) == (1, f"Error: {said}")
    assert agencies(database, "99001", "99002") == []


def test_a_missing_column_is_named(import_file):
    assert import_file("code,address\n") == (1, "Error: columns missing: name, province_code\n")
