"""`vssid officer …` on the approval service's real tables."""

import csv
import io
import json
import unicodedata
from dataclasses import replace
from datetime import timedelta
from math import inf

import pytest
import sqlalchemy as sa
import zxingcpp
from click.testing import CliRunner
from PIL import Image

from services.approval import models
from services.approval.commands.officer import keep_officer, officer
from services.approval.domain.officer import PERMISSIONS, Officer, Permission, Role, session_id_of, token_hash
from services.approval.domain.sign_in import Proof
from services.approval.handlers import officer as handlers
from services.approval.handlers.review import open_review, receive_declaration
from services.approval.media import QUIET_ZONE, terminal_qr
from shared.language.clock import utc_now
from shared.language.events import DeclarationReturned
from shared.storage.passwords import is_password
from shared.storage.seals import Seal, new_key
from tests.support.databases import announced, service_database
from tests.support.events import declaration_submitted
from tests.support.officers import ADDRESS, add_session

NAME, AGENCY, GOOD = "canbo.mau", ["--agency", "07921"], "hoa-sen-xanh-bien"
WORDS = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}


@pytest.fixture
def database(settings, monkeypatch):
    """The approval database; the environment names it."""
    monkeypatch.setenv("VAR_DIR", settings.var_dir)
    for name in ("DATABASE_URL", "AMQP_URL", "OFFICER_KEY"):
        monkeypatch.delenv(name, raising=False)
    with service_database("approval", settings) as database:
        yield database


def run(*words, given=""):
    answer = CliRunner().invoke(officer, words, input=given)
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer.exit_code, answer.output


def add(*words, password=GOOD):
    return run("add", *(words or (NAME, *AGENCY)), given=f"{password}\n")


def kept(database):
    with database.begin() as session:
        return session.scalars(sa.select(Officer)).all()


def sign_in(database, token="token"):
    with database.begin() as session:
        add_session(session, models.get_officer(session, NAME), token, utc_now())


def sessions(database):
    with database.begin() as session:
        return [one.session_id for one in models.running_sessions(session, utc_now())]


# add, password


def test_an_officer_is_added_and_changed(database):
    assert add() == (0, "officer canbo.mau sees agency 07921\n")
    assert add(NAME, "--agency", "079", "--role", "auditor", password="song-dai-bien-rong")[0] == 0
    (one,) = kept(database)
    assert (one.username, one.agency_code, one.role) == (NAME, "079", "auditor")
    assert is_password(one.password_hash, "song-dai-bien-rong")


def test_an_officer_who_is_changed_keeps_the_authenticator_and_signs_in_again(database):
    add()
    database.run(handlers.enrol, NAME, "sealed")
    sign_in(database)
    assert add()[0] == 0
    assert (kept(database)[0].otp_secret, sessions(database)) == ("sealed", [])


@pytest.mark.parametrize(
    ("words", "password", "said"),
    [
        ((NAME, "--agency", "7921"), GOOD, "agency '7921' is not three or five digits"),
        ((NAME, "--agency", "0792A"), GOOD, "agency '0792A' is not three or five digits"),
        ((NAME, "--agency", "０７９２１"), GOOD, "agency '０７９２１' is not three or five digits"),
        ((NAME, *AGENCY), "ngan", "the password is refused: it has 4 characters; it takes 10 to 128"),
        ((NAME, *AGENCY), "", "the password is refused: it has 0 characters; it takes 10 to 128"),
        ((NAME, *AGENCY), f"x-{NAME}-x", "the password is refused: it contains the user name"),
        (("a" * 61, *AGENCY), GOOD, "a user name has 1 to 60 characters, none of them hidden"),
        ((" ", *AGENCY), GOOD, "a user name has 1 to 60 characters, none of them hidden"),
        (("can\u200bbo", *AGENCY), GOOD, "a user name has 1 to 60 characters, none of them hidden"),
    ],
)
def test_an_officer_who_could_not_sign_in_is_not_added(database, words, password, said):
    assert add(*words, password=password) == (1, f"Error: {said}\n")
    assert kept(database) == []


def test_a_name_and_a_password_are_kept_as_sign_in_reads_them(database):
    add(
        unicodedata.normalize("NFD", " cán  bộ "), *AGENCY, password=f"  {unicodedata.normalize('NFD', 'Hoa sen nở')}  "
    )
    (one,) = kept(database)
    assert one.username == "cán bộ"
    assert is_password(one.password_hash, "Hoa sen nở")


def test_a_new_password_ends_the_sessions_and_lifts_the_locks(database):
    add()
    sign_in(database)
    for _ in range(5):
        database.run(handlers.begin_sign_in, NAME, ADDRESS, at=utc_now())
    assert run("password", NAME, given="song-dai-bien-rong\n") == (0, "officer canbo.mau has a new password\n")
    assert is_password(kept(database)[0].password_hash, "song-dai-bien-rong")
    assert sessions(database) == []
    assert database.run(handlers.begin_sign_in, NAME, ADDRESS, at=utc_now()).username == NAME


def test_a_password_that_is_refused_leaves_the_old_one(database):
    add()
    assert run("password", NAME, given="password1234\n") == (
        1,
        "Error: the password is refused: This is a very common password.\n",
    )
    assert is_password(kept(database)[0].password_hash, GOOD)


@pytest.mark.parametrize("words", [["remove"], ["password"], ["otp"], ["otp", "--remove"], ["sessions"]])
def test_an_officer_whom_there_is_not_is_named_in_the_refusal(database, words):
    verb, *options = words
    said = "Error: there is no officer khong.ai; `vssid officer list` shows all\n"
    assert run(verb, "khong.ai", *options, given=f"{GOOD}\n") == (1, said)


# list, sessions, remove


def test_officers_are_listed_with_what_an_operator_asks_for(database):
    add()
    add("canbo.hai", "--agency", "079", "--role", "admin")
    database.run(handlers.enrol, "canbo.hai", "sealed")
    at = utc_now().replace(microsecond=0)
    for _ in range(5):
        database.run(handlers.begin_sign_in, NAME, ADDRESS, at=at)
    locked = (at + timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert run("list")[1].splitlines() == [
        "canbo.hai\t079\tadmin\totp\t-\t-",
        f"canbo.mau\t07921\tofficer\t-\t{locked}\t-",
    ]


def test_officers_are_listed_for_programs(database):
    add()
    add("canbo.hai", "--agency", "079", "--role", "admin")
    database.run(handlers.enrol, "canbo.hai", "sealed")
    at = utc_now().replace(microsecond=0)
    for _ in range(5):
        database.run(handlers.begin_sign_in, NAME, ADDRESS, at=at)
    locked = (at + timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    never = {"last_sign_in_at": None}
    assert list(map(json.loads, run("list", "--json")[1].splitlines())) == [
        {"username": "canbo.hai", "agency_code": "079", "role": "admin", "has_otp": True, "locked_until": None} | never,
        {"username": NAME, "agency_code": "07921", "role": "officer", "has_otp": False, "locked_until": locked} | never,
    ]


def test_the_last_sign_in_is_listed(database):
    add()
    at = utc_now().replace(microsecond=0)
    found = database.run(handlers.begin_sign_in, NAME, ADDRESS, at=at)
    database.run(handlers.finish_sign_in, found, Proof(found.password_hash), ADDRESS, "token", at=at)
    assert run("list")[1] == f"canbo.mau\t07921\tofficer\t-\t-\t{at:%Y-%m-%dT%H:%M:%S}.000Z\n"


def test_sessions_are_listed_and_ended(database):
    add()
    add("canbo.hai", *AGENCY)
    sign_in(database)
    (line,) = run("sessions")[1].splitlines()
    assert line.split("\t")[:2] + line.split("\t")[4:] == [session_id_of(token_hash("token")), NAME, ADDRESS]
    assert run("sessions", "canbo.hai", "--end") == (0, "0 sessions ended\n")
    assert sessions(database) == [session_id_of(token_hash("token"))]
    assert run("sessions", NAME, "--end") == (0, f"{line}\n1 sessions ended\n")
    assert sessions(database) == []


def test_sessions_are_listed_for_programs_and_ended(database):
    add()
    sign_in(database)
    columns = run("sessions")[1].rstrip("\n").split("\t")
    row = dict(zip(["session_id", "username", "created_at", "last_used_at", "address"], columns, strict=True))
    for words in (["sessions", "--json"], ["sessions", NAME, "--end", "--json"]):
        code, output = run(*words)
        assert (code, list(map(json.loads, output.splitlines()))) == (0, [row])
    assert sessions(database) == []


def test_of_an_officer_who_is_removed_the_sessions_end_and_the_dossiers_return(database):
    add()
    sign_in(database)
    at = utc_now()
    dates = {"at": at, "expires_at": at + timedelta(days=10)}
    for count in (1, 2):
        names = {"declaration_id": f"declaration-{count}", "number": f"2026-{count:07d}"}
        database.run(open_review, declaration_submitted(**names, **dates))
        database.run(receive_declaration, "token", names["number"], at=at)
    with database.begin() as session:
        decided = models.get_review(session, "2026-0000002", for_update=True)
        decided.reject(NAME, "Ảnh mờ", at=at)
    assert run("remove", NAME) == (0, "officer canbo.mau is removed, 1 dossiers returned to the queue\n")
    assert (kept(database), sessions(database)) == ([], [])
    returned = announced(database)[-1]
    assert returned == DeclarationReturned(
        declaration_id="declaration-1", number="2026-0000001", version=2, at=returned.at
    )
    with database.begin() as session:
        review = models.get_review(session, "2026-0000001")
        assert (review.assigned_to, review.received_at) == (None, None)
        assert review.history[-1] == {"at": returned.at.isoformat(), "what": "returned_by_another", "officer": ""}
        decided = models.get_review(session, "2026-0000002")
        assert (decided.decided_by, decided.assigned_to) == (NAME, NAME)


def test_a_dossier_whose_time_is_over_is_left_to_the_timer(database):
    add()
    sign_in(database)
    at = utc_now()
    database.run(open_review, declaration_submitted(at=at - timedelta(days=10), expires_at=at + timedelta(seconds=30)))
    database.run(receive_declaration, "token", "2026-0000001", at=at)
    assert database.run(handlers.remove_officer, NAME, at=at + timedelta(seconds=30)) == 0


# otp


def test_an_authenticator_is_shown_once_and_kept_sealed(database, settings):
    add()
    sign_in(database)
    code, output = run("otp", NAME)
    uri = next(line for line in output.splitlines() if line.startswith("otpauth://totp/VssID:canbo.mau?secret="))
    secret = uri.partition("secret=")[2].partition("&")[0]
    assert (code, len(secret), sessions(database)) == (0, 32, [])
    sealed = kept(database)[0].otp_secret
    assert secret not in sealed
    assert Seal((settings.folder / "officer.key").read_text()).open(sealed, inf) == secret
    assert scanned(output) == uri
    assert run("otp", NAME)[1] != output
    assert run("otp", NAME, "--remove") == (0, "officer canbo.mau has no authenticator\n")
    assert kept(database)[0].otp_secret is None


def scanned(output):
    """Return what a phone reads from the terminal."""
    lines = [line for line in output.splitlines() if line and set(line) <= set(WORDS)]
    rows = [bytes(255 * WORDS[one][half] for one in line) for line in lines for half in (0, 1)]
    picture = Image.frombytes("L", (len(lines[0]), len(rows)), b"".join(rows))
    return zxingcpp.read_barcode(picture.resize((picture.width * 8, picture.height * 8), Image.Resampling.NEAREST)).text


def test_a_code_has_a_quiet_zone_on_every_side():
    lines = terminal_qr("otpauth://totp/VssID:canbo.mau").splitlines()
    assert {line[:QUIET_ZONE] + line[-QUIET_ZONE:] for line in lines} == {"█" * 2 * QUIET_ZONE}
    assert set(lines[0]) == {"█"}


def test_the_key_of_the_setting_seals_where_there_is_one(database, monkeypatch):
    key = new_key()
    monkeypatch.setenv("OFFICER_KEY", key)
    add()
    run("otp", NAME)
    assert len(Seal(key).open(kept(database)[0].otp_secret, inf)) == 32


def test_an_authenticator_without_a_key_is_refused(database, monkeypatch):
    add()
    monkeypatch.setenv("AMQP_URL", "amqp://nowhere:5672/")
    with pytest.raises(Exception, match="OFFICER_KEY is empty: give the approval service and this command a key of"):
        run("otp", NAME)
    assert kept(database)[0].otp_secret is None


# permissions


def test_the_matrix_is_printed_as_it_is_applied(database):
    rows = list(csv.DictReader(io.StringIO(run("permissions")[1])))
    assert [row["permission"] for row in rows] == list(Permission)
    for role in Role:
        assert {row["permission"] for row in rows if row[role] == "yes"} == PERMISSIONS[role]


def test_the_matrix_is_printed_for_programs(database):
    rows = list(map(json.loads, run("permissions", "--json")[1].splitlines()))
    assert rows == [{"permission": one, **{role: one in PERMISSIONS[role] for role in Role}} for one in Permission]


def test_an_officer_for_a_time_is_kept_until_then(database):
    keep_officer(NAME, "07921", "officer", GOOD, timedelta(hours=8))
    (one,) = kept(database)
    left = one.expires_at - utc_now()
    assert timedelta(hours=7) < left <= timedelta(hours=8)
    assert replace(one, expires_at=None).has_expired(one.expires_at) is False
