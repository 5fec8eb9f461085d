"""The officer's work over HTTP: signing in, the queue, the dossier, the decision."""

import itertools
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from services.approval.domain.officer import token_hash
from services.gateway.identity import LINK_SECONDS
from shared.language.text import without_accents
from tests.support.answers import code_of, done, fields_refused, refused
from tests.support.embedded import ACCOUNT, embedded_system
from tests.support.people import AGENCY_CODE, OFFICER, OTHER_AGENCY_CODE, OfficerAccount, applicant
from tests.support.pictures import picture
from tests.support.waiting import at_once, until

NOWHERE = "2026-9999999"
APPROVAL = {"identity_checked": True}
CALLS = (
    ("GET", "/reviews"),
    ("GET", f"/reviews/{NOWHERE}"),
    ("PUT", f"/reviews/{NOWHERE}/assignment"),
    ("DELETE", f"/reviews/{NOWHERE}/assignment"),
    ("PUT", f"/reviews/{NOWHERE}/photos/portrait"),
    ("POST", f"/reviews/{NOWHERE}/approval"),
    ("POST", f"/reviews/{NOWHERE}/rejection"),
    ("POST", f"/reviews/{NOWHERE}/reminder"),
    ("POST", "/accounts/7900000000/first-password"),
    ("GET", "/journal"),
    ("DELETE", "/sessions/current"),
    ("DELETE", "/sessions/none"),
    ("GET", "/sessions"),
    ("GET", "/officers"),
    ("DELETE", "/officers/none/sessions"),
)
BODIES = {
    "photos": {"upload_id": "00000000-0000-0000-0000-000000000000"},
    "approval": APPROVAL,
    "rejection": {"reason": "a"},
    "first-password": APPROVAL,
}


def approval_of(declared):
    return APPROVAL | code_of(declared)


def knock(system, username, password):
    return system.call("POST", "/officer/sessions", json={"username": username, "password": password})


def review_path(declared, what=""):
    return f"/reviews/{declared['number']}{what}"


@pytest.fixture
def declared(system, officer):
    """A declaration that approval has received."""
    one = system.submit()
    officer.review(one)
    return one


# signing in


def test_an_officer_signs_in_for_a_working_day(system):
    opened = done(knock(system, OFFICER.username, OFFICER.password), 201)
    assert set(opened) == {"token", "expires_at"}
    left = datetime.fromisoformat(opened["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=7) < left <= timedelta(hours=8)


def test_wrong_words_are_refused_alike_for_somebody_known_and_somebody_unknown(system):
    def said(username, password):
        answer = knock(system, username, password)
        problem = refused(answer, 401, "wrong_credentials")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        return {name: value for name, value in problem.items() if name != "request_id"}

    assert (
        said(OFFICER.username, "mat-khau-sai") == said("khong.ai", "mat-khau-sai") == said("khong.ai", OFFICER.password)
    )
    assert done(knock(system, OFFICER.username, OFFICER.password), 201)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"password": "a"}, "username", "required"),
        ({"username": "a"}, "password", "required"),
        ({"username": None, "password": "a"}, "username", "null"),
        ({"username": 1, "password": "a"}, "username", "wrong_type"),
        ({"username": "a", "password": True}, "password", "wrong_type"),
        ({"username": "a" * 61, "password": "a"}, "username", "too_long"),
        ({"username": "a", "password": "a" * 60_000}, "password", "too_long"),
        ({"username": "a\0", "password": "a"}, "username", "unprintable_characters"),
        ({"username": "a", "password": "a\0"}, "password", "unprintable_characters"),
        ({"username": "", "password": "a"}, "username", "empty"),
        ({"username": "a", "password": ""}, "password", "empty"),
        ({"username": "a", "password": "a\u200b"}, "password", "unprintable_characters"),
        ({"username": "a", "password": "a", "role": "admin"}, "role", "unknown_field"),
        ({"username": "a", "password": "a", "otp": "12345"}, "otp", "not_an_otp"),
        ({"username": "a", "password": "a", "otp": "１２３４５６"}, "otp", "not_an_otp"),
        ({"username": "a", "password": "a", "otp": 123456}, "otp", "wrong_type"),
        ({"username": "a", "password": "a", "otp": None}, "otp", "null"),
    ],
)
def test_who_signs_in_gives_a_name_and_a_password(system, body, field, code):
    problem = system.problem("POST", "/officer/sessions", 400, "invalid_request", json=body)
    assert fields_refused(problem) == {field: code}


@pytest.fixture
def guessed(system):
    """An officer whose password somebody guesses at."""
    guessed = OfficerAccount("canbo.bi.doan", "mat-khau-can-bo-bi-doan", AGENCY_CODE)
    system.add_officer(guessed)
    return guessed


def test_five_wrong_tries_lock_even_the_right_password_out(system, guessed):
    for _ in range(5):
        refused(knock(system, guessed.username, "mat-khau-sai"), 401, "wrong_credentials")
    for password in ("mat-khau-sai", guessed.password):
        answer = knock(system, guessed.username, password)
        refused(answer, 423, "locked")
        assert 14 * 60 < int(answer.headers["Retry-After"]) <= 15 * 60
    past = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    system.change("approval", "UPDATE address_attempts SET locked_until = ? WHERE username = ?", past, guessed.username)
    done(knock(system, guessed.username, guessed.password), 201)
    refused(knock(system, guessed.username, "mat-khau-sai"), 401, "wrong_credentials")


def test_a_name_that_nobody_has_is_locked_out_like_an_officer_s(system):
    for _ in range(5):
        refused(knock(system, "khong.co.ai", "mat-khau-sai"), 401, "wrong_credentials")
    refused(knock(system, "khong.co.ai", "mat-khau-sai"), 423, "locked")


def test_guesses_at_the_same_instant_count_each(system, guessed):
    answers = at_once(*[lambda: knock(system, guessed.username, "mat-khau-sai")] * 12)
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [423] * 7


def test_a_right_password_forgets_the_wrong_tries(system, guessed):
    for _ in range(3):
        for _ in range(4):
            refused(knock(system, guessed.username, "mat-khau-sai"), 401, "wrong_credentials")
        done(knock(system, guessed.username, guessed.password), 201)


def test_a_new_password_ends_the_sessions_of_the_old_one(system, guessed):
    officer = system.sign_in(guessed)
    done(officer.call("GET", "/reviews"))
    system.add_officer(guessed)
    officer.problem("GET", "/reviews", 401, "unauthenticated")


# tokens


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer a b c",
        "Basic YTpi",
        "Bearer " + "a" * 43,
        "bearer x",
        "Bearer " + "a" * 5000,
        "Bearer khóa",
    ],
    ids=["none", "empty", "no token", "blank", "words", "basic", "foreign", "lower case", "long", "accents"],
)
def test_nobody_gets_in_without_a_token_of_ours(system, method, path, header):
    body = BODIES.get(path.split("/")[3] if path.count("/") > 2 else "")
    encoded = header.encode() if header is not None else None
    answer = system.call(method, f"/officer{path}", headers={"Authorization": encoded}, json=body)
    refused(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


WITH_BODY = [
    ("POST", "/reviews/2026-0000001/approval"),
    ("POST", "/reviews/2026-0000001/rejection"),
    ("PUT", "/reviews/2026-0000001/photos/portrait"),
]


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_a_body_is_not_judged_before_the_token(system, method, path):
    foreign = {"Authorization": "Bearer " + "a" * 43}
    refused(system.call(method, f"/officer{path}", json={"no": "field"}, headers=foreign), 401, "unauthenticated")
    json = {"Content-Type": "application/json"}
    refused(system.call(method, f"/officer{path}", data=b"{", headers=json), 401, "unauthenticated")


def test_a_token_is_of_no_use_after_signing_out(system):
    officer = system.sign_in()
    done(officer.call("GET", "/reviews"))
    assert officer.call("DELETE", "/sessions/current").status_code == 204
    for method, path in (("GET", "/reviews"), ("DELETE", "/sessions/current")):
        officer.problem(method, path, 401, "unauthenticated")


def test_a_token_is_of_no_use_after_its_time(system):
    late, running_on = system.sign_in(), system.sign_in()
    past = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    mark = token_hash(late.token)
    system.change("approval", "UPDATE officer_sessions SET expires_at = ? WHERE token_hash = ?", past, mark)
    late.problem("GET", "/reviews", 401, "unauthenticated")
    done(running_on.call("GET", "/reviews"))


def test_a_token_is_not_kept_in_clear(system):
    officer = system.sign_in()
    for file in system.folder.rglob("*"):
        assert not file.is_file() or officer.token.encode() not in file.read_bytes()


# the queue


@pytest.fixture(scope="module")
def queue(system, officer):
    """Three declarations that a search can tell apart."""
    names = ("Đặng Thị Ước Mơ", "Đặng Thị Ước", "Lý Văn Khác Hẳn")
    found = [system.submit(full_name=name) for name in names]
    for one in found:
        officer.review(one)
    return found


def numbers(found):
    return [one["number"] for one in found]


def test_a_line_of_the_queue_says_what_an_officer_needs(officer, queue):
    (line,) = officer.reviews(number=queue[0]["number"])
    assert set(line) == {
        "number",
        "kind",
        "insurance_code",
        "full_name",
        "status",
        "condition",
        "submitted_at",
        "expires_at",
        "assigned_to",
        "others_pending",
        "account_exists",
        "password_undelivered",
    }
    assert line["insurance_code"] == queue[0]["who"].insurance_code
    assert (line["kind"], line["status"], line["condition"]) == ("register", "pending", "awaiting_visit")


def test_a_dossier_is_found_by_its_insurance_code(officer, queue):
    assert numbers(officer.reviews(insurance_code=queue[1]["who"].insurance_code)) == [queue[1]["number"]]
    assert officer.reviews(insurance_code="0000000000") == []


@pytest.mark.parametrize(
    "q", ["Ước Mơ", "uoc mo", "ƯỚC MƠ", "  ước   mơ ", "U\u031bo\u031b\u0301c Mo\u031b", "dang thi uoc mo"]
)
def test_a_dossier_is_found_by_a_name_with_and_without_accents(officer, queue, q):
    assert numbers(officer.reviews(q=q)) == [queue[0]["number"]]


def test_a_name_is_found_by_any_part_of_it(officer, queue):
    assert numbers(officer.reviews(q="dang thi uoc")) == numbers(queue[:2])
    assert numbers(officer.reviews(q="khac han")) == numbers(queue[2:])
    assert officer.reviews(q="không ai tên thế này") == []


@pytest.mark.parametrize("q", ["%", "_", "%%", "Ư%", "'", "\\", "' OR 1=1 --"])
def test_signs_with_a_meaning_in_queries_have_none_here(officer, queue, q):
    assert all(q in one["full_name"] for one in officer.reviews(q=q))


def test_a_dossier_is_found_by_the_days_of_vietnam(system, officer, queue):
    number, zone = queue[0]["number"], timezone(timedelta(hours=7))
    today = datetime.fromisoformat(queue[0]["submitted_at"]).astimezone(zone).date()
    tomorrow, yesterday = (str(today + timedelta(days=days)) for days in (1, -1))
    day = str(today)
    for search in ({"from": day}, {"to": day}, {"from": day, "to": day}, {"from": yesterday, "to": tomorrow}):
        assert numbers(officer.reviews(number=number, **search)) == [number]
    for search in ({"from": tomorrow}, {"to": yesterday}, {"from": tomorrow, "to": yesterday}):
        assert officer.reviews(number=number, **search) == []


@pytest.mark.parametrize(("hour", "day"), [("16:59:59.9", "2026-03-01"), ("17:00:00.0", "2026-03-02")])
def test_a_day_ends_at_midnight_in_vietnam(system, officer, hour, day):
    declared = system.submit()
    officer.review(declared)
    moment = f"2026-03-01 {hour}00000"
    system.change("approval", "UPDATE reviews SET submitted_at = ? WHERE number = ?", moment, declared["number"])
    assert numbers(officer.reviews(number=declared["number"], **{"from": day, "to": day})) == [declared["number"]]


def test_the_first_and_the_last_day_of_the_calendar_are_days(officer, queue):
    found = officer.reviews(number=queue[0]["number"], **{"from": "0001-01-01", "to": "9999-12-31"})
    assert numbers(found) == [queue[0]["number"]]


def test_a_dossier_is_found_by_status_condition_and_kind(system, officer, declared):
    number = declared["number"]

    def found(**search):
        return officer.reviews(number=number, **search) != []

    assert found(kind="register") and not found(kind="child") and not found(kind="adjust")
    assert found(status="pending") and not found(status="approved")
    assert found(condition="awaiting_visit") and not found(condition="received")
    done(officer.call("PUT", review_path(declared, "/assignment")))
    assert found(condition="received") and not found(condition="awaiting_visit") and not found(condition="overdue")
    system.change("approval", "UPDATE reviews SET received_at = '2026-01-01 00:00:00.000000' WHERE number = ?", number)
    assert found(condition="overdue") and not found(condition="received")
    assert officer.reviews(number=number)[0]["condition"] == "overdue"
    system.change("approval", "UPDATE reviews SET received_at = submitted_at WHERE number = ?", number)
    done(officer.call("POST", review_path(declared, "/rejection"), json={"reason": "Thiếu giấy tờ"}))
    assert found(status="rejected") and not found(status="pending")
    assert not any(found(condition=one) for one in ("awaiting_visit", "received", "overdue"))
    assert officer.reviews(number=number)[0]["condition"] is None


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_the_pages_of_the_queue_have_no_doubles_and_no_gaps(officer, queue, limit):
    everything, found, cursor = numbers(officer.reviews(limit=100, kind="register")), [], None
    for _ in itertools.count():
        page = done(officer.call("GET", "/reviews", params={"limit": limit, "cursor": cursor, "kind": "register"}))
        found += numbers(page["items"])
        cursor = page["next_cursor"]
        if cursor is None or len(found) >= 30:
            break
        assert len(page["items"]) == limit
    assert found == everything[: len(found)]
    assert len(set(found)) == len(found) >= 3


def test_pages_hold_when_many_came_at_the_same_instant(system, officer):
    several = [system.submit(full_name="Cùng Một Lúc") for _ in range(7)]
    for one in several:
        officer.review(one)
        system.change(
            "approval", "UPDATE reviews SET submitted_at = '2026-02-02 02:02:02.020202' WHERE number = ?", one["number"]
        )
    found, cursor = [], None
    while True:
        page = done(officer.call("GET", "/reviews", params={"q": "cung mot luc", "limit": 3, "cursor": cursor}))
        found += numbers(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == sorted(numbers(several))


@pytest.mark.parametrize(
    ("search", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=%2B5", "limit"),
        ("from=2026-02-30", "from"),
        ("from=01-02-2026", "from"),
        ("to=yesterday", "to"),
        ("to=2026-1-1", "to"),
        ("to=٢٠٢٦-٠١-٠١", "to"),
        ("insurance_code=1", "insurance_code"),
        ("status=open", "status"),
        ("condition=late", "condition"),
        ("kind=all", "kind"),
        ("q=%00", "q"),
        (f"q={'a' * 101}", "q"),
        ("number=%00", "number"),
        ("cursor=a", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"),
        ("cursor=MDAwMS0wMS0wMVQwMDowMDowMCswNzowMHx4", "cursor"),
        ("cursor=MjAyNi0wMS0wMVQwMDowMDowMCswMDowMHwA", "cursor"),
        ("agency=07901", "agency"),
    ],
)
def test_a_search_is_asked_for_in_its_own_words(officer, search, field):
    problem = officer.problem("GET", f"/reviews?{search}", 400, "invalid_request")
    assert set(fields_refused(problem)) == {field}


def test_officers_see_their_own_agency_only(system, officer, stranger, declared):
    theirs = system.submit(agency_code=OTHER_AGENCY_CODE)
    stranger.review(theirs)
    assert stranger.reviews(number=declared["number"]) == []
    assert officer.reviews(number=theirs["number"]) == []
    for method, what, body in (
        ("GET", "", None),
        ("PUT", "/assignment", None),
        ("DELETE", "/assignment", None),
        ("PUT", "/photos/portrait", {"upload_id": system.photos()["portrait"]}),
        ("POST", "/approval", APPROVAL),
        ("POST", "/rejection", {"reason": "a"}),
    ):
        stranger.problem(method, review_path(declared, what), 404, "not_found", json=body)
    assert system.declaration(declared)["status"] == "pending"


@pytest.mark.parametrize("number", [NOWHERE, "%00", "a" * 3000, "😀", "' OR 1=1 --"])
def test_a_dossier_that_is_not_there_is_not_found(officer, number):
    for method, what, body in (("GET", "", None), ("PUT", "/assignment", None), ("POST", "/approval", APPROVAL)):
        officer.problem(method, f"/reviews/{number}{what}", 404, "not_found", json=body)


# the dossier


def test_a_dossier_shows_everything_declared(system, officer, declared):
    who, review = declared["who"], officer.review(declared)
    assert (review["full_name"], review["phone"], review["email"]) == (who.full_name, who.phone, who.email)
    assert review["id_document"] == {"type": "cccd", "number": who.id_number}
    assert review["address"]["street"] == "12 Đường Mẫu"
    assert review["register_check"] == {"result": "matches", "id_number": who.id_number}
    assert (review["others_pending"], review["account_exists"]) == (0, False)
    assert [entry["what"] for entry in review["history"]] == ["submitted"]
    assert set(review["photos"]) == {"portrait", "id_front", "id_back"}


def test_a_dossier_shows_what_the_register_says(system, officer):
    unknown = system.submit(system.unregistered())
    other_name = system.submit(full_name="Tên Khác Hẳn")
    assert officer.review(unknown)["register_check"] == {"result": "code_not_registered"}
    assert officer.review(other_name)["register_check"] == {
        "result": "name_mismatch",
        "id_number": other_name["who"].id_number,
    }


def test_an_officer_takes_a_dossier_and_gives_it_back(system, officer, declared):
    taken = done(officer.call("PUT", review_path(declared, "/assignment")))
    assert (taken["condition"], taken["assigned_to"]) == ("received", OFFICER.username)
    until(lambda: system.declaration(declared)["condition"] == "received", "the applicant sees it")
    assert done(officer.call("PUT", review_path(declared, "/assignment"))) == taken
    back = done(officer.call("DELETE", review_path(declared, "/assignment")))
    assert (back["condition"], back["assigned_to"]) == ("awaiting_visit", None)
    until(lambda: system.declaration(declared)["condition"] == "awaiting_visit", "the applicant sees it")
    assert system.history(declared) == ["submitted", "received", "returned"]
    assert done(officer.call("DELETE", review_path(declared, "/assignment"))) == back


def test_what_one_officer_holds_no_other_can_take_or_decide(system, officer, colleague, declared):
    done(officer.call("PUT", review_path(declared, "/assignment")))
    for method, what, body in (
        ("PUT", "/assignment", None),
        ("DELETE", "/assignment", None),
        ("PUT", "/photos/portrait", {"upload_id": system.photos()["portrait"]}),
        ("POST", "/approval", APPROVAL),
        ("POST", "/rejection", {"reason": "a"}),
    ):
        colleague.problem(method, review_path(declared, what), 409, "assigned_to_another", json=body)
    done(officer.call("DELETE", review_path(declared, "/assignment")))
    done(colleague.call("PUT", review_path(declared, "/assignment")))


def test_of_two_officers_who_take_a_dossier_at_the_same_instant_one_has_it(system, officer, colleague, declared):
    answers = at_once(
        *(lambda one=one: one.call("PUT", review_path(declared, "/assignment")) for one in (officer, colleague))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


# pictures


def test_a_picture_is_shown_by_its_link_without_a_token(system, officer, declared):
    for link in officer.review(declared)["photos"].values():
        answer = requests.get(link, timeout=30)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
        assert answer.content.startswith(b"\xff\xd8\xff")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_forged_link_shows_nothing(system, officer, declared):
    links = officer.review(declared)["photos"]
    token, other = (links[name].rpartition("/")[2] for name in ("portrait", "id_back"))
    key, moment, signature = token.rsplit(".", 2)
    foreign = URLSafeTimedSerializer("mot-khoa-khac-hoan-toan", salt="photos").dumps("uploads/a.jpg")
    for forged in (
        "",
        "a",
        key,
        f"{key}.{moment}.",
        f"{key}.{moment}.{signature[:-1]}",
        f"{other.rsplit('.', 2)[0]}.{moment}.{signature}",
        foreign,
        "%00",
        "a" * 5000,
    ):
        system.problem("GET", f"/photos/{forged}", 404, "link_expired" if forged not in ("", "%00") else "not_found")


def test_a_link_is_of_no_use_after_its_time(system, officer, declared):
    token = officer.review(declared)["photos"]["portrait"].rpartition("/")[2]

    class Yesterday(TimestampSigner):
        def get_timestamp(self):
            return super().get_timestamp() - LINK_SECONDS - 5

    secret = (system.var / "link.key").read_text()
    key = URLSafeTimedSerializer(secret, salt="photos").loads(token)
    old = URLSafeTimedSerializer(secret, salt="photos", signer=Yesterday).dumps(key)
    system.problem("GET", f"/photos/{old}", 404, "link_expired")


def test_an_officer_replaces_a_picture(system, officer, declared):
    before = officer.review(declared)
    shown = picture("PNG", (300, 200))
    upload_id = done(system.upload("portrait", shown), 201)["upload_id"]
    answer = officer.call("PUT", review_path(declared, "/photos/portrait"), json={"upload_id": upload_id})
    assert done(answer)["number"] == declared["number"]
    after = officer.review(declared)
    answer = requests.get(after["photos"]["portrait"], timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    assert [entry["what"] for entry in after["history"]] == ["submitted", "photo_replaced:portrait"]
    assert after["history"][-1]["officer"] == OFFICER.username
    for purpose in ("id_front", "id_back"):
        kept = (requests.get(one["photos"][purpose], timeout=30).content for one in (before, after))
        assert next(kept) == next(kept)


def test_a_picture_that_was_replaced_by_an_officer_and_again_is_gone(system, officer, declared):
    for _ in range(2):
        upload_id = done(system.upload("id_back"), 201)["upload_id"]
        done(officer.call("PUT", review_path(declared, "/photos/id_back"), json={"upload_id": upload_id}))
    ((dossier,),) = system.rows("approval", "SELECT dossier FROM reviews WHERE number = ?", declared["number"])
    own = [key for key in json.loads(dossier)["photos"].values() if key.startswith("reviews/")]
    assert len(own) == 1
    assert (system.var / "store" / own[0]).exists()


@pytest.mark.parametrize(
    ("purpose", "upload", "code"),
    [
        ("portrait", "id_back", "upload_not_found"),
        ("birth_certificate", "birth_certificate", "no_such_photo"),
        ("nothing", "portrait", "upload_not_found"),
    ],
)
def test_a_picture_is_replaced_by_one_of_its_own_purpose(system, officer, declared, purpose, upload, code):
    upload_id = done(system.upload(upload), 201)["upload_id"]
    path = review_path(declared, f"/photos/{purpose}")
    officer.problem("PUT", path, 404, code, json={"upload_id": upload_id})


def test_a_picture_is_replaced_by_one_that_is_there_and_unused(system, officer, declared):
    path = review_path(declared, "/photos/portrait")
    unknown = {"upload_id": "00000000-0000-0000-0000-000000000000"}
    officer.problem("PUT", path, 404, "upload_not_found", json=unknown)
    ((used,),) = system.rows(
        "registration",
        "SELECT upload_id FROM uploads JOIN declarations USING (declaration_id)"
        " WHERE number = ? AND purpose = 'portrait'",
        declared["number"],
    )
    officer.problem("PUT", path, 404, "upload_not_found", json={"upload_id": used})


@pytest.mark.parametrize(
    "body", [{}, {"upload_id": None}, {"upload_id": 1}, {"upload_id": "../a"}, {"upload": "a"}, []]
)
def test_a_picture_is_named_by_the_id_of_its_upload(officer, declared, body):
    officer.problem("PUT", review_path(declared, "/photos/portrait"), 400, "invalid_request", json=body)


# approving


@pytest.mark.parametrize("body", [{}, {"identity_checked": False}, {"confirm": True}])
def test_nobody_is_approved_whose_papers_were_not_checked(system, officer, declared, body):
    problem = officer.problem("POST", review_path(declared, "/approval"), 409, "identity_not_checked", json=body)
    assert fields_refused(problem) == {"identity_checked": "must_be_accepted"}
    assert officer.review(declared)["status"] == "pending"


@pytest.mark.parametrize("said", ["yes", "true", 1, 0, None, [], {}])
@pytest.mark.parametrize("field", ["identity_checked", "confirm"])
def test_true_is_true_and_nothing_like_it(officer, declared, field, said):
    path = review_path(declared, "/approval")
    problem = officer.problem("POST", path, 400, "invalid_request", json=APPROVAL | {field: said})
    assert set(fields_refused(problem)) == {field}
    assert officer.review(declared)["status"] == "pending"


def test_a_code_the_register_does_not_know_is_not_approved(system, officer):
    declared = system.submit(system.unregistered())
    officer.review(declared)
    officer.problem("POST", review_path(declared, "/approval"), 409, "code_not_registered", json=approval_of(declared))
    assert officer.review(declared)["status"] == "pending"
    assert len(system.sms_to(declared["who"].phone)) <= 1


def test_another_name_than_the_registers_is_not_approved(system, officer):
    who = system.newcomer()
    for name in ("Tên Khác Hẳn", who.full_name.replace("ễ", "ê").replace("ầ", "â").replace("Đ", "D") + " A"):
        declared = system.submit(who, full_name=name)
        officer.review(declared)
        officer.problem("POST", review_path(declared, "/approval"), 409, "name_mismatch", json=approval_of(declared))
        assert system.call("DELETE", f"/declarations/{declared['number']}", params=code_of(declared)).status_code == 204


def test_a_name_spelled_with_other_accents_is_approved_once_the_officer_confirms(system, officer):
    who = system.newcomer()
    declared = system.submit(who, full_name=without_accents(who.full_name))
    assert officer.review(declared)["register_check"] == {
        "result": "name_spelling_differs",
        "full_name": who.full_name,
        "id_number": who.id_number,
    }
    path, form = review_path(declared, "/approval"), approval_of(declared)
    problem = officer.problem("POST", path, 409, "name_spelling_differs", json=form)
    assert fields_refused(problem) == {"confirm": "must_be_accepted"}
    assert officer.review(declared)["status"] == "pending"

    done(officer.call("POST", path, json=form | {"confirm": True}))
    steps = [entry["what"] for entry in officer.review(declared)["history"]]
    assert steps == ["submitted", "spelling_confirmed", "approved"]
    named = ("registration", "SELECT full_name FROM accounts WHERE insurance_code = ?", who.insurance_code)
    until(lambda: system.rows(*named) == [(who.full_name,)], "the account has the register's name")


def test_a_name_is_the_same_in_any_case_spaces_and_unicode_form(system, officer):
    who = system.newcomer()
    declared = system.submit(who, full_name=f"  {who.full_name.upper().replace(' ', '   ')} ")
    officer.approve(declared)


# who comes is who declared


def test_a_wrong_tracking_code_approves_nobody_and_locks_after_five(system, officer, colleague, declared):
    path = review_path(declared, "/approval")
    for decider in (officer, colleague, officer, colleague, officer):
        problem = decider.problem("POST", path, 409, "wrong_tracking_code", json=APPROVAL | {"tracking_code": "A" * 10})
        assert fields_refused(problem) == {"tracking_code": "wrong_tracking_code"}
    for body in (APPROVAL | {"tracking_code": "A" * 10}, approval_of(declared)):
        answer = officer.call("POST", path, json=body)
        refused(answer, 423, "locked")
        assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert officer.review(declared)["status"] == "pending"
    officer.reject(declared, "Không có mã tra cứu")  # which needs no code


def test_of_many_wrong_codes_at_the_same_instant_five_are_compared(officer, declared):
    path, wrong = review_path(declared, "/approval"), APPROVAL | {"tracking_code": "A" * 10}
    answers = at_once(*[lambda: officer.call("POST", path, json=wrong)] * 9)
    assert sorted(answer.status_code for answer in answers) == [409] * 5 + [423] * 4


def test_the_tracking_code_is_compulsory(officer, declared):
    problem = officer.problem("POST", review_path(declared, "/approval"), 400, "invalid_request", json=APPROVAL)
    assert fields_refused(problem) == {"tracking_code": "required"}


def test_the_code_of_another_declaration_of_the_same_person_is_wrong(system, officer):
    who = system.newcomer()
    theirs, strangers = system.submit(who), system.submit(who, phone="0987000001")
    officer.review(strangers)
    officer.problem("POST", review_path(strangers, "/approval"), 409, "wrong_tracking_code", json=approval_of(theirs))


def test_another_id_number_than_the_registers_is_not_approved(system, officer):
    declared = system.submit(id_document={"type": "cccd", "number": "079185999999"})
    shown = officer.review(declared)["register_check"]
    assert shown == {"result": "id_mismatch", "id_number": declared["who"].id_number}
    officer.problem("POST", review_path(declared, "/approval"), 409, "id_mismatch", json=approval_of(declared))
    assert officer.review(declared)["status"] == "pending"


def test_a_stranger_who_declares_for_somebody_neither_gets_the_account_nor_stands_in_the_way(system, officer, stranger):
    who = system.newcomer()
    first = system.submit(who, phone="0987000002", email="nguoi.la@vidu.example")
    elsewhere = system.submit(who, phone="0987000003", agency_code=OTHER_AGENCY_CODE)
    theirs = system.submit(who)
    for declared in (first, theirs):
        until(
            lambda one=declared: officer.review(one)["others_pending"] == 2, "the officer sees that there are several"
        )
    stranger.review(elsewhere)
    listed = officer.reviews(insurance_code=who.insurance_code)
    assert [(one["number"], one["others_pending"]) for one in listed] == [(first["number"], 2), (theirs["number"], 2)]

    officer.approve(theirs)
    until(lambda: "card_issued" in system.history(theirs), "the card")
    for declared in (first, elsewhere):
        until(lambda one=declared: system.declaration(one)["status"] == "rejected", "the others end")
        assert system.declaration(declared)["reason"] == "another_declaration_approved"
    until(lambda: len(system.sms_to("+84987000002")) == 2, "the stranger is told")
    assert "khac cung ma so" in system.sms_to("+84987000002")[1]
    assert ACCOUNT.search(" ".join(system.sms_to(who.phone)))
    for phone in ("+84987000002", "+84987000003"):
        assert not ACCOUNT.search(" ".join(system.sms_to(phone)))


def test_whether_a_code_has_an_account_is_told_to_its_phone_and_to_officers_alone(system, officer):
    who = system.newcomer()
    first = system.submit(who)
    officer.approve(first)
    until(lambda: "card_issued" in system.history(first), "the card")
    until(lambda: len(system.sms_to(who.phone)) == 2, "the account message")

    again = system.submit(who, phone="0987000004")
    assert set(again) == set(first)
    assert (again["status"], again["condition"]) == ("pending", "awaiting_visit")
    until(lambda: len(system.sms_to(who.phone)) == 3, "the account's phone is told")
    assert "Co nguoi khai dang ky" in system.sms_to(who.phone)[2]
    review = officer.review(again)
    assert (review["account_exists"], review["others_pending"]) == (True, 0)
    officer.problem("POST", review_path(again, "/approval"), 409, "account_exists", json=approval_of(again))
    assert officer.review(again)["status"] == "pending"

    own = system.submit(who)
    until(lambda: len(system.sms_to(who.phone)) == 5, "the phone is told the code, and that there is an account")
    assert any("da co tai khoan" in text for text in system.sms_to(who.phone)[3:])
    assert officer.review(own)["others_pending"] == 1


def test_of_approvals_of_one_code_at_the_same_instant_one_stands(system, officer, colleague):
    who = system.newcomer()
    rivals = [system.submit(who, phone=f"09870001{one:02d}") for one in range(4)]
    for one in rivals:
        officer.review(one)
    answers = at_once(
        *(
            partial(decider.call, "POST", review_path(one, "/approval"), json=approval_of(one))
            for decider, one in zip((officer, colleague) * 2, rivals, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    until(
        lambda: sorted(system.declaration(one)["status"] for one in rivals) == ["approved"] + ["rejected"] * 3,
        "one is approved, the others end",
    )


def test_a_reminder_sends_the_code_again_to_the_declared_phone(system, officer, declared):
    who, path = declared["who"], review_path(declared, "/reminder")
    for count in (2, 3, 4):
        answer = officer.call("POST", path)
        assert done(answer, 202) == {"sent_to": f"+84•••••{who.phone[-3:]}"}
        until(lambda count=count: len(system.sms_to(who.phone)) == count, "the SMS")
    assert len(set(system.sms_to(who.phone))) == 1
    refused(officer.call("POST", path), 429, "too_many_requests")
    assert [entry["what"] for entry in officer.review(declared)["history"]].count("reminded") == 3


def test_nobody_is_reminded_of_what_is_decided_or_elsewhere(system, officer, stranger, declared):
    stranger.problem("POST", review_path(declared, "/reminder"), 404, "not_found")
    officer.reject(declared, "Thiếu chữ ký")
    officer.problem("POST", review_path(declared, "/reminder"), 409, "already_decided")


def test_an_approval_opens_an_account_and_tells_it_once(system, officer):
    declared = system.submit()
    who = declared["who"]
    officer.approve(declared)
    until(lambda: "card_issued" in system.history(declared), "the card")
    until(lambda: len(system.sms_to(who.phone)) > 1 and len(system.mails_to(who.email)) > 1, "the messages")
    told, (account,) = system.sms_to(who.phone), [text for text in system.sms_to(who.phone) if ACCOUNT.search(text)]
    assert len(told) == 2
    code, password = ACCOUNT.search(account).groups()
    assert code == who.insurance_code
    assert len(password) >= 8
    mails = system.mails_to(who.email)
    assert len(mails) == 2
    assert who.insurance_code in mails[1].get_body(("plain",)).get_content()
    assert all(password not in mail.as_string() for mail in mails)
    found = system.declaration(declared)
    assert found["status"] == "approved" and found["condition"] is None and found["decided_at"]
    assert system.history(declared) == ["submitted", "approved", "account_activated", "card_issued"]
    review = officer.review(declared)
    assert (review["status"], review["decided_by"]) == ("approved", OFFICER.username)


def test_a_decision_is_final(system, officer, colleague, declared):
    officer.approve(declared)
    upload_id = system.photos()["portrait"]
    for decider, (method, what, body) in itertools.product(
        (officer, colleague),
        (
            ("POST", "/approval", APPROVAL),
            ("POST", "/rejection", {"reason": "a"}),
            ("PUT", "/assignment", None),
            ("DELETE", "/assignment", None),
            ("PUT", "/photos/portrait", {"upload_id": upload_id}),
        ),
    ):
        decider.problem(method, review_path(declared, what), 409, "already_decided", json=body)
    assert officer.review(declared)["status"] == "approved"


def test_a_withdrawn_declaration_cannot_be_decided(system, officer, declared):
    assert system.call("DELETE", f"/declarations/{declared['number']}", params=code_of(declared)).status_code == 204
    until(lambda: officer.review(declared)["status"] == "withdrawn", "approval hears of it")
    officer.problem("POST", review_path(declared, "/approval"), 409, "already_decided", json=APPROVAL)
    officer.problem("POST", review_path(declared, "/rejection"), 409, "already_decided", json={"reason": "a"})


def test_of_decisions_at_the_same_instant_one_stands_and_is_told_once(system, officer, colleague):
    declared = system.submit()
    who = declared["who"]
    officer.review(declared)
    approval, rejection = review_path(declared, "/approval"), review_path(declared, "/rejection")
    answers = at_once(
        lambda: officer.call("POST", approval, json=approval_of(declared)),
        lambda: colleague.call("POST", approval, json=approval_of(declared)),
        lambda: officer.call("POST", rejection, json={"reason": "Thiếu giấy tờ"}),
        lambda: colleague.call("POST", rejection, json={"reason": "Thiếu giấy tờ"}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    (decided,) = [answer.json()["status"] for answer in answers if answer.status_code == 200]
    refusals = [answer.json()["code"] for answer in answers if answer.status_code == 409]
    assert set(refusals) == {"already_decided"}
    until(lambda: system.declaration(declared)["status"] == decided, "the applicant sees it")
    until(lambda: len(system.sms_to(who.phone)) > 1 and len(system.mails_to(who.email)) > 1, "the messages")
    assert len(system.sms_to(who.phone)) == len(system.mails_to(who.email)) == 2


# rejecting


@pytest.mark.parametrize("body", [{}, {"reason": None}, {"reason": ""}, {"reason": " \n\t "}])
def test_a_rejection_needs_its_reason(system, officer, declared, body):
    problem = officer.problem("POST", review_path(declared, "/rejection"), 409, "reason_required", json=body)
    assert set(fields_refused(problem)) == {"reason"}
    assert officer.review(declared)["status"] == "pending"


@pytest.mark.parametrize("reason", [1, True, [], {}, "a" * 501, "a" * 60_000, "a\0b", "a\u202eb"])
def test_a_reason_is_text_that_people_can_read(officer, declared, reason):
    problem = officer.problem(
        "POST", review_path(declared, "/rejection"), 400, "invalid_request", json={"reason": reason}
    )
    assert set(fields_refused(problem)) == {"reason"}
    assert officer.review(declared)["status"] == "pending"


def test_a_rejection_tells_its_reason_once_by_sms_and_by_mail(system, officer):
    declared = system.submit()
    who = declared["who"]
    officer.reject(declared, "Ảnh chân dung bị mờ")
    until(lambda: len(system.sms_to(who.phone)) > 1 and len(system.mails_to(who.email)) > 1, "the messages")
    assert len(system.sms_to(who.phone)) == len(system.mails_to(who.email)) == 2
    assert "Anh chan dung bi mo" in system.sms_to(who.phone)[1]
    assert "Ảnh chân dung bị mờ" in system.mails_to(who.email)[1].get_body(("plain",)).get_content()
    found = system.declaration(declared)
    assert (found["status"], found["reason"]) == ("rejected", "Ảnh chân dung bị mờ")
    review = officer.review(declared)
    assert (review["reason"], review["decided_by"]) == ("Ảnh chân dung bị mờ", OFFICER.username)


def test_who_was_rejected_may_declare_again(system, officer):
    declared = system.submit()
    officer.reject(declared, "Thiếu chữ ký")
    until(lambda: system.declaration(declared)["status"] == "rejected", "the rejection")
    officer.approve(system.submit(declared["who"]))


# the register over HTTP


class RegisterAnswers(ThreadingHTTPServer):
    """A household register that answers as it is told; ``say`` is a status and a body, or seconds of silence."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), RegisterHandler)
        self.say, self.asked, self.leaving = None, [], threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class RegisterHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.server.say == "stall":
            self.server.leaving.wait()  # longer than any caller does
            return
        if self.server.say == "dribble":
            self.send_response(200)
            self.end_headers()
            while not self.server.leaving.wait(0.2):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return
            return
        status, body = self.server.say
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """A test's output is its own."""


@pytest.fixture(scope="module")
def register():
    with RegisterAnswers() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.leaving.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def outside_system(register, tmp_path_factory):
    """A system with a household register outside."""
    with embedded_system(tmp_path_factory.mktemp("register"), REGISTER_URL=register.url) as started:
        yield started


@pytest.fixture(scope="module")
def outside_officer(outside_system):
    return outside_system.sign_in()


def known_as(who, **changes):
    person = {
        "insurance_code": who.insurance_code,
        "full_name": who.full_name,
        "birth_date": "1985-08-15",
        "gender": "female",
        "id_number": who.id_number,
    }
    return 200, person | changes


@pytest.fixture
def outside_declared(outside_system, outside_officer, register):
    declared = outside_system.submit()
    register.say = (404, {})
    outside_officer.review(declared)
    return declared


def test_the_register_outside_is_asked_by_insurance_code(outside_system, outside_officer, outside_declared, register):
    who = outside_declared["who"]
    register.say, register.asked = known_as(who), []
    assert outside_officer.review(outside_declared)["register_check"]["result"] == "matches"
    outside_officer.approve(outside_declared)
    assert set(register.asked) == {f"/people/{who.insurance_code}"}
    until(lambda: "card_issued" in outside_system.history(outside_declared), "the card")


def test_a_register_that_knows_nobody_approves_nobody(outside_officer, outside_declared, register):
    register.say = (404, {})
    path = review_path(outside_declared, "/approval")
    decision = approval_of(outside_declared)
    outside_officer.problem("POST", path, 409, "code_not_registered", json=decision)
    register.say = known_as(outside_declared["who"], full_name="Tên Khác Hẳn")
    outside_officer.problem("POST", path, 409, "name_mismatch", json=decision)
    register.say = known_as(outside_declared["who"], id_number="079185999999")
    outside_officer.problem("POST", path, 409, "id_mismatch", json=decision)
    assert outside_officer.review(outside_declared)["register_check"] == {
        "result": "id_mismatch",
        "id_number": "079185999999",
    }


@contextmanager
def nothing_changed(system, officer, declared):
    def state():
        review = officer.call("GET", review_path(declared)).json()
        return review["status"], review["history"], system.declaration(declared), system.sms_to(declared["who"].phone)

    until(lambda: system.sms_to(declared["who"].phone), "the first SMS")
    before = state()
    yield
    assert state() == before


@pytest.mark.parametrize("how", ["stall", "dribble"])
def test_a_register_that_stalls_is_not_waited_for(outside_system, outside_officer, outside_declared, register, how):
    with nothing_changed(outside_system, outside_officer, outside_declared):
        register.say = how
        decision = approval_of(outside_declared)
        answer = outside_officer.call("POST", review_path(outside_declared, "/approval"), json=decision)
        register.say = (404, {})
    refused(answer, 503, "register_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_others_are_served_while_the_register_stalls(outside_system, outside_officer, outside_declared, register):
    register.say = "stall"
    answered = []  # in the order of the answers

    def call(caller, *request, **options):
        answered.append(caller.call(*request, **options).status_code)

    path, decision = review_path(outside_declared, "/approval"), approval_of(outside_declared)
    stalled = [partial(call, outside_officer, "POST", path, json=decision)] * 12
    at_once(*stalled, *[partial(call, outside_system, "GET", "/provinces")] * 4)
    register.say = (404, {})
    assert answered == [200] * 4 + [503] * 12


GARBAGE = {
    "an error": (500, {"error": "a"}),
    "nothing": (200, b""),
    "no JSON": (200, b"<html>"),
    "no UTF-8": (200, b"\xff\xfe\xfa"),
    "a list": (200, []),
    "a word": (200, "a"),
    "null": (200, None),
    "an empty object": (200, {}),
    "somebody else": (200, {**known_as(applicant(1))[1], "insurance_code": "7999999999"}),
}
HALF_RIGHT = {
    "no name": {"full_name": None},
    "no birth date": {"birth_date": None},
    "a birth date of words": {"birth_date": "mùa thu"},
    "an endless birth date": {"birth_date": "1985-08-15" * 100},
    "another gender": {"gender": "x"},
}


@pytest.mark.parametrize("said", [*GARBAGE.values(), *HALF_RIGHT.values()], ids=[*GARBAGE, *HALF_RIGHT])
def test_a_register_that_answers_garbage_does_not_answer(
    outside_system, outside_officer, outside_declared, register, said
):
    with nothing_changed(outside_system, outside_officer, outside_declared):
        register.say = known_as(outside_declared["who"], **said) if isinstance(said, dict) else said
        decision = approval_of(outside_declared)
        answer = outside_officer.call("POST", review_path(outside_declared, "/approval"), json=decision)
        register.say = (404, {})
    refused(answer, 503, "register_unavailable")


def test_a_dossier_is_shown_while_the_register_is_down(outside_officer, outside_declared, register):
    register.say = (500, {})
    assert outside_officer.review(outside_declared)["register_check"] == {"result": "register_unavailable"}
    register.say = known_as(outside_declared["who"])
    outside_officer.approve(outside_declared)


def test_a_rejection_does_not_need_the_register(outside_officer, outside_declared, register):
    register.say = (500, {})
    outside_officer.reject(outside_declared, "Thiếu giấy tờ")
