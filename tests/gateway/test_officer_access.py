"""Who gets in as an officer and what each role may do, over HTTP: second factor, addresses, sessions, permissions."""

from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from pyotp import TOTP

from services.approval.domain.officer import PERMISSIONS, Permission, Role
from shared.framework.http import Caller, Route
from tests.support.answers import done, refused
from tests.support.embedded import OfficerSession, embedded_system
from tests.support.people import AGENCY_CODE, OTHER_AGENCY_CODE, OfficerAccount
from vssid import documents

PASSWORD = "hoa-sen-xanh-bien"
HOME, OFFICE, NEIGHBOUR = "203.0.113.7", "2001:db8:1:2::3", "2001:db8:1:2:ffff::9"
NOWHERE = "2026-9999999"
# every route of officers, what it takes, and the permission without which it is refused
ROUTES = {
    ("DELETE", "/sessions/current"): Permission.OWN_SESSIONS,
    ("GET", "/sessions"): Permission.OWN_SESSIONS,
    ("DELETE", "/sessions/<string:session_id>"): Permission.OWN_SESSIONS,
    ("GET", "/officers"): Permission.READ_OFFICERS,
    ("GET", "/journal"): Permission.READ_JOURNAL,
    ("DELETE", "/officers/<string:username>/sessions"): Permission.END_SESSIONS,
    ("GET", "/reviews"): Permission.READ_QUEUE,
    ("GET", "/reviews/<string:number>"): Permission.READ_DOSSIER,
    ("PUT", "/reviews/<string:number>/assignment"): Permission.RECEIVE,
    ("DELETE", "/reviews/<string:number>/assignment"): Permission.RETURN,
    ("PUT", "/reviews/<string:number>/photos/<string:purpose>"): Permission.REPLACE_PHOTO,
    ("POST", "/reviews/<string:number>/approval"): Permission.DECIDE,
    ("POST", "/reviews/<string:number>/reminder"): Permission.REMIND,
    ("POST", "/reviews/<string:number>/rejection"): Permission.DECIDE,
    ("POST", "/accounts/<string:insurance_code>/first-password"): Permission.DECIDE,
}
# without a route of its own: it widens one, or another service of the release reads it
WITHOUT_ROUTE = {Permission.RETURN_OF_ANOTHER}
BODIES = {
    "photos/<string:purpose>": {"upload_id": "00000000-0000-0000-0000-000000000000"},
    "approval": {"identity_checked": True, "tracking_code": "ABCDEFGH23"},
    "rejection": {"reason": "a"},
    "first-password": {"identity_checked": True},
}
VALUES = {
    "<string:number>": NOWHERE,
    "<string:purpose>": "portrait",
    "<string:session_id>": "none",
    "<string:username>": "khong.ai",
    "<string:insurance_code>": "7900000000",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """A system behind a proxy that names the callers."""
    with embedded_system(tmp_path_factory.mktemp("access"), TRUSTED_PROXIES=1) as started:
        yield started


@pytest.fixture
def account(system, request):
    """An officer of this test alone."""
    name = f"canbo.{abs(hash(request.node.name)) % 10**9}"
    account = OfficerAccount(name, PASSWORD, AGENCY_CODE)
    system.add_officer(account)
    return account


def knock(system, username, password=PASSWORD, address=HOME, **more):
    body = {"username": username, "password": password, **more}
    return system.call("POST", "/officer/sessions", json=body, headers={"X-Forwarded-For": address})


def sign_in(system, username, address=HOME, **more):
    return OfficerSession(system, done(knock(system, username, address=address, **more), 201)["token"])


# what each role may do


def test_every_route_of_officers_and_every_permission_is_looked_at():
    routes = {
        (one.method, one.url.removeprefix("/api/v1/officer"))
        for _, one in documents.entrypoints("gateway")
        if isinstance(one, Route) and one.operation.caller is Caller.OFFICER
    }
    assert routes == set(ROUTES)
    assert set(ROUTES.values()) | WITHOUT_ROUTE == set(Permission)


@pytest.fixture(scope="module")
def staff(system):
    """A session of each role."""
    for role in Role:
        system.add_officer(OfficerAccount(f"vai.{role}", PASSWORD, AGENCY_CODE, str(role)))
    return {role: sign_in(system, f"vai.{role}") for role in Role}


@pytest.mark.parametrize("route", sorted(set(ROUTES) - {("DELETE", "/sessions/current")}), ids=" ".join)
@pytest.mark.parametrize("role", Role)
def test_a_role_may_do_what_the_matrix_says_and_nothing_else(staff, role, route):
    method, path = route
    body = next((body for end, body in BODIES.items() if path.endswith(end)), None)
    for name, value in VALUES.items():
        path = path.replace(name, value)
    answer = staff[role].call(method, path, json=body)
    if ROUTES[route] in PERMISSIONS[role]:
        assert answer.status_code in (200, 404)
    else:
        refused(answer, 403, "forbidden")


@pytest.mark.parametrize("role", Role)
def test_everybody_may_sign_out(system, staff, role):
    assert sign_in(system, f"vai.{role}").call("DELETE", "/sessions/current").status_code == 204


def test_who_may_not_is_refused_before_the_request_is_looked_at(system, staff):
    for path in ("approval", "rejection"):
        staff[Role.ADMIN].problem("POST", f"/reviews/{NOWHERE}/{path}", 403, "forbidden", json={"no": "field"})
    staff[Role.AUDITOR].problem("GET", "/reviews?limit=0", 403, "forbidden")


def test_a_supervisor_returns_what_is_assigned_to_another_and_the_history_says_so(system, staff):
    declared = system.submit()
    officer, supervisor = staff[Role.OFFICER], staff[Role.SUPERVISOR]
    officer.review(declared)
    path = f"/reviews/{declared['number']}"
    done(officer.call("PUT", f"{path}/assignment"))
    supervisor.problem("POST", f"{path}/rejection", 409, "assigned_to_another", json={"reason": "a"})
    assert done(supervisor.call("DELETE", f"{path}/assignment"))["assigned_to"] is None
    last = supervisor.review(declared)["history"][-1]
    assert (last["what"], last["officer"]) == ("returned_by_another", "vai.supervisor")
    done(supervisor.call("PUT", f"{path}/assignment"))
    officer.problem("DELETE", f"{path}/assignment", 409, "assigned_to_another")


# sessions


def test_officers_see_their_sessions_and_end_one(system, account):
    first, second = sign_in(system, account.username), sign_in(system, account.username, OFFICE)
    items = done(first.call("GET", "/sessions"))["items"]
    assert [(one["address"], one["is_current"]) for one in items] == [(HOME, True), ("2001:db8:1:2::/64", False)]
    assert set(items[0]) == {"session_id", "created_at", "last_used_at", "expires_at", "address", "is_current"}
    assert all(first.token not in str(one) and second.token not in str(one) for one in items)
    assert first.call("DELETE", f"/sessions/{items[1]['session_id']}").status_code == 204
    second.problem("GET", "/reviews", 401, "unauthenticated")
    first.problem("DELETE", f"/sessions/{items[1]['session_id']}", 404, "session_not_found")
    done(first.call("GET", "/reviews"))


def test_nobody_ends_another_s_session(system, staff, account):
    mine = sign_in(system, account.username)
    (item,) = done(mine.call("GET", "/sessions"))["items"]
    staff[Role.ADMIN].problem("DELETE", f"/sessions/{item['session_id']}", 404, "session_not_found")
    done(mine.call("GET", "/reviews"))


def test_an_admin_sees_the_officers_of_the_agency_and_ends_their_sessions(system, staff, account):
    elsewhere = OfficerAccount(f"{account.username}.khac", PASSWORD, OTHER_AGENCY_CODE)
    system.add_officer(elsewhere)
    ours, theirs = sign_in(system, account.username), sign_in(system, elsewhere.username)
    admin = staff[Role.ADMIN]
    shown = {one["username"]: one for one in done(admin.call("GET", "/officers"))["items"]}
    assert elsewhere.username not in shown
    one = shown[account.username]
    assert (one["role"], one["has_otp"], len(one["sessions"])) == ("officer", False, 1)
    assert one["last_sign_in_at"] == one["sessions"][0]["created_at"]
    assert admin.call("DELETE", f"/officers/{account.username}/sessions").status_code == 204
    ours.problem("GET", "/reviews", 401, "unauthenticated")
    for name in (elsewhere.username, "khong.ai"):
        admin.problem("DELETE", f"/officers/{name}/sessions", 404, "officer_not_found")
    done(theirs.call("GET", "/reviews"))


def aged(system, username, **minutes):
    """Put the times of a session back."""
    for column, back in minutes.items():
        then = (datetime.now(UTC) - timedelta(minutes=back)).strftime("%Y-%m-%d %H:%M:%S.%f")
        system.change("approval", f"UPDATE officer_sessions SET {column} = ? WHERE username = ?", then, username)


def last_used(system, username):
    return system.rows("approval", "SELECT last_used_at FROM officer_sessions WHERE username = ?", username)


def test_half_an_hour_without_use_ends_a_session(system, account):
    officer = sign_in(system, account.username)
    aged(system, account.username, last_used_at=29)
    done(officer.call("GET", "/reviews"))
    aged(system, account.username, last_used_at=31)
    officer.problem("GET", "/reviews", 401, "unauthenticated")


def test_a_use_is_written_once_a_minute(system, account):
    officer = sign_in(system, account.username)
    opened = last_used(system, account.username)
    done(officer.call("GET", "/reviews"))
    assert last_used(system, account.username) == opened
    aged(system, account.username, last_used_at=2)
    done(officer.call("GET", "/reviews"))
    assert last_used(system, account.username) > opened


# addresses


def test_a_stranger_s_guesses_lock_the_name_at_the_stranger_s_address_alone(system, account):
    for _ in range(5):
        refused(knock(system, account.username, "mat-khau-sai", NEIGHBOUR), 401, "wrong_credentials")
    for address in (NEIGHBOUR, OFFICE):  # of IPv6 the network of 64 bits is one address
        refused(knock(system, account.username, address=address), 423, "locked")
    done(knock(system, account.username, address=HOME), 201)


def test_guesses_from_many_addresses_never_lock_the_usual_one(system, account):
    done(knock(system, account.username, address=HOME), 201)
    for count in range(20):
        refused(knock(system, account.username, "mat-khau-sai", f"198.51.100.{count}"), 401, "wrong_credentials")
    answer = knock(system, account.username, address="198.51.100.99")
    refused(answer, 423, "locked")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    done(knock(system, account.username, address=HOME), 201)


# the second factor


def enrolled(system, account):
    """Give the officer an authenticator; return it."""
    uri = next(line for line in system.command("officer", "otp", account.username).splitlines() if "://" in line)
    return TOTP(uri.partition("secret=")[2].partition("&")[0])


def test_an_enrolled_officer_signs_in_with_a_code_which_works_once(system, account):
    authenticator = enrolled(system, account)
    for _ in range(7):  # it is no failed attempt
        answer = knock(system, account.username)
        refused(answer, 401, "otp_required")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    code = authenticator.now()
    done(sign_in(system, account.username, otp=code).call("GET", "/reviews"))
    refused(knock(system, account.username, otp=code), 401, "wrong_credentials")


def test_the_password_is_asked_for_before_the_code(system, account):
    authenticator = enrolled(system, account)
    refused(knock(system, account.username, "mat-khau-sai"), 401, "wrong_credentials")
    refused(knock(system, account.username, "mat-khau-sai", otp=authenticator.now()), 401, "wrong_credentials")
    done(knock(system, account.username, otp=authenticator.now()), 201)


def test_a_wrong_code_is_a_failed_attempt_and_changes_nothing(system, account):
    authenticator = enrolled(system, account)
    wrong = str((int(authenticator.now()) + 1) % 10**6).zfill(6)
    for _ in range(5):
        refused(knock(system, account.username, otp=wrong), 401, "wrong_credentials")
    refused(knock(system, account.username, otp=authenticator.now()), 423, "locked")
    written = system.rows("approval", "SELECT act FROM journal_entries WHERE officer = ?", account.username)
    assert written == [("sign_in_refused",)] * 5


def test_a_lost_phone_is_taken_away_by_an_operator(system, account):
    enrolled(system, account)
    system.command("officer", "otp", account.username, "--remove")
    done(knock(system, account.username), 201)
    done(knock(system, account.username, otp="000000"), 201)


def test_a_secret_under_another_key_is_no_way_in(system, account):
    authenticator = enrolled(system, account)
    foreign = "gAAAAABh" + "A" * 92
    system.change("approval", "UPDATE officers SET otp_secret = ? WHERE username = ?", foreign, account.username)
    refused(knock(system, account.username, otp=authenticator.now()), 503, "unavailable")
    assert '"event":"otp_secret_unreadable"' in system.log()


# passwords


def test_a_password_that_was_hashed_as_it_came_still_works_and_is_hashed_anew(system, account):
    old = PasswordHasher(time_cost=1, memory_cost=1024).hash("ﬁne-hoa-sen-xanh")
    system.change("approval", "UPDATE officers SET password_hash = ? WHERE username = ?", old, account.username)
    done(knock(system, account.username, "ﬁne-hoa-sen-xanh"), 201)
    done(knock(system, account.username, "fine-hoa-sen-xanh"), 201)
    done(knock(system, account.username, " ﬁne-hoa-sen-xanh "), 201)


# where everybody needs a second factor


@pytest.fixture(scope="module")
def strict_system(tmp_path_factory):
    with embedded_system(tmp_path_factory.mktemp("strict"), OFFICER_OTP="required") as started:
        yield started


def test_who_has_not_enrolled_is_told_what_to_do(strict_system):
    account = OfficerAccount("canbo.mau", PASSWORD, AGENCY_CODE)
    strict_system.add_officer(account)
    for _ in range(7):
        problem = refused(knock(strict_system, account.username), 403, "otp_not_enrolled")
        assert "mã QR" in problem["detail"]
    refused(knock(strict_system, account.username, "mat-khau-sai"), 401, "wrong_credentials")
    done(sign_in(strict_system, account.username, otp=enrolled(strict_system, account).now()).call("GET", "/reviews"))
