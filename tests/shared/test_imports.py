"""A CSV file is read by the names of its columns, and a fault is named by its line."""

from datetime import date

import pytest

from shared.storage.imports import ImportRefused, open_csv, read_day, read_rows


def rows(file, content, required=("code",), optional=("note",)):
    """Write a file, and return what is read of it."""
    file.write_bytes(content)
    with open_csv(file) as lines:
        return list(read_rows(lines, required, optional))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "rows.csv"


def test_rows_come_with_their_lines_and_the_columns_named(file):
    content = "code,extra,note\n1,x, Ấp Mẫu \n\n2,y\n".encode()
    assert rows(file, content) == [(2, {"code": "1", "note": "Ấp Mẫu"}), (4, {"code": "2", "note": ""})]


def test_an_optional_column_may_be_missing(file):
    assert rows(file, b"code\n1\n") == [(2, {"code": "1", "note": ""})]


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfcode,note\r\n1,a\r\n", b'"code","note"\n"1","a"', b"code,note\r1,a\r"],
    ids=["byte-order mark", "quotes", "carriage returns"],
)
def test_a_file_of_any_spreadsheet_is_read(file, content):
    assert rows(file, content) == [(2, {"code": "1", "note": "a"})]


def test_a_line_break_inside_quotes_belongs_to_its_value(file):
    content = b'code,note\n1,"a\nb"\n2,c\n'
    assert rows(file, content) == [(3, {"code": "1", "note": "a\nb"}), (4, {"code": "2", "note": "c"})]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "columns missing: code"),
        (b"note\n1\n", "columns missing: code"),
        (b"code\n1\n" + "khoá".encode("cp1258") + b"\n", "the file is not UTF-8 text"),
        (b"code\n1\n" + b"2" * 200_000 + b"\n", "line 3: field larger than field limit (131072)"),
    ],
    ids=["empty", "another header", "another encoding", "no table"],
)
def test_a_file_that_cannot_be_read_is_refused(file, content, said):
    with pytest.raises(ImportRefused) as refusal:
        rows(file, content)
    assert (refusal.value.message, refusal.value.exit_code) == (said, 1)


def test_a_day_is_read():
    assert read_day(2, "2026-02-17") == date(2026, 2, 17)


@pytest.mark.parametrize("text", ["", "17/02/2026", "2026-02-30", "2026-2-7"])
def test_what_is_no_day_is_refused_with_its_line(text):
    with pytest.raises(ImportRefused) as refusal:
        read_day(7, text)
    assert refusal.value.message == f"line 7: {text!r} is not a date YYYY-MM-DD"
