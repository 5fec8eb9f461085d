"""Form 01 says what was declared, in Vietnamese, on one page."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import zxingcpp
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from services.registration.media.form01 import (
    COMMITMENT,
    LEGAL_BASE,
    Form01Data,
    agency_rows,
    head_rows,
    next_step,
    person_rows,
    purposes,
)
from services.registration.media.form01_pdf import FONTS, print_form01
from shared.forms import is_name
from shared.language.values import Address, Agency, DeclarationKind, IdDocument
from tests.support.pdf import OBJECT, pages_of, stream_of, text_of

DECLARATION = Form01Data(
    number="HS-260503-000017",
    tracking_code="K7QM-2XRD",
    full_name="Nguyễn Văn Thử",
    insurance_code="7900000017",
    id_document=IdDocument("cccd", "079085000017"),
    address=Address("79", "Thành phố Hồ Chí Minh", "Số 12, đường Ví Dụ, ấp Mẫu", "27595", "Xã Thử Nghiệm"),
    phone="+84912345678",
    email="nguyen.van.thu@example.vn",
    agency=Agency("07921", "BHXH Thử Nghiệm", "Số 1, đường Mẫu, xã Thử Nghiệm"),
    submitted_at=datetime(2026, 5, 2, 17, 30, tzinfo=UTC),
    expires_at=datetime(2026, 5, 12, 17, 30, tzinfo=UTC),
)
SQUARE = re.compile(rb"([\d.]+) ([\d.]+) ([\d.]+) (-?[\d.]+) re f")


def spaced(text):
    return " ".join(text.split())


def test_the_paper_shows_everything_declared():
    pdf = print_form01(DECLARATION)
    text = text_of(pdf)
    assert pdf.startswith(b"%PDF-")
    for label, value in [*head_rows(DECLARATION), *person_rows(DECLARATION), *agency_rows(DECLARATION)]:
        assert spaced(label) in text
        assert spaced(value) in text


def test_the_code_in_the_corner_says_number_and_tracking_code():
    """What is drawn is painted, and read by the reader that reads the cards."""
    scale, margin = 4, 40
    pdf = print_form01(DECLARATION)
    objects = {int(number): body for number, body in OBJECT.findall(pdf)}
    page = stream_of(objects[int(re.search(rb"/Contents (\d+) 0 R", pdf)[1])])
    found = [tuple(map(float, one)) for one in SQUARE.findall(page)]
    squares = [one for one in found if one[2] == abs(one[3]) < 10]
    left, top = min(one[0] for one in squares), max(one[1] for one in squares)
    image = Image.new("L", (600, 600), 255)
    draw = ImageDraw.Draw(image)
    for across, down, side, _ in squares:
        corner = margin + (across - left) * scale, margin + (top - down) * scale
        draw.rectangle((*corner, corner[0] + side * scale, corner[1] + side * scale), fill=0)
    code = zxingcpp.read_barcode(image)
    assert code is not None
    assert code.text == f"{DECLARATION.number} {DECLARATION.tracking_code}"


@pytest.mark.parametrize(
    "sentence",
    [
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "Độc lập - Tự do - Hạnh phúc",
        "TỜ KHAI Đăng ký sử dụng, điều chỉnh thông tin và ngừng sử dụng phương thức giao dịch điện tử",
        LEGAL_BASE,
        "Đăng ký giao dịch tại: Cổng thông tin điện tử của Bảo hiểm xã hội Việt Nam Tổ chức I-VAN",
        COMMITMENT,
        "Hồ Chí Minh, ngày 03 tháng 5 năm 2026 Người khai (Ký, ghi rõ họ tên)",
        next_step(DECLARATION),
    ],
)
def test_the_paper_says_what_the_form_must_say(sentence):
    assert sentence in text_of(print_form01(DECLARATION))


def test_the_fields_stand_in_the_order_of_the_form():
    text = text_of(print_form01(DECLARATION))
    order = ["HS-260503-000017", "TỜ KHAI", "1. ", "2. ", "3. ", "4. ", "5. ", "6. ", "7. ", "Theo Nghị định"]
    order += ["Đăng ký sử dụng phương thức", "8. ", "cam kết", "9. ", "Người khai"]
    places = [text.index(mark) for mark in order]
    assert places == sorted(places)


def test_times_are_those_of_viet_nam():
    assert head_rows(DECLARATION)[2:] == [
        ("Thời điểm khai", "00:30, 03/05/2026"),
        ("Nộp trước", "00:30, 13/05/2026"),
    ]


def test_the_person_is_told_what_to_bring_where_and_until_when():
    assert next_step(DECLARATION) == (
        "Ký, ghi rõ họ tên, rồi mang tờ khai này cùng thẻ căn cước công dân bản gốc đến BHXH Thử Nghiệm "
        "trước ngày 13/05/2026. Quá hạn, thông tin tờ khai điện tử sẽ tự động bị xóa."
    )


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("cccd", "3. Số CCCD"),
        ("cmnd", "3. Số CMND"),
        ("passport", "3. Số hộ chiếu"),
        ("?", "3. Số giấy tờ tùy thân"),
    ],
)
def test_the_paper_names_the_kind_of_id_document(kind, label):
    rows = person_rows(replace(DECLARATION, id_document=IdDocument(kind, "B1234567")))
    assert (label, "B1234567") in rows


def test_an_address_shows_only_the_parts_it_has():
    address = Address("51", "Tỉnh Quảng Ngãi", "Thôn Mẫu", district="Huyện Thử")
    assert [value for _, value in person_rows(replace(DECLARATION, address=address))[3:6]] == [
        "51 - Tỉnh Quảng Ngãi",
        "Huyện Thử",
        "Thôn Mẫu",
    ]


def test_a_missing_e_mail_is_said():
    assert ("6. Địa chỉ thư điện tử", "Không có") in person_rows(replace(DECLARATION, email=None))


def test_a_guardian_is_the_contact_of_a_child():
    rows = person_rows(replace(DECLARATION, contact_name="Trần Thị Mẫu"))
    assert ("5. Người liên hệ", "Trần Thị Mẫu") in rows


@pytest.mark.parametrize(
    ("kind", "ticks"),
    [
        (DeclarationKind.REGISTER, [True, False, False]),
        (DeclarationKind.CHILD, [True, False, False]),
        (DeclarationKind.ADJUST, [False, True, False]),
        (DeclarationKind.STOP, [False, False, True]),
    ],
)
def test_the_purpose_of_the_declaration_is_ticked(kind, ticks):
    assert [ticked for _, ticked in purposes(replace(DECLARATION, kind=kind))] == ticks


def test_long_values_are_wrapped_whole_on_one_page():
    name, street, agency = "Nguyễn Phúc Hoàng " * 6, "Số 12/34, hẻm Ví Dụ, " * 12, "Bảo hiểm xã hội Thử " * 6
    declaration = replace(
        DECLARATION,
        full_name=name,
        email="a" * 64 + "@" + "b" * 180 + ".example.vn",
        address=replace(DECLARATION.address, street=street, district="Huyện Thử Nghiệm " * 4),
        agency=Agency("07921", agency, street),
    )
    pdf = print_form01(declaration)
    text = text_of(pdf)
    assert pages_of(pdf) == 1
    assert all(spaced(value) in text for value in (name, street, agency))
    assert declaration.email in text.replace(" ", "")


def test_a_value_longer_than_a_page_goes_on_overleaf():
    pdf = print_form01(replace(DECLARATION, full_name="Thử " * 5000))
    assert pages_of(pdf) > 1
    assert "(Ký, ghi rõ họ tên)" in text_of(pdf)


def test_a_character_the_font_lacks_leaves_a_box():
    text = text_of(
        print_form01(replace(DECLARATION, full_name="Trần\N{GRINNING FACE} Thị\N{ZERO WIDTH JOINER}\0 Mẫu\n王"))
    )
    assert "Trần□ Thị Mẫu □" in text


def test_decomposed_characters_are_written_composed():
    assert "Nguyễn Văn" in text_of(print_form01(replace(DECLARATION, full_name="Nguye\u0302\u0303n Văn")))


@pytest.mark.parametrize("path", sorted(FONTS.glob("*.ttf")), ids=lambda path: path.stem)
def test_the_font_has_every_character_that_a_name_or_an_address_may_have(path):
    accepted = [character for character in map(chr, range(0x10000)) if is_name(character)]
    assert {"Ƀ", "ƀ", "č", "ñ", "ŏ", "Đ", "Ữ", "ß"} <= set(accepted) and len(accepted) > 600
    known = TTFont(path).getBestCmap()
    marks = [chr(code) for code in range(0x300, 0x370)]
    assert [character for character in accepted + marks if ord(character) not in known] == []


def test_names_of_the_highlands_are_printed_without_boxes():
    name = "H'Ƀĕ Ñŏč Kơ̆ƀ Y Êƀan Ư̆"
    assert spaced(name) in text_of(print_form01(replace(DECLARATION, full_name=name)))


def test_every_vietnamese_character_is_in_the_font():
    marks = ["", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323"]
    characters = " ".join(vowel + mark for vowel in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY" for mark in marks) + " đ Đ"
    text = text_of(print_form01(replace(DECLARATION, full_name=characters)))
    assert "□" not in text


def test_the_fonts_are_small_and_carry_their_licence():
    sizes = [path.stat().st_size for path in FONTS.glob("*.ttf")]
    assert len(sizes) == 3
    assert max(sizes) < 120_000
    assert "SIL OPEN FONT LICENSE Version 1.1" in (FONTS / "OFL.txt").read_text()


ANYTHING = st.text(st.characters(), min_size=1, max_size=80)


@settings(max_examples=20, deadline=None)
@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_no_text_breaks_the_paper(name, street, email, agency):
    declaration = replace(
        DECLARATION,
        full_name=name,
        email=email,
        address=replace(DECLARATION.address, street=street),
        agency=Agency("07921", agency),
    )
    assert pages_of(print_form01(declaration)) == 1
