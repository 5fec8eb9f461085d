"""What the QR codes of identity cards and health cards say, and what they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.domain.qr import LONGEST_PAYLOAD, read_qr
from shared.language.errors import FieldError, Invalid

MAN = "079085000017|024000017|Nguyễn Văn Thử|15081985|Nam|Ấp Mẫu, Xã Thử Nghiệm, Hóc Môn, TP. Hồ Chí Minh|25042021"
WOMAN = "056190000025||Trần Thị Mẫu|12031990|Nữ|Tổ 1, Phường Ví Dụ, Nha Trang, Khánh Hòa|01072021"
BOY = "051212000033||Lê Minh Ví Dụ|05092012|Nam|Thôn Mẫu, Xã Thử Nghiệm, Bình Sơn, Quảng Ngãi|10102026||||"
NEW_CARD = (
    "7900000017|5472e1baa76e205468e1bb8b204de1baab75|12/03/1990|2|-|79 - 014|01/01/2024|-|28/12/2023|"
    "79217900000017|-|4| 01/01/2028|0000000000000000-0000|4|"
    "487579e1bb876e2048c3b363204dc3b46e2c205468c3a06e68207068e1bb912048e1bb93204368c3ad204d696e68|$"
)
OLD_CARD = (
    "HS4790000000025|4e677579e1bb856e2056c4836e205468e1bbad|05/09/2012|1|"
    "e1baa470204de1baab752c2058c3a3205468e1bbad204e676869e1bb876d2c20487579e1bb876e2048c3b363204dc3b46e2c"
    "2054502048434d|79 - 014|01/10/2019|31/12/2020|25/09/2019|79210000000025|-|4|01/10/2024|"
    "1111111111111111-0000|$"
)
CHILD_CARD = (
    "TE1510000000033|4cc3aa205468e1bb8b2056c3ad2044e1bba5|2018|2|"
    "5068c6b0e1bb9d6e67204de1baab752c205468c3a06e68207068e1bb91205175e1baa36e67204e67c3a3692c2054e1bb896e68"
    "205175e1baa36e67204e67c3a369|51 - 001|20/05/2018|30/09/2024|25/05/2018|51010000000033|"
    "4cc3aa2056c4836e20436861|4|-|2222222222222222-0000|$"
)
EXAMPLES = (MAN, WOMAN, BOY, NEW_CARD, OLD_CARD, CHILD_CARD)


def changed(payload, **parts):
    """Return the payload with part ``p3`` and so on replaced."""
    values = payload.split("|")
    for name, value in parts.items():
        values[int(name[1:])] = value
    return "|".join(values)


def assert_unreadable(payload):
    with pytest.raises(Invalid) as refusal:
        read_qr(payload)
    assert refusal.value.code == "unreadable_qr"
    assert refusal.value.errors == (FieldError("payload", "unreadable_qr"),)


def test_an_identity_card_says_who_somebody_is():
    reading = read_qr(MAN)
    assert reading.kind == "cccd"
    assert reading.fields == {
        "id_number": "079085000017",
        "old_id_number": "024000017",
        "full_name": "Nguyễn Văn Thử",
        "birth_date": "1985-08-15",
        "gender": "male",
        "address": "Ấp Mẫu, Xã Thử Nghiệm, Hóc Môn, TP. Hồ Chí Minh",
        "issued_on": "2021-04-25",
    }


def test_an_identity_card_without_an_old_number_is_read():
    fields = read_qr(WOMAN).fields
    assert (fields["old_id_number"], fields["gender"]) == (None, "female")


def test_the_empty_parts_of_newer_identity_cards_are_passed_over():
    assert read_qr(BOY).fields["issued_on"] == "2026-10-10"


def test_an_identity_card_in_the_order_without_the_old_number_is_read_the_same():
    shorter = MAN.replace("|024000017", "")
    assert read_qr(shorter).fields == read_qr(MAN).fields | {"old_id_number": None}


def test_an_identity_card_may_end_before_its_date_of_issue():
    assert read_qr(MAN.rpartition("|")[0]).fields == read_qr(MAN).fields | {"issued_on": None}


def test_a_new_health_card_is_read_whole():
    reading = read_qr(NEW_CARD)
    assert reading.kind == "bhyt"
    assert reading.fields == {
        "card_number": "7900000017",
        "insurance_code": "7900000017",
        "full_name": "Trần Thị Mẫu",
        "birth_date": "1990-03-12",
        "gender": "female",
        "address": None,
        "facility_code": "79014",
        "valid_from": "2024-01-01",
        "valid_to": None,
        "issued_on": "2023-12-28",
        "management_code": "79217900000017",
        "parent_name": None,
        "living_area": "4",
        "five_years_from": "2028-01-01",
        "check_text": "0000000000000000-0000",
        "benefit_level": "4",
        "issued_by": "Huyện Hóc Môn, Thành phố Hồ Chí Minh",
    }


def test_the_insurance_code_is_the_end_of_an_old_card_number():
    fields = read_qr(OLD_CARD).fields
    assert (fields["card_number"], fields["insurance_code"]) == ("HS4790000000025", "0000000025")
    assert fields["address"] == "Ấp Mẫu, Xã Thử Nghiệm, Huyện Hóc Môn, TP HCM"


def test_a_childs_card_names_the_parent_and_may_know_only_the_year_of_birth():
    fields = read_qr(CHILD_CARD).fields
    assert (fields["birth_date"], fields["parent_name"]) == ("2018", "Lê Văn Cha")


@pytest.mark.parametrize("length", [6, 9, 10, 13])
@pytest.mark.parametrize("end", ["", "|$"])
def test_a_short_health_card_is_read_as_far_as_it_goes(length, end):
    fields = read_qr("|".join(OLD_CARD.split("|")[:length]) + end).fields
    assert fields["full_name"] == "Nguyễn Văn Thử"
    assert fields["issued_by"] is None


@pytest.mark.parametrize("payload", EXAMPLES)
@pytest.mark.parametrize("end", ["\0", "\r", "\n", "\r\n\0\0", " "])
def test_what_a_scanner_adds_at_the_end_is_ignored(payload, end):
    assert read_qr(payload + end) == read_qr(payload)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("5/9/2012", "2012-09-05"),
        ("05/9/2012", "2012-09-05"),
        (" 05/09/2012", "2012-09-05"),
        ("2012", "2012"),
    ],
)
def test_dates_on_a_health_card_may_lack_leading_zeros(written, meant):
    assert read_qr(changed(OLD_CARD, p2=written)).fields["birth_date"] == meant


@pytest.mark.parametrize(
    ("written", "meant"), [("5091985", "1985-09-05"), ("1985", "1985"), ("5/9/1985", "1985-09-05")]
)
def test_dates_on_an_identity_card_may_lack_leading_zeros(written, meant):
    assert read_qr(changed(MAN, p3=written)).fields["birth_date"] == meant


def test_names_come_out_composed_and_tidy():
    assert read_qr(changed(MAN, p2="  Nguye\u0302\u0303n  Văn Thử ")).fields["full_name"] == "Nguyễn Văn Thử"


def test_hex_may_be_in_capitals():
    name = "Nguyễn Văn Thử".encode().hex().upper()
    assert read_qr(changed(OLD_CARD, p1=name)).fields["full_name"] == "Nguyễn Văn Thử"


def test_several_odd_fields_are_each_named():
    reading = read_qr(changed(NEW_CARD, p10="Lê Văn Cha", p15="zz"))
    assert reading.unreadable == ("parent_name", "issued_by")
    assert (reading.fields["parent_name"], reading.fields["issued_by"]) == (None, None)


@pytest.mark.parametrize(
    ("card", "place", "odd", "field"),
    [
        (MAN, "p1", "02400001", "old_id_number"),
        (MAN, "p3", "31021985", "birth_date"),
        (MAN, "p3", "00/00/1985", "birth_date"),
        (MAN, "p3", "00000000", "birth_date"),
        (MAN, "p4", "Khác", "gender"),
        (MAN, "p5", "Ấp\aMẫu", "address"),
        (MAN, "p6", "x", "issued_on"),
        (OLD_CARD, "p3", "3", "gender"),
        (OLD_CARD, "p4", "4e1", "address"),
        (OLD_CARD, "p5", "79", "facility_code"),
        (OLD_CARD, "p6", "32/01/2020", "valid_from"),
        (NEW_CARD, "p10", "zz", "parent_name"),
        (NEW_CARD, "p15", "zz", "issued_by"),
    ],
)
def test_one_odd_field_costs_no_other(card, place, odd, field):
    whole, read = read_qr(card), read_qr(changed(card, **{place: odd}))
    assert read.unreadable == (field,)
    assert read.fields == whole.fields | {field: None}


@pytest.mark.parametrize(
    ("written", "meant"), [("Female", "female"), ("NỮ", "female"), ("Nu", "female"), ("F", "female"), ("Male", "male")]
)
def test_a_gender_may_be_written_in_several_ways(written, meant):
    assert read_qr(changed(MAN, p4=written)).fields["gender"] == meant


@pytest.mark.parametrize("payload", EXAMPLES)
@pytest.mark.parametrize("prefix", ["]Q1", "]Q3", "QR:", "qrcode:", "]C0", "\ufeff"])
def test_what_a_scanner_puts_before_it_is_ignored(payload, prefix):
    assert read_qr(prefix + payload) == read_qr(payload)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "$",
        "|" * 16,
        "https://example.vn/",
        "079085000017",
        "079085000017|||||",
        MAN + "|||||",
        changed(MAN, p0="07908500001"),
        changed(MAN, p0="٠٧٩٠٨٥٠٠٠٠١٧"),
        changed(MAN, p2=""),
        changed(MAN, p2="Nguyễn\0Văn"),
        changed(MAN, p2="Nguyễn \ud800"),
        changed(OLD_CARD, p0="HS9790000000025"),
        changed(OLD_CARD, p0="790000001"),
        changed(OLD_CARD, p1="-"),
        changed(OLD_CARD, p1="abc"),
        changed(OLD_CARD, p1="ff"),
        changed(OLD_CARD, p1="4e00"),
        MAN + " " * LONGEST_PAYLOAD,
    ],
)
def test_any_other_text_is_unreadable(payload):
    assert_unreadable(payload)


def test_a_refusal_carries_no_personal_data():
    with pytest.raises(Invalid) as refusal:
        read_qr(changed(OLD_CARD, p1="ff"))
    assert refusal.value.__suppress_context__


def read_or_refused(payload):
    try:
        reading = read_qr(payload)
    except Invalid:
        return
    assert reading.fields["full_name"]


@given(st.text())
def test_no_text_breaks_the_reader(payload):
    read_or_refused(payload)


@given(st.sampled_from(EXAMPLES), st.integers(0, 16), st.text(max_size=40))
def test_no_odd_part_breaks_the_reader(payload, place, odd):
    parts = payload.split("|")
    parts[place % len(parts)] = odd
    read_or_refused("|".join(parts))


@given(st.lists(st.sampled_from(["", "-", "$", "7900000017", "079085000017", "4c", "1", "2018", "79 - 014"])))
def test_no_row_of_plausible_parts_breaks_the_reader(parts):
    read_or_refused("|".join(parts))
