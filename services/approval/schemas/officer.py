"""What officers sign in with, and what is shown of officers and their sessions."""

from collections.abc import Sequence
from typing import Any

from marshmallow import fields

from services.approval.domain.officer import Officer, OfficerSession, Role
from shared.forms import Choice, Code, Flag, Form, Password, PlainText, Shown, Text, UtcTime, View

OFFICER, SESSION_ID = "canbo.mot", "3c469e9d6c5875d3"
LONGEST_USERNAME = 60
LONGEST_TYPED = 512  # 128 characters, where each is typed with its marks apart


class SignInForm(Form):
    username = Text(LONGEST_USERNAME, required=True, example=OFFICER)
    password = Password(LONGEST_TYPED, required=True, example="mat-khau-vi-du")
    otp = Code(
        "[0-9]{6}",
        "not_an_otp",
        load_default=None,
        about="The authenticator's code, of an officer who has enrolled one.",
        example="287082",
    )


class OfficerSessionView(View):
    """What an officer sends as `Authorization: Bearer …` from now on."""

    token = PlainText(required=True, example="q0mXhX4mC0t0Jq0kq0mXhX4mC0t0Jq0kq0mXhX4mC0t")
    expires_at = UtcTime(required=True, example="2026-08-03T10:15:00.000Z")


class SessionItem(View):
    """A session that runs; ``session_id`` is not its token. Its last use is noted once a minute."""

    session_id = PlainText(required=True, example=SESSION_ID)
    created_at = UtcTime(required=True)
    last_used_at = UtcTime(required=True, example="2026-08-03T04:10:00.000Z")
    expires_at = UtcTime(required=True, example="2026-08-03T10:15:00.000Z")
    address = PlainText(
        about="Where it was opened: an address, of IPv6 the network of 64 bits.", required=True, example="203.0.113.7"
    )


class OwnSessionItem(SessionItem):
    """One of the officer's own sessions."""

    is_current = Flag(about="Whether it is the session that asks.", required=True, example=True)


class OwnSessionList(View):
    """The officer's own sessions, oldest first."""

    items = fields.List(fields.Nested(OwnSessionItem), required=True)


class OfficerItem(View):
    """An officer of the agency."""

    username = PlainText(required=True, example=OFFICER)
    role = Choice(Role, required=True)
    has_otp = Flag(about="Whether the officer has enrolled an authenticator.", required=True, example=True)
    last_sign_in_at = UtcTime(required=True, allow_none=True)
    sessions = fields.List(fields.Nested(SessionItem), required=True)


class OfficerList(View):
    """The officers of the agency, by name."""

    items = fields.List(fields.Nested(OfficerItem), required=True)


def own_session_list(current: OfficerSession, running: Sequence[OfficerSession]) -> dict[str, Any]:
    items = [Shown(one, also={"is_current": one.session_id == current.session_id}) for one in running]
    return OwnSessionList.of({"items": items})


def officer_list(officers: Sequence[Officer], running: Sequence[OfficerSession]) -> dict[str, Any]:
    def sessions(officer: Officer) -> list[OfficerSession]:
        return [one for one in running if one.username == officer.username]

    return OfficerList.of({"items": [Shown(one, also={"sessions": sessions(one)}) for one in officers]})
