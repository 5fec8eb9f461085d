"""QR codes of cards over HTTP, from their text and from a picture; all people invented."""

from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from shared.language.values import LARGEST_PICTURE
from tests.support.answers import done, fields_refused, refused
from tests.support.pictures import PICTURE

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
SAID = {
    MAN: (
        "cccd",
        {
            "id_number": "079085000017",
            "old_id_number": "024000017",
            "full_name": "Nguyễn Văn Thử",
            "birth_date": "1985-08-15",
            "gender": "male",
            "address": "Ấp Mẫu, Xã Thử Nghiệm, Hóc Môn, TP. Hồ Chí Minh",
            "issued_on": "2021-04-25",
        },
    ),
    WOMAN: (
        "cccd",
        {"id_number": "056190000025", "old_id_number": None, "full_name": "Trần Thị Mẫu", "gender": "female"},
    ),
    BOY: ("cccd", {"id_number": "051212000033", "full_name": "Lê Minh Ví Dụ", "birth_date": "2012-09-05"}),
    NEW_CARD: (
        "bhyt",
        {
            "card_number": "7900000017",
            "insurance_code": "7900000017",
            "full_name": "Trần Thị Mẫu",
            "birth_date": "1990-03-12",
            "gender": "female",
            "address": None,
            "facility_code": "79014",
            "valid_from": "2024-01-01",
            "valid_to": None,
            "five_years_from": "2028-01-01",
            "benefit_level": "4",
            "issued_by": "Huyện Hóc Môn, Thành phố Hồ Chí Minh",
        },
    ),
    OLD_CARD: (
        "bhyt",
        {
            "card_number": "HS4790000000025",
            "insurance_code": "0000000025",
            "full_name": "Nguyễn Văn Thử",
            "address": "Ấp Mẫu, Xã Thử Nghiệm, Huyện Hóc Môn, TP HCM",
            "valid_to": "2020-12-31",
        },
    ),
    CHILD_CARD: ("bhyt", {"full_name": "Lê Thị Ví Dụ", "birth_date": "2018", "parent_name": "Lê Văn Cha"}),
}
NAMES = ("a man", "a woman", "a boy", "a new card", "an old card", "a child's card")
GARBAGE = {
    "nothing": "",
    "blank": "   ",
    "a word": "xin chào",
    "a link": "https://vidu.example/?a=b|c",
    "pipes": "|" * 20,
    "dollars": "$" * 20,
    "an ID number alone": "079085000017",
    "eleven digits": MAN[1:],
    "no name": MAN.replace("Nguyễn Văn Thử", ""),
    "no hex": NEW_CARD.replace("5472e1", "54zze1"),
    "no UTF-8": NEW_CARD.replace("5472e1baa76e205468e1bb8b204de1baab75", "ff"),
    "NUL in the middle": MAN.replace("Văn", "V\0n"),
    "as much as a body holds": "7" * 60_000,
    "as many pipes as a body holds": "|" * 60_000,
    "emoji": "😀|😀|😀|😀|😀|😀|😀",
    "Arabic digits": MAN.replace("079085000017", "٠٧٩٠٨٥٠٠٠٠١٧"),
    "SQL": "'; DROP TABLE declarations; --",
}


def qr_image(text, kind="PNG"):
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode)
    kept = BytesIO()
    Image.fromarray(code.to_image(scale=4)).convert("RGB").save(kept, kind)
    return kept.getvalue()


def read(system, payload):
    return system.call("POST", "/qr", json={"payload": payload})


def read_image(system, content, **options):
    return system.call("POST", "/qr", files={"image": ("qr.png", content)}, **options)


@pytest.mark.parametrize("payload", SAID, ids=NAMES)
def test_a_card_says_whose_it_is(system, payload):
    kind, fields = SAID[payload]
    reading = done(read(system, payload))
    assert set(reading) == {"kind", "fields"}
    assert reading["kind"] == kind
    assert {name: reading["fields"][name] for name in fields} == fields


@pytest.mark.parametrize("around", ["{}\r\n", "{}\0", " {}\t", "\ufeff{}"])
def test_what_scanners_put_around_a_payload_does_not_matter(system, around):
    assert done(read(system, around.format(MAN))) == done(read(system, MAN))


@pytest.mark.parametrize("payload", SAID, ids=NAMES)
def test_a_picture_of_a_card_says_the_same_as_its_text(system, payload):
    assert done(read_image(system, qr_image(payload))) == done(read(system, payload))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_the_picture_may_have_any_format_we_read(system, kind):
    assert done(read_image(system, qr_image(MAN, kind)))["kind"] == "cccd"


@pytest.mark.parametrize("payload", GARBAGE.values(), ids=GARBAGE.keys())
def test_what_no_card_says_is_unreadable(system, payload):
    assert fields_refused(refused(read(system, payload), 400, "unreadable_qr")) == {"payload": "unreadable_qr"}


@pytest.mark.parametrize("payload", [1, 1.5, True, [MAN], {"text": MAN}])
def test_a_payload_is_text(system, payload):
    assert fields_refused(refused(read(system, payload), 400, "invalid_request")) == {"payload": "wrong_type"}


def test_a_payload_is_required(system):
    for body, code in (({}, "required"), ({"payload": None}, "null")):
        problem = system.problem("POST", "/qr", 400, "invalid_request", json=body)
        assert fields_refused(problem) == {"payload": code}


def test_nothing_but_a_payload_is_taken(system):
    problem = system.problem("POST", "/qr", 400, "invalid_request", json={"payload": MAN, "kind": "cccd"})
    assert fields_refused(problem) == {"kind": "unknown_field"}


@pytest.mark.parametrize(
    "content", [PICTURE, b"text", qr_image("xin chào"), qr_image(MAN)[:100]], ids=["no code", "text", "garbage", "half"]
)
def test_a_picture_without_a_cards_code_is_unreadable(system, content):
    refused(read_image(system, content), 400, "unreadable_qr")


def test_a_picture_over_the_limit_is_too_large(system):
    refused(read_image(system, bytes(LARGEST_PICTURE + 1)), 413, "too_large")


def test_the_picture_is_called_image(system):
    answer = system.call("POST", "/qr", files={"file": ("qr.png", qr_image(MAN))})
    assert fields_refused(refused(answer, 400, "invalid_request")) == {"file": "unknown_field"}


def test_another_content_type_is_not_supported(system):
    answer = system.call("POST", "/qr", data=MAN.encode(), headers={"Content-Type": "text/plain"})
    refused(answer, 415, "unsupported_media_type")


def test_what_was_scanned_is_not_kept(system):
    """A scan fills in a form; neither the text nor the picture stays anywhere."""
    done(read_image(system, qr_image(BOY)))
    done(read(system, BOY))
    assert list((system.var / "store" / "incoming").iterdir()) == []
    assert "051212000033" not in system.log()
    for file in system.var.rglob("*"):
        assert not file.is_file() or b"051212000033" not in file.read_bytes()
