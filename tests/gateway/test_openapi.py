"""What the API says of itself, and whether it keeps its word: generated requests against the running system."""

import re

import orjson
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
    use_after_free,
)

from services.gateway.routes.operations import DOCUMENT
from shared import forms
from tests.support.answers import code_of
from tests.support.people import STRANGER
from vssid.documents.openapi import schemas

# The document cannot say what is a name, a picture or a card's code, so not all that fits it is accepted.
# One officer's token ends with one of the generated calls, so nothing is asked about a chain of calls.
NOT_ASKED = [positive_data_acceptance, use_after_free]
ANSWER_ONLY = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SIGN_OUT = "DELETE /api/v1/officer/sessions/current"

schema = schemathesis.openapi.from_path(DOCUMENT)
generated = settings(
    max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def described():
    """Yield (method, path, operation) for every operation of the document."""
    for path, operations in orjson.loads(DOCUMENT.read_bytes())["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


def secured(case):
    return {"bearer": []} in case.operation.definition.raw["security"]


@pytest.fixture(scope="module")
def credentials(system):
    """Return what a case is sent with: a token that still works."""
    kept = system.sign_in().headers

    def headers(case):
        if not secured(case):
            return {}
        return system.sign_in(STRANGER).headers if case.operation.label == SIGN_OUT else kept

    return headers


@schema.parametrize()
@generated
def test_every_answer_is_as_the_document_says(case, system, credentials):
    case.call_and_validate(base_url=system.url, headers=credentials(case), excluded_checks=NOT_ASKED, timeout=30)


@pytest.fixture(scope="module")
def open_declaration(system):
    """Return a declaration that is still open: the last one, or another where a case has ended it."""
    kept = [system.submit()]
    officer = system.sign_in()

    def get():
        if system.declaration(kept[-1])["status"] != "pending" or officer.review(kept[-1])["status"] != "pending":
            kept.append(system.submit())
            officer.review(kept[-1])
        return kept[-1]

    return get


@schema.include(path_regex=r"\{number\}").parametrize()
@generated
def test_every_answer_about_a_declaration_that_is_there_is_as_the_document_says(
    case, system, credentials, open_declaration
):
    declared = open_declaration()
    case.path_parameters["number"] = declared["number"]
    if "/officer/" not in case.operation.path:
        case.query = code_of(declared)
    answer = case.call(base_url=system.url, headers=credentials(case), timeout=30)
    case.validate_response(answer, checks=ANSWER_ONLY)


def test_every_answer_that_is_json_fits_its_schema_without_unknown_names(system, officer):
    """What the services answer and what the document says are the same names, none missing on either side."""
    declared = system.submit()
    answers = {
        "SubmittedView": {name: value for name, value in declared.items() if name != "who"},
        "ReviewMessagesView": officer.review(declared),
        "ReviewItem": officer.reviews(number=declared["number"])[0],
        "AgencyListItem": system.call("GET", "/agencies").json()["items"][0],
        "PlaceView": system.call("GET", "/provinces").json()["items"][0],
        "UploadView": system.upload("portrait").json(),
    }
    officer.reject(declared, "Thiếu giấy tờ")
    answers["ReviewMessagesView"] |= officer.review(declared)
    schemas = orjson.loads(DOCUMENT.read_bytes())["components"]["schemas"]
    assert {name: set(answer) for name, answer in answers.items()} == {
        name: set(schemas[name]["properties"]) for name in answers
    }


def test_the_document_that_is_served_is_the_one_in_the_folder(system):
    answer = system.call("GET", "/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.content == DOCUMENT.read_bytes()
    assert answer.json()["openapi"].startswith("3.1.")


def test_the_page_for_people_shows_every_route(system):
    answer = requests.get(f"{system.url}/docs", timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.lstrip().lower().startswith("<!doctype html>")
    shown = set(re.findall(r'class="verb">(\w+)</span><code>([^<]+)</code>', answer.text))
    assert shown == {(method, path) for method, path, _ in described()}
    assert "<script" not in answer.text and "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_who_comes_without_a_path_is_led_to_the_page_for_people(system):
    assert requests.get(system.url, timeout=30).url == f"{system.url}/docs"


@pytest.mark.parametrize(("method", "path", "operation"), list(described()), ids=lambda one: str(one)[:60])
def test_every_operation_says_what_it_is_and_how_it_refuses(method, path, operation):
    assert operation["summary"] and operation["operationId"]
    refusals = {status: said for status, said in operation["responses"].items() if int(status) >= 400}
    assert {"429", "503"} <= set(refusals)
    assert all(list(said["content"]) == ["application/problem+json"] for said in refusals.values())


DOCUMENTED = orjson.loads(DOCUMENT.read_bytes())
OPERATIONS = pytest.mark.parametrize(("method", "path", "operation"), list(described()), ids=lambda one: str(one)[:60])


def test_the_document_is_valid_openapi():
    validate(DOCUMENTED)


def test_the_document_has_an_ascii_title_and_a_server():
    assert DOCUMENTED["info"]["title"].isascii()
    assert [server["url"] for server in DOCUMENTED["servers"]] == ["/"]


def media(operation):
    """Yield (where, media type object) of everything an operation takes and answers that has a body of names."""
    for kind, one in operation.get("requestBody", {}).get("content", {}).items():
        yield kind, one
    for answer in operation["responses"].values():
        for kind, one in answer.get("content", {}).items():
            if kind.endswith("json"):
                yield kind, one


@OPERATIONS
def test_every_body_has_an_example_that_fits_its_schema(method, path, operation):
    for kind, one in media(operation):
        examples = [example["value"] for example in one.get("examples", {}).values()] or [one["example"]]
        for example in examples:
            schema = {**one["schema"], "components": DOCUMENTED["components"]}
            assert [error.message for error in OAS31Validator(schema).iter_errors(example)] == [], kind


@pytest.mark.parametrize("name", ["registration.DeclarationForm", "registration.QrForm", "approval.SignInForm"])
def test_the_example_of_a_form_is_accepted_by_the_form(name):
    body = next(
        one["example"]
        for _, _, operation in described()
        for one in operation.get("requestBody", {}).get("content", {}).values()
        if one["schema"] == {"$ref": f"#/components/schemas/{name.partition('.')[2]}"}
    )
    assert set(forms.read(schemas()[name], body)) == set(body)


@OPERATIONS
def test_every_parameter_has_a_type_and_a_description_or_choices(method, path, operation):
    for one in operation["parameters"]:
        assert one["schema"]["type"] in ("string", "integer"), one["name"]
        assert any(word in {**one, **one["schema"]} for word in ("example", "examples", "enum", "description"))


@OPERATIONS
def test_every_answer_names_its_headers(method, path, operation):
    for status, answer in operation["responses"].items():
        expected = {"X-Request-Id"} | ({"Retry-After"} if status in ("423", "429", "503") else set())
        assert set(answer["headers"]) - {"Location"} == expected, status
    created = [path for _, path, one in described() if "Location" in one["responses"].get("201", {}).get("headers", {})]
    assert created == ["/api/v1/declarations"]


def test_who_may_call_a_route_is_said_of_each():
    callers = {}
    for _, _, operation in described():
        callers.setdefault(str(operation["security"]), set()).add(operation["tags"][0])
    assert callers == {
        "[]": {"public", "officer", "operations"},
        "[{'bearer': []}]": {"officer"},
        "[{'twilio': []}]": {"carrier"},
    }
