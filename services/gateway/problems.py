"""Problems as people and programs read them: RFC 9457, in Vietnamese or English."""

import math
from collections.abc import Mapping
from typing import Any

import orjson
from werkzeug.wrappers import Request, Response

from services.gateway.phrases import CODES, FIELDS, TITLES
from shared.language.errors import Problem
from shared.language.values import Language


def language_of(request: Request) -> str:
    """Return the language of the answer: Vietnamese, unless English is preferred."""
    return request.accept_languages.best_match([str(one) for one in Language]) or Language.VIETNAMESE


def present(problem: Problem, request: Request, *_: Any) -> Response:
    """Return the problem as a response."""
    language = language_of(request)
    which = 1 if language == Language.ENGLISH else 0
    body = {
        "type": f"urn:vssid:problem:{problem.code}",
        "title": TITLES[problem.status][which],
        "status": problem.status,
        "detail": _filled(CODES.get(problem.code, CODES["unexpected"])[which], problem.details),
        "code": problem.code,
        "request_id": request.environ.get("vssid.request_id", ""),
        "errors": [
            {
                "field": error.field,
                "code": error.code,
                "message": _filled(
                    (FIELDS.get(error.code) or CODES.get(error.code) or FIELDS["invalid"])[which], error.details
                ),
            }
            for error in problem.errors
        ],
    }
    response = Response(orjson.dumps(body), status=problem.status, content_type="application/problem+json")
    response.headers["Content-Language"] = language
    response.vary.update(["Accept-Language"])
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if "allow" in problem.details:
        response.headers["Allow"] = problem.details["allow"]
    return response


def _filled(sentence: str, details: Mapping[str, Any]) -> str:
    """Return the sentence with its values in place; a missing value leaves its placeholder."""
    try:
        return sentence.format_map(details)
    except (KeyError, IndexError, ValueError):
        return sentence
