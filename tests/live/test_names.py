"""Names of every kind go the whole way on PostgreSQL: to the SMS, Form 01, the account and the card."""

import os
import random
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle

import pytest

from shared.language.text import as_written
from tests.support.answers import fields_refused, refused
from tests.support.pdf import text_of
from tests.support.waiting import until
from vssid import smoke
from vssid.people import declaration_of
from vssid.smoke import AGENCY
from vssid.walk import Walk

SEED = 20251101
COUNT = int(os.environ.get("NAMES") or 40)  # 1,000 on an evening with time
VOWELS = "aăâeêioôơuưy"
TONES = ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
VIETNAMESE = [unicodedata.normalize("NFC", vowel + tone) for vowel in VOWELS for tone in TONES] + list(
    "bcdđghklmnpqrstvx"
)
HIGHLANDS = ["ƀ", "č", "ñ", "ĕ", "ĭ", "ŏ", "ŭ", "ê\u0306", "ô\u0306", "ơ\u0306", "ư\u0306", "k", "h", "l", "y"]
LOOK_ALIKES = str.maketrans({"'": "’", "Đ": "Ð", "đ": "ð", "-": "\u2011"})
BAD_NAMES = ["", " ", "Trần Thị 2", "Mẫu_Thử", "<b>Mẫu</b>", "Mẫu\u202eThử", "Á" * 101, "山田", "'"]
BAD_NAMES += ["Nhận quà tại vaytien.com"]


def names(count):
    """Yield (as it is written, as somebody types it), each character of the alphabets among them."""
    chance, alphabets = random.Random(SEED), cycle([VIETNAMESE, VIETNAMESE, HIGHLANDS])
    kinds = cycle(["plain", "decomposed", "capitals", "look-alikes", "one word", "longest", "apostrophe", "spaces"])
    for at, kind, alphabet in zip(range(count), kinds, alphabets, strict=False):
        characters = chance.sample(alphabet, len(alphabet)) if at < 6 else chance.choices(alphabet, k=12)
        words = ["".join(characters[place : place + 4]).capitalize() for place in range(0, len(characters), 4)]
        written = " ".join(["Đặng", *words])[:100].strip()
        if kind == "one word":
            written = words[0]
        elif kind == "longest":
            written = unicodedata.normalize("NFC", (written + " ") * 20)[:100].strip()
        elif kind == "apostrophe":
            written = f"H'{words[0]} {words[-1]}-Niê"
        written = unicodedata.normalize("NFC", written)
        yield written, typed(written, kind)


def typed(written, kind):
    return {
        "decomposed": unicodedata.normalize("NFD", written),
        "capitals": written.upper(),
        "look-alikes": written.translate(LOOK_ALIKES),
        "apostrophe": written.translate(LOOK_ALIKES),
        "spaces": f"\u00a0{written.replace(' ', '  ')} \n",
    }.get(kind, written)


def test_every_name_reaches_its_sms_its_form_and_its_card(system, tmp_path):
    everybody = [
        (replace(person, full_name=as_typed), written)
        for person, (written, as_typed) in zip(system.prepare(SEED, COUNT), names(COUNT), strict=True)
    ]
    register = tmp_path / "register.csv"
    rows = [f'{one.insurance_code},"{written}",1985-08-15,male,{one.id_number}' for one, written in everybody]
    register.write_text("\n".join(["insurance_code,full_name,birth_date,gender,id_number", *rows]), "utf-8")
    system.command_in("approval", "register", "import", str(register))
    officer = system.officer(SEED)

    def go(person):
        walk = Walk(system.url, as_officer=officer)
        declared = walk.submit(person, AGENCY)
        shown = "".join(text_of(walk.form(declared)).split())
        walk.approve(declared)
        return "□" not in shown and as_written(person.full_name).replace(" ", "") in shown

    with ThreadPoolExecutor(4) as callers:
        printed = list(callers.map(lambda one: go(one[0]), everybody))
    assert [one for one, is_printed in zip(everybody, printed, strict=True) if not is_printed] == []
    until(lambda: system.count("cards", "cards") == COUNT, "everybody has a card", 60 + COUNT)
    system.until_quiet(60 + COUNT)
    wanted = sorted((person.insurance_code, written) for person, written in everybody)
    assert sorted(system.rows("cards", "SELECT insurance_code, full_name FROM cards")) == wanted
    assert sorted(system.rows("registration", "SELECT insurance_code, full_name FROM accounts")) == wanted
    told = [sms.to for sms in system.texts.messages()]
    assert sorted(told) == sorted(2 * [person.phone for person, _ in everybody])
    assert system.dead() == []


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_name_that_is_none_is_refused_by_its_field(system, name):
    (person,) = smoke.people(SEED + 1, 1)
    walk = Walk(system.url)
    photos = dict.fromkeys(("portrait", "id_front", "id_back"), "00000000-0000-4000-9000-000000000000")
    answer = walk.send("POST", "/declarations", json=declaration_of(replace(person, full_name=name), AGENCY, photos))
    assert set(fields_refused(refused(answer, 400, "invalid_request"))) == {"full_name"}
