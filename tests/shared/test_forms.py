"""What comes in is checked strictly, and whatever comes in, the answer is a value or a named refusal."""

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.forms import (
    Accepted,
    AddressLine,
    Choice,
    Code,
    Count,
    Day,
    Flag,
    Form,
    Mail,
    Mobile,
    Name,
    Nested,
    Paragraph,
    Text,
)
from shared.forms import read as read_form
from shared.language.errors import FieldError, Invalid
from tests.support.green import said_by

MEGABYTE = "a" * 1_000_000
PICTOGRAM, RIGHT_TO_LEFT, ZERO_WIDTH, NUL = "\U0001f600", "\u202e", "\u200b", "\x00"


class InnerForm(Form):
    code = Code(r"[0-9]{3}", "not_a_code", required=True)


class WholeForm(Form):
    """One field of each kind."""

    text = Text(20, required=True)
    name = Name(required=True)
    line = AddressLine(40, required=True)
    paragraph = Paragraph(50, required=True)
    code = Code(r"[0-9]{10}", "not_a_code", required=True)
    mobile = Mobile(required=True)
    mail = Mail(required=True)
    flag = Flag(required=True)
    accepted = Accepted(required=True)
    choice = Choice(("one", "two"), required=True)
    count = Count(1, 100, required=True)
    day = Day(required=True)
    inner = Nested(InnerForm, required=True)


GOOD = {
    "text": "một dòng",
    "name": "Trần Thị Mẫu",
    "line": "12/3A Đường Mẫu, Tổ 5",
    "paragraph": "dòng một\ndòng hai",
    "code": "7900000017",
    "mobile": "0912345678",
    "mail": "tran.thi.mau@vidu.example",
    "flag": False,
    "accepted": True,
    "choice": "one",
    "count": "20",
    "day": "2026-08-03",
    "inner": {"code": "079"},
}
FIELDS = sorted(GOOD)
TEXTUAL = ("text", "name", "line", "paragraph", "code", "mobile", "mail", "choice", "count", "day")
KNOWN = {
    "required",
    "null",
    "wrong_type",
    "unknown_field",
    "empty",
    "too_long",
    "unprintable_characters",
    "not_a_name",
    "unusual_characters",
    "not_a_code",
    "not_a_mobile",
    "not_an_email",
    "must_be_accepted",
    "not_a_choice",
    "not_a_number",
    "out_of_range",
    "not_a_date",
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(field, value):
    """Return what the form makes of one field's value, or the code it refuses it with."""
    try:
        return read_form(WholeForm, GOOD | {field: value})[field]
    except Invalid as refusal:
        [error] = refusal.errors
        assert error.field.split(".")[0] == field
        return f"refused: {error.code}"


def faults(value):
    """Return the fields at fault, each with its code; none where the form is in order."""
    try:
        read_form(WholeForm, value)
    except Invalid as refusal:
        return {(error.field, error.code) for error in refusal.errors}
    return set()


def test_a_form_in_order_is_returned_as_checked_values():
    assert read_form(WholeForm, GOOD) == GOOD | {"mobile": "+84912345678", "count": 20, "day": date(2026, 8, 3)}


def test_every_missing_field_is_named():
    assert faults({}) == {(field, "required") for field in FIELDS}


def test_null_is_not_a_value():
    assert faults(dict.fromkeys(FIELDS)) == {(field, "null") for field in FIELDS}


def test_a_field_nobody_asked_for_is_refused_by_name():
    assert faults(GOOD | {"role": "admin"}) == {("role", "unknown_field")}
    assert faults(GOOD | {"inner": {"code": "079", "more": 1}}) == {("inner.more", "unknown_field")}


@pytest.mark.parametrize("value", [None, [], "text", 5, True, [GOOD]], ids=repr)
def test_what_is_no_object_is_refused(value):
    assert faults(value) == {("", "wrong_type")}


@pytest.mark.parametrize("field", ["text", "name", "line", "paragraph", "code", "mobile", "mail", "choice"])
@pytest.mark.parametrize("value", [7900000017, 1.5, True, ["0912345678"], {"text": "x"}], ids=repr)
def test_text_is_text(field, value):
    assert read(field, value) == "refused: wrong_type"


@pytest.mark.parametrize("field", ["flag", "accepted"])
@pytest.mark.parametrize("value", ["true", "yes", "", 1, 0, [], {}], ids=repr)
def test_true_is_true_and_nothing_like_it(field, value):
    assert read(field, value) == "refused: wrong_type"


def test_a_box_that_must_be_ticked_is_ticked():
    assert read("accepted", False) == "refused: must_be_accepted"


@pytest.mark.parametrize("value", [[], "079", 79, True], ids=repr)
def test_an_object_inside_is_an_object(value):
    assert read("inner", value) == "refused: wrong_type"


def test_a_megabyte_is_refused():
    """In a process of its own, which is ended when a pattern takes its time over so long a text."""
    script = """
import json
from tests.shared import test_forms as forms
print(json.dumps({field: str(forms.read(field, forms.MEGABYTE)) for field in forms.TEXTUAL}))
"""
    answers = said_by(script)
    assert set(answers) == set(TEXTUAL)
    assert [answer for answer in answers.values() if not answer.startswith("refused: ")] == []


@pytest.mark.parametrize("field", ["text", "name", "line", "paragraph"])
@pytest.mark.parametrize(
    "sign", [NUL, "\x07", "\x1b", "\x7f", "\x85", RIGHT_TO_LEFT, "\u200f", ZERO_WIDTH, "\ud800"], ids=ascii
)
def test_signs_that_cannot_be_seen_are_refused(field, sign):
    assert read(field, f"Mẫu{sign}Thử") == "refused: unprintable_characters"


@pytest.mark.parametrize("field", ["text", "name", "line", "mobile", "mail"])
@pytest.mark.parametrize(
    "sign", [" ", "\n", "\r\n", "\u00a0", RIGHT_TO_LEFT, "\u200f", ZERO_WIDTH, "\u202c"], ids=ascii
)
def test_what_is_pasted_along_around_a_value_is_left_out(field, sign):
    assert read(field, f"{sign}{GOOD[field]}{sign}") == read(field, GOOD[field])


@pytest.mark.parametrize("field", ["mobile", "mail"])
@pytest.mark.parametrize("sign", [NUL, "\x07", "\ud800"], ids=ascii)
def test_what_nobody_pastes_is_refused_around_a_value(field, sign):
    assert str(read(field, GOOD[field] + sign)).startswith("refused: ")


@pytest.mark.parametrize("field", ["code", "choice", "count", "day"])
@pytest.mark.parametrize("sign", [NUL, "\n", "\r\n", RIGHT_TO_LEFT, "\ud800"], ids=ascii)
def test_signs_that_cannot_be_seen_are_refused_around_a_value_in_order(field, sign):
    assert str(read(field, GOOD[field] + sign)).startswith("refused: ")
    assert str(read(field, sign + GOOD[field])).startswith("refused: ")


@pytest.mark.parametrize("field", ["text", "name", "line", "paragraph"])
def test_letters_written_in_two_signs_become_one(field):
    apart = unicodedata.normalize("NFD", "Nguyễn Đường Ở")
    assert read(field, apart) == "Nguyễn Đường Ở"


@pytest.mark.parametrize("field", ["text", "name", "line"])
def test_spaces_are_made_single(field):
    assert read(field, "  Trần \u00a0 Thị\u3000Mẫu ") == "Trần Thị Mẫu"


@pytest.mark.parametrize("field", ["text", "name", "line"])
@pytest.mark.parametrize("value", ["", " ", "\u00a0\u3000"], ids=ascii)
def test_a_line_of_nothing_is_empty(field, value):
    assert read(field, value) == "refused: empty"


@pytest.mark.parametrize("field", ["text", "name", "line"])
@pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\u2028", "\u2029"], ids=ascii)
def test_a_line_has_no_line_breaks(field, sign):
    assert read(field, f"Mẫu{sign}Thử") == "refused: unprintable_characters"


@pytest.mark.parametrize(("field", "limit"), [("text", 20), ("name", 100), ("line", 40), ("paragraph", 50)])
def test_a_text_is_at_most_as_long_as_its_limit(field, limit):
    assert read(field, "ở" * limit) == "ở" * limit
    with pytest.raises(Invalid) as refusal:
        read_form(WholeForm, GOOD | {field: "ở" * (limit + 1)})
    assert refusal.value.errors == (FieldError(field, "too_long", {"limit": limit}),)


def test_length_counts_letters_and_not_the_signs_they_came_in():
    assert read("text", unicodedata.normalize("NFD", "ở" * 20)) == "ở" * 20


@pytest.mark.parametrize(
    "name",
    ["Nguyễn Văn Thử", "Trần Thị Mẫu", "Y Blô Niê", "H'Hen Niê", "Lê-Mẫu", "J. R. Ví Dụ Jr.", "Ng", "Y Ƀlô Ñĕč Kơ̆ƀ"],
)
def test_a_name_is_taken_as_it_is(name):
    assert read("name", name) == name


@pytest.mark.parametrize(
    "name",
    [
        "Trần Thị 1",
        f"Mẫu {PICTOGRAM}",
        "<script>alert(1)</script>",
        "Mẫu<br>",
        "Thử'); DROP TABLE accounts;--",
        "Thử' OR '1'='1",
        "Mẫu_Thử",
        "Mẫu; Thử",
        "Mẫu * Thử",
        "山田",
        "Мария",
        "محمد",
        "{{7*7}}",
        "=1+1",
        "-",
        "'",
        "'Thử",
    ],
)
def test_what_is_no_name_is_refused(name):
    assert read("name", name) == "refused: not_a_name"


@pytest.mark.parametrize(
    "line", ["Số 12/3A, Tổ 5 (sau chợ)", "Ấp Mẫu & Ấp Thử", "L'Avenue", "#5 - Lô B: 12+1", "Khu phố 3."]
)
def test_a_line_of_an_address_is_taken_as_it_is(line):
    assert read("line", line) == line


@pytest.mark.parametrize(
    ("pasted", "written"),
    [
        ("Số 5 – Lô B", "Số 5 - Lô B"),
        ('Quán “Mẫu”, chợ "Thử"', "Quán Mẫu, chợ Thử"),
        ("Số 12; Tổ 5", "Số 12, Tổ 5"),
        ("* Ấp Mẫu * Ấp Thử", "Ấp Mẫu Ấp Thử"),
        ("Thôn K’ Long, K'Bang", "Thôn K' Long, K'Bang"),
        ("Buôn Ƀlô, đường Ðặng", "Buôn Ƀlô, đường Đặng"),
    ],
)
def test_what_people_paste_into_an_address_is_put_right(pasted, written):
    assert read("line", pasted) == written


@pytest.mark.parametrize(
    ("typed", "written"),
    [("H’Hen Niê", "H'Hen Niê"), ("Ðặng Thị Mẫu", "Đặng Thị Mẫu"), ("Lê\u2011Mẫu", "Lê-Mẫu"), ("Y Ƀlô ", "Y Ƀlô")],
)
def test_a_name_is_kept_as_its_owner_writes_it(typed, written):
    assert read("name", typed) == written


@pytest.mark.parametrize(
    "line",
    [
        "<script>alert(1)</script>",
        "12' OR '1'='1",
        "DROP TABLE accounts; -- $",
        f"Đường {PICTOGRAM}",
        "Đường\\Mẫu",
        "${7*7}",
        "Mẫu_Thử",
        "a=b",
    ],
)
def test_a_line_of_an_address_has_only_the_signs_of_addresses(line):
    assert read("line", line) == "refused: unusual_characters"


def test_a_paragraph_keeps_its_lines_and_any_sign_that_can_be_seen():
    written = f"  <b>Lý do</b>:\r\n\tảnh mờ {PICTOGRAM}; 'chụp lại'\r\n"
    assert read("paragraph", written) == f"<b>Lý do</b>:\n\tảnh mờ {PICTOGRAM}; 'chụp lại'"


@pytest.mark.parametrize(
    "value",
    ["", "790000001", "79000000177", "790000001a", " 7900000017", "٧٩٠٠٠٠٠٠١٧", "７９００００００１７", "7900000017\n"],
    ids=ascii,
)
def test_a_code_is_matched_whole_in_ascii(value):
    assert read("code", value) == "refused: not_a_code"


@pytest.mark.parametrize("value", ["+84912345678", "0912 345 678", "0912.345.678", "(0912) 345-678", "84912345678"])
def test_a_mobile_number_is_stored_in_one_form(value):
    assert read("mobile", value) == "+84912345678"


@pytest.mark.parametrize(
    "value", ["", "091234567", "0212345678", "+6591234567", "0912FLOWER", "0" * 21, "０９１２３４５６７８"]
)
def test_what_is_no_mobile_number_is_refused(value):
    assert read("mobile", value) == "refused: not_a_mobile"


@pytest.mark.parametrize("value", ["mau@vidu.example", "Thu.Nghiem+vssid@mail.vidu.example"])
def test_a_mail_address_is_taken_as_it_is(value):
    assert read("mail", value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "mau",
        "mau@",
        "@vidu.example",
        "mau@vidu",
        "a b@vidu.example",
        "mẫu@vidu.example",
        "mau@vidu.example, thu@vidu.example",
        "Mau <mau@vidu.example>",
        "mau@vidu.example\r\nBcc: thu@vidu.example",
        '"\x01"@vidu.example',
        '"\\\x01"@vidu.example',
        "a" * 250 + "@vidu.example",
    ],
    ids=ascii,
)
def test_what_is_no_mail_address_is_refused(value):
    assert read("mail", value) == "refused: not_an_email"


@pytest.mark.parametrize("value", ["", "ONE", "one ", "three", "onetwo"])
def test_a_choice_is_one_of_the_words(value):
    with pytest.raises(Invalid) as refusal:
        read_form(WholeForm, GOOD | {"choice": value})
    assert refusal.value.errors == (FieldError("choice", "not_a_choice", {"choices": "one, two"}),)


@pytest.mark.parametrize("value", [20, "", "-1", "1.5", "1e2", " 20", "٢٠", "0x10", "1_0", "1" * 400])
def test_a_count_is_written_in_digits(value):
    assert read("count", value) == "refused: not_a_number"


@pytest.mark.parametrize(
    ("value", "outcome"), [("1", 1), ("100", 100), ("0", "refused: out_of_range"), ("101", "refused: out_of_range")]
)
def test_a_count_lies_within_its_bounds(value, outcome):
    assert read("count", value) == outcome


@pytest.mark.parametrize(
    "value",
    [
        20260803,
        True,
        [],
        "",
        "20260803",
        "2026-8-3",
        "03/08/2026",
        "2026-W31-1",
        "2026-02-30",
        "2026-08-03T00:00",
        "٢٠٢٦-٠٨-٠٣",
    ],
    ids=ascii,
)
def test_a_day_is_written_year_month_day(value):
    assert read("day", value) == "refused: not_a_date"


def test_a_fault_inside_is_named_by_its_path():
    assert faults(GOOD | {"inner": {"code": "79"}}) == {("inner.code", "not_a_code")}


def test_all_faults_are_named_at_once():
    assert faults(GOOD | {"name": "1", "flag": "no", "inner": {}}) == {
        ("name", "not_a_name"),
        ("flag", "wrong_type"),
        ("inner.code", "required"),
    }


@given(ANYTHING)
def test_whatever_is_sent_as_a_form_is_refused_by_names_and_codes(value):
    assert faults(value)
    assert {code for _, code in faults(value)} <= {"wrong_type", "required", "unknown_field"}


@given(st.sampled_from(FIELDS), ANYTHING | st.text())
def test_whatever_is_sent_as_a_field_nothing_else_is_at_fault(field, value):
    found = faults(GOOD | {field: value})
    assert {name.split(".")[0] for name, _ in found} <= {field}
    assert {code for _, code in found} <= KNOWN


@given(st.dictionaries(st.sampled_from([*FIELDS, "_schema", "", "a.b", "__class__"]), ANYTHING))
def test_whatever_fields_are_sent_every_fault_has_a_code_we_know(value):
    assert {code for _, code in faults(value)} <= KNOWN


@given(st.text(max_size=40))
def test_a_line_taken_once_is_taken_again_unchanged(value):
    taken = read("line", value)
    if not taken.startswith("refused: "):
        assert read("line", taken) == taken
        assert unicodedata.is_normalized("NFC", taken)
