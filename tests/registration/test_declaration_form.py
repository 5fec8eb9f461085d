"""The declaration as it comes in, field by field (S33-S49)."""

import unicodedata
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.schemas.declaration import read_declaration
from shared.language.errors import Invalid
from shared.language.values import Address
from tests.support.people import PHOTOS, declaration_form

OPTIONAL = {"email"}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PLACES = [
    *((field,) for field in declaration_form()),
    ("id_document", "type"),
    ("id_document", "number"),
    ("address", "province_code"),
    ("address", "ward_code"),
    ("address", "district"),
    ("address", "street"),
    *(("photos", purpose) for purpose in PHOTOS),
]


def sent(place, value):
    form = deepcopy(declaration_form())
    inner = form
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return form


def read(form):
    return read_declaration(form)


def faults(form):
    """Return the faults of a form as field: code; none where it is in order."""
    try:
        read(form)
    except Invalid as refusal:
        return {error.field: error.code for error in refusal.errors}
    return {}


def test_a_declaration_in_order_is_read():
    assert read(declaration_form()) == declaration_form() | {
        "phone": "+84912345678",
        "address": Address(province_code="79", province_name="Thành phố Hồ Chí Minh", street="12 Đường Mẫu"),
    }


@pytest.mark.parametrize("field", sorted(set(declaration_form()) - OPTIONAL))
def test_a_field_left_out_is_named(field):
    form = declaration_form()
    del form[field]
    assert faults(form) == {field: "required"}


@pytest.mark.parametrize("field", sorted(set(declaration_form()) - OPTIONAL))
def test_null_is_no_answer(field):
    assert faults(declaration_form(**{field: None})) == {field: "null"}


def test_an_applicant_may_have_no_mail_address():
    without = declaration_form(email_copy=False)
    del without["email"]
    assert read(without)["email"] is None
    assert read(declaration_form(email=None))["email"] is None


@pytest.mark.parametrize(
    "place", [*PLACES, ("role",), ("address", "planet"), ("photos", "birth_certificate")], ids=".".join
)
def test_a_list_is_never_an_answer(place):
    expected = "unknown_field" if place[-1] in ("role", "planet", "birth_certificate") else "wrong_type"
    assert faults(sent(place, ["x"])) == {".".join(place): expected}


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (("kind",), "child", "not_a_choice"),
        (("kind",), "REGISTER", "not_a_choice"),
        (("insurance_code",), "790000001", "not_an_insurance_code"),
        (("insurance_code",), "79000000171", "not_an_insurance_code"),
        (("insurance_code",), " 7900000017", "not_an_insurance_code"),
        (("insurance_code",), "٧٩٠٠٠٠٠٠١٧", "not_an_insurance_code"),
        (("insurance_code",), 7900000017, "wrong_type"),
        (("full_name",), "", "empty"),
        (("full_name",), "Trần Thị Mẫu 2", "not_a_name"),
        (("full_name",), "<b>Mẫu</b>", "not_a_name"),
        (("full_name",), "Mẫu\u202eThử", "unprintable_characters"),
        (("full_name",), "Mẫu " * 40, "too_long"),
        (("full_name",), "a" * 1_000_000, "too_long"),
        (("id_document", "type"), "CCCD", "not_a_choice"),
        (("id_document", "number"), "07919", "not_an_id_number"),
        (("id_document", "number"), "079 190 000 017", "not_an_id_number"),
        (("address", "province_code"), "7", "not_a_province_code"),
        (("address", "province_code"), "99", "unknown_province"),
        (("address", "ward_code"), "1", "not_a_ward_code"),
        (("address", "ward_code"), "99999", "unknown_ward"),
        (("address", "district"), "Hóc Môn; DROP = TABLE", "unusual_characters"),
        (("address", "street"), "", "empty"),
        (("address", "street"), "12' OR '1'='1", "unusual_characters"),
        (("address", "street"), "Đường Mẫu\x00", "unprintable_characters"),
        (("address", "street"), "Đường Mẫu " * 30, "too_long"),
        (("phone",), "02838221234", "not_a_mobile"),
        (("phone",), "+6591234567", "not_a_mobile"),
        (("phone",), 912345678, "wrong_type"),
        (("email",), "mau@vidu", "not_an_email"),
        (("email",), "mau@vidu.example\nBcc: thu@vidu.example", "not_an_email"),
        (("email_copy",), "true", "wrong_type"),
        (("email_copy",), 1, "wrong_type"),
        (("agency_code",), "7921", "not_an_agency_code"),
        (("agency_code",), "079210", "not_an_agency_code"),
        (("photos", "portrait"), "../../etc/passwd", "not_an_upload_id"),
        (("photos", "id_front"), "", "not_an_upload_id"),
        (("photos", "id_back"), PHOTOS["id_back"].upper().replace("0", "A"), "not_an_upload_id"),
        (("terms_accepted",), False, "must_be_accepted"),
        (("terms_accepted",), "yes", "wrong_type"),
        (("commitment",), False, "must_be_accepted"),
        (("commitment",), 1, "wrong_type"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else ascii(value)[:20],
)
def test_a_field_that_is_not_in_order_is_named_with_its_fault(place, value, code):
    assert faults(sent(place, value)) == {".".join(place): code}


def test_all_faults_are_named_at_once():
    assert faults(declaration_form(phone="1", photos={}, address={"province_code": "79"}, commitment=False)) == {
        "phone": "not_a_mobile",
        "photos.portrait": "required",
        "photos.id_front": "required",
        "photos.id_back": "required",
        "address.street": "required",
        "commitment": "must_be_accepted",
    }


def test_a_name_in_another_unicode_form_is_the_same_name():
    assert (
        read(declaration_form(full_name=unicodedata.normalize("NFD", " Trần  Thị Mẫu ")))["full_name"] == "Trần Thị Mẫu"
    )


def test_a_province_of_three_digits_is_the_same_province():
    assert read(sent(("address", "province_code"), "079"))["address"].province_code == "79"


def test_a_ward_is_known_by_the_province_it_lies_in():
    inside = sent(("address", "ward_code"), "26506")
    assert read(inside)["address"].ward_code == "26506"
    inside["address"]["province_code"] = "01"
    assert faults(inside) == {"address.ward_code": "unknown_ward"}


def test_a_district_from_an_old_paper_is_kept_as_it_was_written():
    assert read(sent(("address", "district"), "Huyện Hóc Môn"))["address"].district == "Huyện Hóc Môn"


@given(st.sampled_from(PLACES), ANYTHING)
def test_whatever_is_sent_in_one_place_the_fault_is_found_there(place, value):
    assert {field.split(".")[0] for field in faults(sent(place, value))} <= {place[0]}


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        *(
            (("full_name",), name, "not_a_name")
            for name in ("Quý khách nhận quà tại vaytien.com - gấp", "Vay Tiền.VN", "Mẫu t.me", "Mẫu.Thử")
        ),
        *(
            (("address", place), line, "leads_elsewhere")
            for place in ("street", "district")
            for line in (
                "Nhận quà tại vaytien.com",
                "12 đường Mẫu https://vidu",
                "www quà tặng",
                "12//vidu",
                "gọi 0912345678",
                "gọi 0912 345 678 ngay",
                "gọi +84 912.345.678",
                "gọi 1900 9068",
                "vay-tien.top",
            )
        ),
        *(
            (("email",), mail, "not_an_email")
            for mail in ("a@localhost", "a@[127.0.0.1]", "a@127.0.0.1", "a@may.local", "a@may.internal", "a@vidu.123")
        ),
    ],
)
def test_nothing_that_leads_elsewhere_comes_in(place, value, code):
    """A name or an address stands on the agency's paper, and a mail goes to nobody inside (C6)."""
    assert faults(sent(place, value)) == {".".join(place): code}


@pytest.mark.parametrize(
    "street",
    [
        "12/3 Đ.Nguyễn Mẫu, P.12, Q.1, TP.HCM",
        "Số 1900, tổ 12, KP.5",
        "Lô 8499-12, KCN Thử",
        "Ấp 3.Xã Mẫu",
        "079 Mẫu 12",
    ],
)
def test_an_address_may_look_as_addresses_do(street):
    assert read_declaration(sent(("address", "street"), street))["address"].street == street


@pytest.mark.parametrize("name", ["Y. Mẫu", "Nguyễn T. Mẫu", "H'Hen Mẫu", "Trần Văn Com", "Jr. Mẫu"])
def test_a_name_may_have_what_names_have(name):
    assert read_declaration(sent(("full_name",), name))["full_name"] == name
