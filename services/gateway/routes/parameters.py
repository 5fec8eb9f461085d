"""Parameters that several routes share."""

from shared.framework.http import Parameter
from shared.language.values import Purpose

NUMBER = Parameter("number", "The number of the declaration.", example="2026-0000123", pattern="^[0-9]{4}-[0-9]{7,12}$")
INSURANCE_CODE = Parameter(
    "insurance_code", "The insurance code of the account.", example="7900000017", pattern="^[0-9]{10}$"
)
TRACKING_CODE = Parameter(
    "tracking_code",
    "The tracking code sent to the applicant, in upper or lower case, with or without spaces and hyphens.",
    example="4EZYX8MXQF",
    where="query",
    pattern="^[0-9A-Za-z -]{10,100}$",
)
PURPOSE = Parameter("purpose", "What the picture shows.", example="portrait", choices=tuple(map(str, Purpose)))
PROVINCE = Parameter("code", "The code of a province.", example="79", pattern="^[0-9]{2,3}$")
PHOTO_TOKEN = Parameter(
    "token",
    "The signed name of a picture, from the links of a dossier.",
    example="InVwbG9hZHMvYS5qcGci.aow1Kg.9mQ1cN0xq0Jq0mXhX4mC0t0Jq0k",
)
SESSION_ID = Parameter("session_id", "The id of a session, from the list of them.", example="3c469e9d6c5875d3")
USERNAME = Parameter("username", "The name an officer signs in with.", example="canbo.mot")
MESSAGE_ID = Parameter(
    "message_id", "The message the call-back is about.", example="8d0c0f9e-6a1b-4a55-9a58-2f6a4f0a7c11"
)
