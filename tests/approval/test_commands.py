"""`vssid register …` on the approval service's real tables."""

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from services.approval import models
from services.approval.commands.register import register
from tests.support.databases import service_database

HEADER = "insurance_code,full_name,birth_date,gender,id_number\n"
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
    assert import_file(HEADER + KNOWN) == (0, "1 people imported\n")
    assert import_file(HEADER + KNOWN.replace("Thử", "Mẫu")) == (0, "1 people imported\n")
    assert people(database) == [("7900000017", "Nguyễn Văn Mẫu")]


def test_people_are_imported_in_more_than_one_batch(import_file, database):
    rows = "".join(f"79{number:08d},Nguyễn Văn Thử,1985,male,\n" for number in range(2500))
    assert import_file(HEADER + rows) == (0, "2500 people imported\n")
    assert len(people(database)) == 2500


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("790000001,Nguyễn Văn Thử,1985-08-15,male,", "line 3: insurance_code not usable; nothing was imported"),
        ("7900000025,,15/08/1985,nam,", "line 3: full_name, birth_date, gender not usable; nothing was imported"),
        ("7900000025,Nguyễn Văn Thử,1985,male,0790850000175", "line 3: id_number not usable; nothing was imported"),
        ("7900000025", "line 3: full_name, birth_date, gender not usable; nothing was imported"),
    ],
)
def test_of_a_file_with_a_fault_nobody_is_imported(import_file, database, row, said):
    assert import_file(f"{HEADER}{KNOWN}{row}\n") == (1, f"Error: {said}\n")
    assert people(database) == []


def test_a_fault_in_a_later_batch_takes_back_the_earlier_ones(import_file, database):
    rows = "".join(f"79{number:08d},Nguyễn Văn Thử,1985,male,\n" for number in range(1500))
    answer = import_file(f"{HEADER}{rows}7,Nguyễn Văn Thử,1985,male,\n")
    assert answer == (1, "Error: line 1502: insurance_code not usable; nothing was imported\n")
    assert people(database) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("full_name,gender\n", "columns missing: birth_date, id_number, insurance_code"),
        (HEADER.encode() + "7900000017,Nguyễn".encode("utf-16"), "the file is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_list_of_people_is_refused(import_file, content, said):
    assert import_file(content) == (1, f"Error: {said}\n")
