"""A refusal crosses from service to service as itself."""

import orjson
import pytest

from shared.language.errors import (
    KINDS,
    FieldError,
    Invalid,
    Locked,
    NotFound,
    Problem,
    Refused,
    Unavailable,
    from_wire,
    to_wire,
)


def across(problem):
    return from_wire(orjson.loads(orjson.dumps(to_wire(problem))))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_of_refusal_arrives_as_itself(kind):
    arrived = across(kind("some_rule", errors=[FieldError("phone", "taken", {"limit": 3})], retry_after=2.5, name="x"))
    assert type(arrived) is kind
    assert (arrived.code, arrived.retry_after, arrived.details) == ("some_rule", 2.5, {"name": "x"})
    assert arrived.errors == (FieldError("phone", "taken", {"limit": 3}),)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_has_a_status_and_a_code_of_its_own(kind):
    same = [other for other in KINDS.values() if (other.status, other.default_code) == (kind.status, kind.default_code)]
    assert same == [kind]
    assert across(kind()).code == kind.default_code


def test_a_refusal_of_a_kind_we_do_not_know_is_a_problem_all_the_same():
    arrived = from_wire({"kind": "Teapot", "code": "teapot", "errors": [], "retry_after": None, "details": {}})
    assert type(arrived) is Problem
    assert (arrived.status, arrived.code) == (500, "teapot")


def test_a_refusal_says_its_code_and_its_fields_but_no_values():
    assert str(NotFound()) == "not_found"
    refusal = Invalid(errors=[FieldError("phone", "not_a_mobile", {"given": "0912345678"})], given="0912345678")
    assert str(refusal) == "invalid_request (phone: not_a_mobile)"


def test_what_a_refusal_knows_is_kept_apart_from_its_code():
    assert Locked("locked", retry_after=900).retry_after == 900
    assert Refused("already_decided", status="approved").details == {"status": "approved"}


def test_a_kind_of_a_service_s_own_crosses_as_the_kind_it_is_one_of():
    class Lost(Unavailable):
        """One that only its own process tells from others."""

    crossed = from_wire(to_wire(Lost("unavailable", retry_after=2, dependency="database")))
    assert type(crossed) is Unavailable
    assert (crossed.code, crossed.retry_after, crossed.details) == ("unavailable", 2, {"dependency": "database"})
