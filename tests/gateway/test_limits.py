"""How often somebody may ask, against a system whose limits are tiny."""

import pytest
import requests

from tests.support.answers import code_of, refused
from tests.support.embedded import TINY_LIMITS, embedded_system
from tests.support.pictures import PICTURE


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
        (13, 5, "POST", "/declarations", {"json": {}}),
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


def test_one_phone_number_may_stand_in_so_many_declarations_however_it_is_written(strict_system):
    phone = "912345678"
    for number, written in enumerate((f"0{phone}", f"+84{phone}", f"84 {phone}")):
        answer = strict_system.call("POST", "/declarations", json={"phone": written}, headers=caller(210 + number))
        if number < 2:
            refused(answer, 400, "invalid_request")
    assert_too_many(answer)


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


def test_off_lifts_the_limits_by_address_and_phone(system):
    """The system of the other tests has the same tiny limits, lifted; the lock on guessing stays: test_officer."""
    declared = [system.submit(phone="0912345678") for _ in range(6)]
    for one in declared * 4:
        assert system.call("GET", f"/declarations/{one['number']}", params=code_of(one)).status_code == 200
