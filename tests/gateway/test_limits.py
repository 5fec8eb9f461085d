"""How often somebody may ask, against a system whose limits are tiny."""

import itertools

import pytest
import requests

from tests.support.answers import code_of, done, refused
from tests.support.embedded import TINY_LIMITS, embedded_system
from tests.support.people import PURPOSES
from tests.support.pictures import PICTURE

UPLOADERS = itertools.count()


def caller(number):
    """Return the headers of a caller behind our proxy, so that each test has an address of its own."""
    return {"X-Forwarded-For": f"192.0.2.{number}"}


@pytest.fixture(scope="module")
def strict_system(tmp_path_factory):
    with embedded_system(
        tmp_path_factory.mktemp("limits"), RATE_LIMITS="on", TRUSTED_PROXIES=1, **TINY_LIMITS
    ) as system:
        yield system


def assert_too_many(answer):
    refused(answer, 429, "too_many_requests")
    assert 0 < int(answer.headers["Retry-After"]) <= 24 * 3600


@pytest.mark.parametrize(
    ("number", "limit", "method", "path", "options"),
    [
        (10, 20, "GET", "/provinces", {}),
        (11, 4, "POST", "/qr", {"json": {"payload": "a"}}),
        (12, 4, "POST", "/uploads", {"files": {"file": ("a.jpg", PICTURE)}, "data": {"purpose": "portrait"}}),
        (13, 20, "POST", "/declarations", {"json": {}}),
        (14, 2, "POST", "/officer/sessions", {"json": {"username": "khong.ai", "password": "mat-khau-sai"}}),
    ],
    ids=["reading", "scanning", "uploading", "submitting", "signing in"],
)
def test_one_address_may_ask_so_often(strict_system, number, limit, method, path, options):
    own = caller(number)
    answers = [strict_system.call(method, path, headers=own, **options) for _ in range(limit + 1)]
    assert 429 not in [answer.status_code for answer in answers[:-1]]
    assert_too_many(answers[-1])
    assert strict_system.call(method, path, headers=caller(200), **options).status_code != 429


@pytest.mark.parametrize(
    ("number", "method", "path"),
    [(14, "GET", "/nowhere"), (15, "PATCH", "/provinces"), (16, "INVENTED", "/provinces"), (17, "GET", "/a%00b")],
)
def test_what_leads_nowhere_counts_too(strict_system, number, method, path):
    answers = [strict_system.call(method, path, headers=caller(number)) for _ in range(21)]
    assert {answer.status_code for answer in answers[:-1]} <= {404, 405}
    assert_too_many(answers[-1])


def test_addresses_of_one_ipv6_network_are_one_caller(strict_system):
    for number in range(21):
        own = {"X-Forwarded-For": f"2001:db8:1:2:{number:x}::{number:x}"}
        answer = strict_system.call("GET", "/provinces", headers=own)
    assert_too_many(answer)
    other = {"X-Forwarded-For": "2001:db8:1:3::1"}
    assert strict_system.call("GET", "/provinces", headers=other).status_code == 200


def test_an_ipv4_address_written_as_ipv6_is_the_same_caller(strict_system):
    written = itertools.cycle(({"X-Forwarded-For": "192.0.2.30"}, {"X-Forwarded-For": "::ffff:192.0.2.30"}))
    answers = [strict_system.call("GET", "/provinces", headers=next(written)) for _ in range(21)]
    assert_too_many(answers[-1])


# accepted declarations


def declare(system, number, who=None, **changes):
    """Declare from an address of its own; the pictures come from other addresses."""
    photos = {
        purpose: done(system.upload(purpose, headers=caller(100 + next(UPLOADERS) % 100)), 201)["upload_id"]
        for purpose in PURPOSES
    }
    form = (who or system.newcomer()).declaration(photos, **changes)
    return system.call("POST", "/declarations", json=form, headers=caller(number))


def test_one_phone_number_may_stand_in_so_many_accepted_declarations_however_it_is_written(strict_system):
    for number, written in enumerate(("0912777001", "+84912777001", "84 912777001", "0912 777 001", "0912.777.001")):
        done(declare(strict_system, 20 + number, phone=written, email=None), 201)
    assert_too_many(declare(strict_system, 25, phone="0912777001", email=None))
    done(declare(strict_system, 26, phone="0912777002", email=None), 201)


def test_one_mail_address_may_stand_in_so_many_accepted_declarations(strict_system):
    for number, written in enumerate(("mot@vidu.example", "MOT@vidu.example") * 2 + ("Mot@Vidu.example",)):
        done(declare(strict_system, 50 + number, email=written), 201)
    assert_too_many(declare(strict_system, 55, email="mot@vidu.example"))


def test_one_address_may_send_so_many_accepted_declarations(strict_system):
    for _ in range(3):
        done(declare(strict_system, 40), 201)
    assert_too_many(declare(strict_system, 40))
    done(declare(strict_system, 41), 201)


def test_what_was_refused_counts_for_no_phone_and_no_address(strict_system):
    who = strict_system.newcomer()
    done(declare(strict_system, 42, who), 201)
    for _ in range(4):
        refused(declare(strict_system, 42, who), 409, "declaration_pending")
        refused(declare(strict_system, 42, phone=who.phone, agency_code="07999"), 409, "unknown_agency")
    done(declare(strict_system, 42, phone=who.phone), 201)


def test_only_as_many_proxies_are_believed_as_stand_in_front(strict_system):
    """A caller who makes up addresses is still the one our proxy names."""
    for number in range(3):
        made_up = {"X-Forwarded-For": f"198.51.100.{number}, 192.0.2.220"}
        answer = strict_system.call(
            "POST", "/officer/sessions", json={"username": "khong.ai", "password": "sai"}, headers=made_up
        )
    assert_too_many(answer)


def test_operators_pages_have_no_limit(strict_system):
    for _ in range(30):
        assert requests.get(f"{strict_system.url}/healthz", timeout=30).status_code == 200


def test_off_lifts_the_limits_by_address_and_no_other(system):
    """The system of the other tests has the same tiny limits, lifted; the lock on guessing stays: test_officer."""
    declared = [system.submit(phone="0912777003") for _ in range(5)]
    for one in declared * 5:
        assert system.call("GET", f"/declarations/{one['number']}", params=code_of(one)).status_code == 200
    form = system.newcomer().declaration(system.photos(), phone="0912777003")
    assert_too_many(system.call("POST", "/declarations", json=form))
