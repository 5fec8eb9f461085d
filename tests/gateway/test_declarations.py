"""Declaring without an account, over HTTP against a running system."""

import copy
import json
import unicodedata
from datetime import datetime, timedelta

import pytest
import requests

from services.registration.domain.declaration import TRACKING_CHARACTERS
from tests.support.answers import code_of, done, fields_refused, refused
from tests.support.people import AGENCY_CODE, PURPOSES
from tests.support.waiting import at_once, until

REQUIRED = (
    "kind",
    "insurance_code",
    "full_name",
    "id_document",
    "id_document.type",
    "id_document.number",
    "address",
    "address.province_code",
    "address.street",
    "phone",
    "email_copy",
    "agency_code",
    "photos",
    "photos.portrait",
    "photos.id_front",
    "photos.id_back",
    "terms_accepted",
    "commitment",
)
OPTIONAL = ("email", "address.ward_code", "address.district")
OBJECTS = ("id_document", "address", "photos")
FLAGS = ("email_copy", "terms_accepted", "commitment")
TEXTS = tuple(name for name in REQUIRED + OPTIONAL if name not in OBJECTS + FLAGS)
WRONG_TYPES = {
    "a number": 7900000017,
    "a fraction": 1.5,
    "zero": 0,
    "one": 1,
    "a list": ["7900000017"],
    "a huge number": 10**18,
}
BAD_TEXTS = {
    "empty": "",
    "blank": "   ",
    "as many characters as a body holds": "a" * 60_000,
    "as many digits as a body holds": "7" * 60_000,
    "as many accents as a body holds": "e\u0301" * 9_000,
    "a NUL": "Nguyễn\0Thử",
    "a control character": "Nguyễn\x07Thử",
    "a line break": "Nguyễn\nThử",
    "a right-to-left mark": "Nguyễn \u200fThử",
    "a direction override": "Nguyễn \u202eThử",
    "a zero-width space": "Nguyễn\u200bThử",
    "an emoji": "Nguyễn 😀",
    "a script": "<script>alert(1)</script>",
    "SQL": "'; DROP TABLE declarations; --",
    "a template": "{{7*7}}${7*7}",
}
BAD_VALUES = {
    "kind": ("child", "adjust", "Register", "đăng ký"),
    "insurance_code": ("790000001", "79000000177", "79000O0017", "٧٩٠٠٠٠٠٠١٧", "７９０００００００１", "7900000017\n"),
    "full_name": ("N" * 101, "Nguyễn Thử 2", "Nguyễn_Thử", "  ' ", "-"),
    "id_document.type": ("CCCD", "visa", "giấy khai sinh"),
    "id_document.number": ("07918500001", "0791850000170", "079985000017", "000185000017", "07918500001a"),
    "address.province_code": ("7", "0079", "99", "٧٩", "00"),
    "address.ward_code": ("99999", "0001", "000001", "aaaaa"),
    "address.district": ("H" * 101,),
    "address.street": ("s" * 201, "12 đường = Mẫu"),
    "phone": ("0241234567", "091200001", "09120000011", "+1 202 555 0142", "+84 24 1234567", "0912-CALL-01", "113"),
    "email": ("vidu", "a@b", "a b@vidu.example", "a@vidu.example,b@vidu.example", f"{'a' * 250}@vidu.example"),
    "agency_code": ("7921", "79", "07-21", "079210", "٠٧٩٢١"),
    "photos.portrait": ("1", "../../etc/passwd", "g" * 36, "A" * 36),
    "photos.id_front": ("1", "../../etc/passwd"),
    "photos.id_back": ("1", "../../etc/passwd"),
}
NOT_JSON = {
    "nothing": b"",
    "half an object": b'{"kind": "register"',
    "two objects": b"{}{}",
    "single quotes": b"{'kind': 'register'}",
    "NaN": b'{"kind": NaN}',
    "infinity": b'{"kind": Infinity}',
    "a comment": b'{"kind": "register" /* a */}',
    "invalid UTF-8": b'{"kind": "\xff\xfe"}',
    "UTF-16": '{"kind": "register"}'.encode("utf-16"),
    "an overlong slash": b'{"kind": "\xc0\xaf"}',
    "a lone surrogate": b'{"full_name": "\\ud800"}',
    "a lone low surrogate": b'{"\\udc00": 1}',
    "a raw control character": b'{"kind": "a\x01b"}',
    "a form": b"kind=register",
    "an integer of a thousand digits": b'{"kind": 1' + b"0" * 1000 + b"}",
    "a thousand brackets": b"[" * 1100,
    "thirty thousand brackets": b"[" * 30_000 + b"]" * 30_000,
    "ten thousand braces": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
}


def bad_values():
    """Yield a case for each field and each value it does not take."""
    for field in REQUIRED + OPTIONAL:
        bad = dict(WRONG_TYPES)
        if field not in OBJECTS:
            bad["an object"] = {"a": "b"}
        if field in FLAGS:
            bad |= {f"the word {word!r}": word for word in ("yes", "true", "True", "1", "on", "")}
        else:
            bad["true"] = True
        if field in OBJECTS:
            bad |= {"a word": "portrait", "an empty list": []}
        if field in TEXTS:
            bad |= BAD_TEXTS | {f"not one {number}": value for number, value in enumerate(BAD_VALUES[field])}
        for label, value in bad.items():
            yield pytest.param(field, value, id=f"{field} is {label}")


def with_value(body, field, value):
    """Return the body with one field, named by its dotted path, changed."""
    changed = copy.deepcopy(body)
    *path, last = field.split(".")
    inner = changed
    for name in path:
        inner = inner[name]
    inner[last] = value
    return changed


def without(body, field):
    changed = copy.deepcopy(body)
    *path, last = field.split(".")
    inner = changed
    for name in path:
        inner = inner[name]
    del inner[last]
    return changed


def post(system, content, **headers):
    return system.call("POST", "/declarations", data=content, headers={"Content-Type": "application/json", **headers})


@pytest.fixture(scope="module")
def body(system):
    """A declaration in order that nobody has sent; every test that is refused leaves it so."""
    return system.newcomer().declaration(system.photos())


@pytest.fixture
def nothing_kept(system):
    """See that the test leaves no declaration behind."""
    before = system.how_many("declarations"), system.how_many("outbox")
    yield
    assert (system.how_many("declarations"), system.how_many("outbox")) == before


# submitting


def test_a_declaration_is_answered_with_all_one_needs_to_go_on(system):
    who = system.newcomer()
    answer = system.call("POST", "/declarations", json=who.declaration(system.photos()))
    declared = done(answer, 201)
    assert set(declared) == {
        "number",
        "tracking_code",
        "kind",
        "status",
        "condition",
        "submitted_at",
        "expires_at",
        "agency",
    }
    assert (declared["kind"], declared["status"], declared["condition"]) == ("register", "pending", "awaiting_visit")
    assert set(declared["agency"]) == {"code", "name", "address"}
    assert declared["agency"]["code"] == AGENCY_CODE
    assert "Hóc Môn" in declared["agency"]["name"]
    assert len(declared["tracking_code"]) == 10 and set(declared["tracking_code"]) <= set(TRACKING_CHARACTERS)
    submitted, expires = (datetime.fromisoformat(declared[name]) for name in ("submitted_at", "expires_at"))
    assert declared["submitted_at"].endswith("Z")
    assert expires - submitted == timedelta(days=10)
    assert answer.headers["Location"] == f"/api/v1/declarations/{declared['number']}"
    assert answer.headers["Content-Type"] == "application/json"
    assert (
        requests.get(system.url + answer.headers["Location"], params=code_of(declared), timeout=30).status_code == 200
    )


def test_a_declaration_is_told_by_exactly_one_sms_and_one_mail(system):
    declared = system.submit()
    who = declared["who"]
    until(lambda: system.sms_to(who.phone) and system.mails_to(who.email), "both messages")
    (sms,), (mail,) = system.sms_to(who.phone), system.mails_to(who.email)
    assert declared["number"] in sms and "Hoc Mon" in sms
    assert declared["number"] in mail.get_body(("plain",)).get_content()


@pytest.mark.parametrize("written", ["0{}", "+84{}", "84{}", "0{} ", "+84 {}"])
def test_a_phone_number_is_kept_in_e164_however_it_is_written(system, officer, written):
    who = system.newcomer()
    answer = system.call(
        "POST",
        "/declarations",
        json=who.declaration(system.photos(), phone=written.format(who.phone.removeprefix("+84"))),
    )
    assert officer.review(done(answer, 201))["phone"] == who.phone


def test_decomposed_characters_are_kept_composed(system, officer):
    who = system.newcomer()
    loose = unicodedata.normalize("NFD", "  Nguyễn   Thị\u00a0Ước Mẫu ")
    street, district = (unicodedata.normalize("NFD", text) for text in ("Số 5 đường Ví Dụ", "Huyện Hóc Môn"))
    address = {"province_code": "079", "district": district, "street": street}
    declared = done(
        system.call("POST", "/declarations", json=who.declaration(system.photos(), full_name=loose, address=address)),
        201,
    )
    review = officer.review(declared)
    assert review["full_name"] == "Nguyễn Thị Ước Mẫu"
    assert review["address"]["street"] == "Số 5 đường Ví Dụ"
    assert review["address"]["district"] == "Huyện Hóc Môn"
    assert review["address"]["province_code"] == "79"
    ((applicant,),) = system.rows(
        "registration", "SELECT applicant FROM declarations WHERE number = ?", declared["number"]
    )
    assert unicodedata.is_normalized("NFC", json.loads(applicant)["full_name"])


@pytest.mark.parametrize("name", ["Đặng Thị Ỷ", "H'Hen Mẫu", "Y Blô Ê Ban", "Jean-Pierre Mẫu", "Nguyễn Văn A"])
def test_every_name_people_bear_here_is_taken(system, officer, name):
    declared = system.submit(full_name=name)
    assert officer.review(declared)["full_name"] == name


@pytest.mark.parametrize(
    "document",
    [{"type": "cmnd", "number": "024000017"}, {"type": "passport", "number": "B1234567"}],
    ids=lambda one: one["type"],
)
def test_an_older_card_and_a_passport_are_papers_too(system, officer, document):
    assert officer.review(system.submit(id_document=document))["id_document"] == document


@pytest.mark.parametrize("field", OPTIONAL)
@pytest.mark.parametrize("how", ["missing", "null"])
def test_what_is_optional_may_be_missing_or_null(system, field, how):
    body = with_value(system.newcomer().declaration(system.photos()), field, None)
    if how == "missing":
        body = without(body, field)
    done(system.call("POST", "/declarations", json=body), 201)


def test_a_ward_of_the_province_is_taken_by_its_code(system, officer):
    ward = done(system.call("GET", "/provinces/79/wards"))["items"][0]
    address = {"province_code": "79", "ward_code": ward["code"], "street": "1 đường Mẫu"}
    kept = officer.review(system.submit(address=address))["address"]
    assert (kept["ward_code"], kept["ward_name"]) == (ward["code"], ward["name"])


# what is not in order


@pytest.mark.parametrize(("field", "value"), list(bad_values()))
@pytest.mark.usefixtures("nothing_kept")
def test_a_value_that_is_not_in_order_is_refused_by_the_name_of_its_field(system, body, field, value):
    answer = system.call("POST", "/declarations", json=with_value(body, field, value))
    problem = refused(answer, 400, "invalid_request")
    assert set(fields_refused(problem)) == {field}
    assert len(answer.content) < 4096


@pytest.mark.parametrize("field", REQUIRED)
@pytest.mark.usefixtures("nothing_kept")
def test_a_field_that_is_required_may_not_be_missing(system, body, field):
    problem = system.problem("POST", "/declarations", 400, "invalid_request", json=without(body, field))
    assert fields_refused(problem) == {field: "required"}


@pytest.mark.parametrize("field", REQUIRED)
@pytest.mark.usefixtures("nothing_kept")
def test_a_field_that_is_required_may_not_be_null(system, body, field):
    problem = system.problem("POST", "/declarations", 400, "invalid_request", json=with_value(body, field, None))
    assert fields_refused(problem) == {field: "null"}


@pytest.mark.parametrize("field", ["terms_accepted", "commitment"])
@pytest.mark.usefixtures("nothing_kept")
def test_terms_and_commitment_must_be_accepted(system, body, field):
    problem = system.problem("POST", "/declarations", 400, "invalid_request", json=with_value(body, field, False))
    assert fields_refused(problem) == {field: "must_be_accepted"}


@pytest.mark.parametrize(
    "field", ["full_names", "address.country", "photos.birth_certificate", "id_document.issued_on"]
)
@pytest.mark.usefixtures("nothing_kept")
def test_an_unknown_field_is_refused_by_its_name(system, body, field):
    problem = system.problem("POST", "/declarations", 400, "invalid_request", json=with_value(body, field, "a"))
    assert fields_refused(problem) == {field: "unknown_field"}


@pytest.mark.usefixtures("nothing_kept")
def test_every_field_at_fault_is_named_at_once(system, body):
    wrong = body | {"phone": "1", "full_name": 5, "commitment": "yes", "address": {"province_code": "79"}}
    problem = system.problem("POST", "/declarations", 400, "invalid_request", json=wrong)
    assert fields_refused(problem) == {
        "phone": "not_a_mobile",
        "full_name": "wrong_type",
        "commitment": "wrong_type",
        "address.street": "required",
    }


@pytest.mark.usefixtures("nothing_kept")
def test_a_body_of_nothing_but_unknown_fields_gets_a_short_answer(system):
    answer = system.call("POST", "/declarations", json={f"mục {number}": 1 for number in range(400)})
    assert len(refused(answer, 400, "invalid_request")["errors"]) == 100


@pytest.mark.parametrize("content", ["[]", "1", '"register"', "null", "true", "[{}]"])
@pytest.mark.usefixtures("nothing_kept")
def test_json_that_is_no_object_is_refused(system, content):
    assert set(fields_refused(refused(post(system, content), 400, "invalid_request"))) == {""}


@pytest.mark.parametrize("content", NOT_JSON.values(), ids=NOT_JSON.keys())
@pytest.mark.usefixtures("nothing_kept")
def test_what_is_not_json_is_refused(system, content):
    problem = refused(post(system, content), 400, "invalid_request")
    assert fields_refused(problem) == {"": "not_json"}


@pytest.mark.parametrize("depth", [33, 253, 300, 1000])
@pytest.mark.usefixtures("nothing_kept")
def test_json_deeper_than_any_form_is_refused(system, body, depth):
    deep = json.dumps(body)[:-1] + ', "note": ' + "[" * depth + "]" * depth + "}"
    assert fields_refused(refused(post(system, deep), 400, "invalid_request")) == {"": "too_deep"}


@pytest.mark.usefixtures("nothing_kept")
def test_more_json_than_any_form_is_too_large(system):
    refused(post(system, b'{"street": "' + b"a" * 2**16 + b'"}'), 413, "too_large")


@pytest.mark.usefixtures("nothing_kept")
def test_more_fields_than_any_form_has_are_refused(system, body):
    many = {**body, "photos": {f"field-{number}": "" for number in range(500)}}
    assert fields_refused(refused(post(system, json.dumps(many)), 400, "invalid_request")) == {"": "too_many_fields"}


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data", "application/jsonx"],
)
@pytest.mark.usefixtures("nothing_kept")
def test_another_content_type_is_not_supported(system, body, content_type):
    answer = post(system, json.dumps(body), **{"Content-Type": content_type})
    refused(answer, 415, "unsupported_media_type")


@pytest.mark.usefixtures("nothing_kept")
def test_a_body_without_a_content_type_is_not_supported(system, body):
    refused(post(system, json.dumps(body), **{"Content-Type": None}), 415, "unsupported_media_type")


def test_a_body_that_comes_in_chunks_is_read(system):
    content = json.dumps(system.newcomer().declaration(system.photos())).encode()
    done(post(system, iter([content[:40], content[40:]])), 201)


def test_the_declaration_that_was_refused_so_often_is_taken_once_it_is_in_order(system, body):
    done(system.call("POST", "/declarations", json=body), 201)


# rules


def test_somebody_who_waits_cannot_declare_again(system):
    who = system.submit()["who"]
    system.problem("POST", "/declarations", 409, "declaration_pending", json=who.declaration(system.photos()))


def test_another_phone_may_declare_for_the_same_person(system):
    who = system.submit()["who"]
    assert system.submit(who, phone="0987000005")["status"] == "pending"
    assert waiting(system, who) == 2


def test_of_two_declarations_of_one_person_at_the_same_instant_one_stands(system):
    who = system.newcomer()
    bodies = [who.declaration(system.photos()) for _ in range(4)]
    answers = at_once(
        *(lambda one=one: requests.post(f"{system.base}/declarations", json=one, timeout=30) for one in bodies)
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json().get("code") for answer in answers} == {None, "declaration_pending"}
    assert waiting(system, who) == 1


@pytest.mark.parametrize("code", ["00000", "999", "07999"])
@pytest.mark.usefixtures("nothing_kept")
def test_an_agency_nobody_knows_is_refused(system, code):
    wrong = system.newcomer().declaration(system.photos(), agency_code=code)
    problem = system.problem("POST", "/declarations", 409, "unknown_agency", json=wrong)
    assert fields_refused(problem) == {"agency_code": "unknown_agency"}


@pytest.mark.usefixtures("nothing_kept")
def test_a_picture_nobody_uploaded_is_not_found(system):
    photos = system.photos() | {"id_back": "00000000-0000-0000-0000-000000000000"}
    wrong = system.newcomer().declaration(photos)
    problem = system.problem("POST", "/declarations", 409, "upload_not_found", json=wrong)
    assert fields_refused(problem) == {"photos.id_back": "upload_not_found"}


@pytest.mark.usefixtures("nothing_kept")
def test_a_picture_of_another_purpose_is_not_found(system):
    photos = system.photos()
    swapped = photos | {"id_front": photos["id_back"], "id_back": photos["id_front"]}
    problem = system.problem(
        "POST", "/declarations", 409, "upload_not_found", json=system.newcomer().declaration(swapped)
    )
    assert set(fields_refused(problem)) == {"photos.id_front", "photos.id_back"}


def test_a_picture_in_use_is_not_found(system):
    photos = system.photos()
    done(system.call("POST", "/declarations", json=system.newcomer().declaration(photos)), 201)
    problem = system.problem(
        "POST", "/declarations", 409, "upload_not_found", json=system.newcomer().declaration(photos)
    )
    assert set(fields_refused(problem)) == {f"photos.{purpose}" for purpose in PURPOSES}


def test_a_refusal_takes_no_picture(system):
    who, photos = system.newcomer(), system.photos()
    system.problem("POST", "/declarations", 409, "unknown_agency", json=who.declaration(photos, agency_code="07999"))
    done(system.call("POST", "/declarations", json=who.declaration(photos)), 201)


# idempotency


def waiting(system, who):
    ((found,),) = system.rows(
        "registration", "SELECT count(*) FROM declarations WHERE insurance_code = ?", who.insurance_code
    )
    return found


def keyed(system, body, key):
    return requests.post(f"{system.base}/declarations", json=body, headers={"Idempotency-Key": key}, timeout=30)


def test_the_same_key_and_body_give_the_first_answer_again(system):
    who = system.newcomer()
    body = who.declaration(system.photos())
    first, again = (keyed(system, body, f"khoa-{who.insurance_code}") for _ in range(2))
    assert done(first, 201) == done(again, 201)
    assert first.headers["Location"] == again.headers["Location"]
    assert waiting(system, who) == 1


def test_a_first_answer_that_is_given_again_says_what_became_of_the_declaration(system):
    body, key = system.newcomer().declaration(system.photos()), "khoa-rut-ho-so"
    first = done(keyed(system, body, key), 201)
    assert system.call("DELETE", f"/declarations/{first['number']}", params=code_of(first)).status_code == 204
    assert done(keyed(system, body, key), 201) == first | {"status": "withdrawn", "condition": None}


def test_the_same_body_in_another_order_is_the_same_body(system):
    who = system.newcomer()
    body = who.declaration(system.photos())
    turned = dict(reversed(body.items()))
    assert done(keyed(system, body, who.phone), 201) == done(keyed(system, turned, who.phone), 201)


def test_a_key_cannot_be_used_for_another_body(system):
    who = system.newcomer()
    body = who.declaration(system.photos())
    done(keyed(system, body, who.phone), 201)
    refused(keyed(system, body | {"email": None}, who.phone), 409, "idempotency_key_reused")
    assert waiting(system, who) == 1


def test_a_key_sent_twice_at_the_same_instant_makes_one_declaration(system):
    who = system.newcomer()
    body = who.declaration(system.photos(), email_copy=True)
    answers = at_once(*[lambda: keyed(system, body, who.phone)] * 4)
    first, *others = [done(answer, 201) for answer in answers]
    assert all(other == first for other in others)
    assert waiting(system, who) == 1
    until(lambda: system.sms_to(who.phone) and system.mails_to(who.email), "both messages")
    assert len(system.sms_to(who.phone)) == len(system.mails_to(who.email)) == 1


def test_a_refusal_is_not_remembered_under_its_key(system):
    who = system.newcomer()
    body = who.declaration(system.photos())
    refused(keyed(system, body | {"agency_code": "07999"}, who.phone), 409, "unknown_agency")
    done(keyed(system, body, who.phone), 201)


@pytest.mark.parametrize("key", ["", "k" * 129, "khóa".encode(), b"a\tb"], ids=["empty", "long", "accents", "tab"])
@pytest.mark.usefixtures("nothing_kept")
def test_a_key_is_printable_and_not_long(system, key):
    problem = refused(keyed(system, system.newcomer().declaration(system.photos()), key), 400, "invalid_request")
    assert fields_refused(problem) == {"Idempotency-Key": "not_an_idempotency_key"}


# looking, printing, withdrawing


@pytest.fixture(scope="module")
def declared(system):
    return system.submit()


def test_who_knows_the_tracking_code_sees_where_it_stands(system, declared):
    found = system.declaration(declared)
    assert set(found) == {
        "number",
        "kind",
        "status",
        "condition",
        "agency",
        "submitted_at",
        "expires_at",
        "history",
    }
    for name in ("number", "kind", "status", "condition", "agency", "submitted_at", "expires_at"):
        assert found[name] == declared[name]
    assert found["history"] == [{"at": declared["submitted_at"], "what": "submitted"}]


def test_a_tracking_code_may_be_typed_as_people_type(system, declared):
    code = declared["tracking_code"]
    for typed in (code.lower(), f" {code} ", f"{code[:5]}-{code[5:]}", f"{code[:5]} {code[5:]}"):
        answer = system.call("GET", f"/declarations/{declared['number']}", params={"tracking_code": typed})
        assert done(answer)["number"] == declared["number"]


@pytest.mark.parametrize("suffix", ["", "/form.pdf"])
@pytest.mark.parametrize(
    "code", ["", "AAAAAAAAAA", "a" * 5000, "\0", "é", "%", "' OR '1'='1"], ids=lambda one: repr(one[:20])
)
def test_a_wrong_tracking_code_finds_nothing(system, declared, suffix, code):
    path = f"/declarations/{declared['number']}{suffix}"
    system.problem("GET", path, 404, "not_found", params={"tracking_code": code})


@pytest.mark.parametrize("suffix", ["", "/form.pdf"])
def test_no_tracking_code_finds_nothing(system, declared, suffix):
    system.problem("GET", f"/declarations/{declared['number']}{suffix}", 404, "not_found")


@pytest.mark.parametrize(
    "number", ["2026-9999999", "1", "%00", "%FF", "a" * 3000, "' OR 1=1 --", "..%2f..%2fetc", "😀"]
)
@pytest.mark.parametrize("suffix", ["", "/form.pdf"])
def test_a_wrong_number_finds_nothing(system, declared, number, suffix):
    system.problem("GET", f"/declarations/{number}{suffix}", 404, "not_found", params=code_of(declared))


def test_the_code_of_one_declaration_opens_no_other(system, declared):
    other = system.submit()
    system.problem("GET", f"/declarations/{other['number']}", 404, "not_found", params=code_of(declared))
    system.problem("DELETE", f"/declarations/{other['number']}", 404, "not_found", params=code_of(declared))


def test_the_form_is_a_pdf_to_print(system, declared):
    answer = system.call("GET", f"/declarations/{declared['number']}/form.pdf", params=code_of(declared))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/pdf"
    assert declared["number"] in answer.headers["Content-Disposition"]
    assert answer.content.startswith(b"%PDF-") and answer.content.rstrip().endswith(b"%%EOF")


def test_a_wrong_code_withdraws_nothing(system, declared):
    path = f"/declarations/{declared['number']}"
    system.problem("DELETE", path, 404, "not_found", params={"tracking_code": "AAAAAAAAAA"})
    system.problem("DELETE", path, 404, "not_found")
    assert system.declaration(declared)["status"] == "pending"


def test_who_withdrew_may_declare_again(system):
    declared = system.submit()
    who, path = declared["who"], f"/declarations/{declared['number']}"
    answer = system.call("DELETE", path, params=code_of(declared))
    assert (answer.status_code, answer.content) == (204, b"")
    found = system.declaration(declared)
    assert (found["status"], found["condition"]) == ("withdrawn", None)
    assert [entry["what"] for entry in found["history"]] == ["submitted", "withdrawn"]
    assert found["decided_at"] == found["history"][-1]["at"]
    assert system.submit(who)["number"] != declared["number"]


def test_a_declaration_is_withdrawn_once(system):
    declared = system.submit()
    path = f"/declarations/{declared['number']}"
    assert system.call("DELETE", path, params=code_of(declared)).status_code == 204
    system.problem("DELETE", path, 409, "already_decided", params=code_of(declared))


def test_a_withdrawn_declaration_has_no_form_any_more(system):
    declared = system.submit()
    assert system.call("DELETE", f"/declarations/{declared['number']}", params=code_of(declared)).status_code == 204
    answer = system.call("GET", f"/declarations/{declared['number']}/form.pdf", params=code_of(declared))
    refused(answer, 409, "already_decided")


def test_a_decided_declaration_has_no_form_any_more(system, officer):
    declared = system.submit()
    officer.reject(declared, "Thiếu chữ ký")
    until(lambda: system.declaration(declared)["status"] == "rejected", "the rejection")
    answer = system.call("GET", f"/declarations/{declared['number']}/form.pdf", params=code_of(declared))
    refused(answer, 409, "already_decided")


def test_a_decided_declaration_cannot_be_withdrawn(system, officer):
    declared = system.submit()
    officer.approve(declared)
    until(lambda: system.declaration(declared)["status"] == "approved", "the approval")
    path = f"/declarations/{declared['number']}"
    system.problem("DELETE", path, 409, "already_decided", params=code_of(declared))


# lists


def test_the_provinces_of_today_are_listed_with_their_wards(system):
    provinces = done(system.call("GET", "/provinces"))
    assert provinces["next_cursor"] is None
    assert len(provinces["items"]) == 34
    assert {"code": "79", "name": "Thành phố Hồ Chí Minh"} in provinces["items"]
    wards = done(system.call("GET", "/provinces/79/wards"))["items"]
    assert wards and all(len(ward["code"]) == 5 and ward["name"] for ward in wards)
    assert wards == done(system.call("GET", "/provinces/079/wards"))["items"]


@pytest.mark.parametrize("code", ["99", "7", "a", "%00", "-1", "0079", "٧٩"])
def test_a_province_nobody_knows_has_no_wards(system, code):
    system.problem("GET", f"/provinces/{code}/wards", 404, "not_found")


def test_the_agencies_of_a_province_are_listed(system):
    agencies = done(system.call("GET", "/agencies", params={"province_code": "79"}))["items"]
    assert {"07901", "07921"} <= {agency["code"] for agency in agencies}
    assert agencies == done(system.call("GET", "/agencies", params={"province_code": "079"}))["items"]
    assert done(system.call("GET", "/agencies", params={"province_code": "99"}))["items"] == []


def test_the_pages_of_the_agencies_have_no_doubles_and_no_gaps(system):
    everything = done(system.call("GET", "/agencies"))["items"]
    found, cursor = [], None
    while True:
        page = done(system.call("GET", "/agencies", params={"limit": 7, "cursor": cursor}))
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        assert len(page["items"]) == 7
    assert found == everything
    assert len(everything) >= 36


@pytest.mark.parametrize(
    ("search", "field", "code"),
    [
        ("limit=0", "limit", "out_of_range"),
        ("limit=101", "limit", "out_of_range"),
        ("limit=ten", "limit", "not_a_number"),
        ("limit=-1", "limit", "not_a_number"),
        ("limit=1e3", "limit", "not_a_number"),
        ("limit=", "limit", "not_a_number"),
        (f"limit={'9' * 5000}", "limit", "not_a_number"),
        ("cursor=nowhere", "cursor", "not_a_cursor"),
        ("cursor=%00", "cursor", "not_a_cursor"),
        ("province_code=HCM", "province_code", "not_a_province_code"),
        ("province_code=%FF", "province_code", "not_a_province_code"),
        ("province=79", "province", "unknown_field"),
    ],
)
def test_a_list_is_asked_for_in_its_own_words(system, search, field, code):
    problem = system.problem("GET", f"/agencies?{search}", 400, "invalid_request")
    assert fields_refused(problem) == {field: code}


# the same style in every answer


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        (None, "vi"),
        ("", "vi"),
        ("vi", "vi"),
        ("vi-VN,vi;q=0.9,en;q=0.5", "vi"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("fr, en;q=0.5", "en"),
        ("fr", "vi"),
        ("*", "vi"),
        (";;;q=x,,", "vi"),
    ],
)
def test_problems_are_told_in_the_language_asked_for(system, wanted, language):
    answer = system.call("POST", "/declarations", json={}, headers={"Accept-Language": wanted})
    problem = refused(answer, 400, "invalid_request")
    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"]
    said = {
        "vi": ("Yêu cầu chưa đúng", "Mục này là bắt buộc."),
        "en": ("The request is not valid", "This field is required."),
    }
    assert (problem["title"], problem["errors"][0]["message"]) == said[language]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/provinces", 200), ("GET", "/nothing", 404)])
def test_a_request_id_is_returned_and_found_in_the_log(system, method, path, status):
    answer = system.call(method, path, headers={"X-Request-Id": "yeu-cau-thu-1"})
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (status, "yeu-cau-thu-1")


def test_a_request_id_is_found_in_the_log_of_all_that_it_caused(system):
    who = system.newcomer()
    request_id = f"yeu-cau-{who.insurance_code}"
    body = who.declaration(system.photos())
    answer = system.call("POST", "/declarations", json=body, headers={"X-Request-Id": request_id})
    assert answer.headers["X-Request-Id"] == request_id
    until(lambda: system.mails_to(who.email), "the mail")

    def lines():
        found = (json.loads(line) for line in system.log().splitlines() if request_id in line)
        return {line["event"]: line for line in found if line["request_id"] == request_id}

    until(lambda: {"request_answered", "message_attempted"} <= set(lines()), "the lines of the log")
    assert lines()["request_answered"]["status"] == 201
    assert lines()["request_answered"]["route"] == "/api/v1/declarations"
    assert lines()["message_attempted"]["service"] == "notification"


@pytest.mark.parametrize(
    "given", [None, "", "a" * 65, "khóa".encode(), b"a\tb"], ids=["none", "empty", "long", "accents", "tab"]
)
def test_a_request_without_a_usable_id_gets_one(system, given):
    made = system.call("GET", "/provinces", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert len(made) == 32 and made.isalnum()
    assert made != system.call("GET", "/provinces").headers["X-Request-Id"]


def test_head_answers_as_get_does_without_a_body(system, declared):
    for path in (f"/declarations/{declared['number']}", "/provinces", "/openapi.json"):
        got = system.call("GET", path, params=code_of(declared))
        head = system.call("HEAD", path, params=code_of(declared))
        assert (head.status_code, head.content) == (200, b"")
        for name in ("Content-Type", "Content-Length"):
            assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/declarations", {"POST"}),
        ("PUT", "/declarations", {"POST"}),
        ("PATCH", "/declarations/2026-0000001", {"GET", "HEAD", "DELETE"}),
        ("POST", "/declarations/2026-0000001", {"GET", "HEAD", "DELETE"}),
        ("DELETE", "/declarations/2026-0000001/form.pdf", {"GET", "HEAD"}),
        ("GET", "/uploads", {"POST"}),
        ("GET", "/qr", {"POST"}),
        ("POST", "/provinces", {"GET", "HEAD"}),
        ("DELETE", "/agencies", {"GET", "HEAD"}),
        ("OPTIONS", "/declarations", {"POST"}),
        ("POST", "/openapi.json", {"GET", "HEAD"}),
        ("PUT", "/officer/sessions", {"GET", "HEAD", "POST"}),
        ("POST", "/officer/reviews/2026-0000001/assignment", {"PUT", "DELETE"}),
        ("BREW", "/declarations", {"POST"}),
    ],
)
def test_another_method_is_not_allowed_and_the_right_ones_are_named(system, method, path, allowed):
    answer = system.call(method, path)
    refused(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_invented_methods_leave_nothing_in_the_metrics(system):
    for number in range(20):
        system.call(f"BREW{number}", "/declarations")
    told = requests.get(f"{system.url}/metrics", timeout=30).text
    assert "BREW" not in told and 'method="other"' in told


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api", "/api/v1", "/api/v1/", "/api/v1/declaration", "/api/v2/declarations", "/%00", "/docs/x"],
)
def test_an_unknown_path_is_not_found(system, path):
    refused(requests.get(system.url + path, timeout=30), 404, "not_found")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_operators_pages_answer(system, path):
    assert requests.get(system.url + path, timeout=30).status_code == 200


def test_readiness_names_each_dependency(system):
    ready = requests.get(f"{system.url}/readyz", timeout=30).json()
    assert ready["status"] == "ready"
    assert ready["dependencies"] and set(ready["dependencies"].values()) == {"ok"}
