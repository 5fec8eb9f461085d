"""`vssid register …` on the approval service's real tables."""

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from services.approval import models
from services.approval.commands.register import register
from tests.support.databases import service_database

HEADER = "insurance_code,full_name,birth_date,gender,id_number\n"
NO_BIRTH_DATE = "birth_date is no birth date (YYYY-MM-DD or YYYY)"
KNOWN = "7900000017,Nguyễn Văn Thử,1985-08-15,male,079085000017\n"


@pytest.fixture
def database(settings, monkeypatch):
    """The approval database; the environment names it."""
    monkeypatch.setenv("VAR_DIR", settings.var_dir)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with service_database("approval", settings) as database:
        yield database


@pytest.fixture
def import_file(database, tmp_path):
    def run(content):
        file = tmp_path / "people.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        answer = CliRunner().invoke(register, ["import", str(file)])
        return answer.exit_code, answer.output

    return run


def people(database):
    table = models.metadata.tables["register_people"]
    with database.begin() as session:
        return sorted(tuple(row) for row in session.execute(sa.select(table.c.insurance_code, table.c.full_name)))


def test_people_are_imported_and_brought_up_to_date(import_file, database):
    assert import_file(HEADER + KNOWN) == (0, "people: 1 added, 0 changed, 0 unchanged\n")
    assert import_file(HEADER + KNOWN.replace("Thử", "Mẫu")) == (0, "people: 0 added, 1 changed, 0 unchanged\n")
    assert people(database) == [("7900000017", "Nguyễn Văn Mẫu")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("790000001,Nguyễn Văn Thử,1985-08-15,male,", "insurance_code is not ten digits"),
        ("７９０００００００1,Nguyễn Văn Thử,1985,male,", "insurance_code is not ten digits"),
        (
            "7900000025,,15/08/1985,nam,",
            f"full_name is not a name; {NO_BIRTH_DATE}; gender is not male or female",
        ),
        ("7900000025,Nguy?n V?n Th?,1985,male,", "full_name is not a name"),
        ("7900000025,Nguyễn Văn ②,1985,male,", "full_name is not a name"),
        (f"7900000025,{'a' * 101},1985,male,", "full_name is longer than 100 characters"),
        ("7900000025,Nguyễn Văn Thử,1985-02-30,male,", NO_BIRTH_DATE),
        ("7900000025,Nguyễn Văn Thử,2999-01-01,male,", NO_BIRTH_DATE),
        ("7900000025,Nguyễn Văn Thử,2999,male,", NO_BIRTH_DATE),
        ("7900000025,Nguyễn Văn Thử,1899-12-31,male,", NO_BIRTH_DATE),
        ("7900000025,Nguyễn Văn Thử,1985,male,0790850000175", "id_number is longer than 12 characters"),
        ("7900000025,Nguyễn Văn Thử,1985,male,079-085", "id_number is not up to twelve letters and digits"),
        ("7900000025", f"full_name is not a name; {NO_BIRTH_DATE}; gender is not male or female"),
    ],
)
def test_of_a_file_with_a_fault_nobody_is_imported(import_file, database, row, said):
    status, output = import_file(f"{HEADER}{KNOWN}{row}\n")
    assert (status, output.splitlines()[0]) == (1, f"Error: line 3: {said}")
    assert people(database) == []
