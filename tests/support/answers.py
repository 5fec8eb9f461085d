"""What the gateway answered, taken apart; an answer of another kind fails the test and is shown."""

from typing import Any

import requests


def done(answer: requests.Response, status: int = 200) -> Any:
    """Return the JSON of an answer that must have this status."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:2000]}"
    return answer.json() if answer.content else None


def refused(answer: requests.Response, status: int, code: str) -> dict[str, Any]:
    """Return the problem in an answer, which must be one by RFC 9457 with this status and code."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:2000]}"
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["title"] and problem["detail"] and problem["type"].endswith(code)
    assert all(set(error) == {"field", "code", "message"} and error["message"] for error in problem["errors"])
    return problem


def fields_refused(problem: dict[str, Any]) -> dict[str, str]:
    """Return the code of each field that a problem names."""
    return {error["field"]: error["code"] for error in problem["errors"]}


def code_of(declared: dict[str, Any]) -> dict[str, str]:
    """Return the parameters that open a declaration without an account."""
    return {"tracking_code": declared["tracking_code"]}
