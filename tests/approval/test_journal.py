"""The journal: what is recorded, in which order, and who may change it: nobody."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg2
import pytest
import sqlalchemy as sa
from psycopg2 import sql
from sqlalchemy.exc import DBAPIError, NoResultFound

from services.approval import models
from services.approval.domain.journal import Act, BrokenJournal, Entry, Head, Root, read_root, root_of, root_text
from services.approval.domain.officer import token_hash
from services.approval.domain.register import Person
from services.approval.domain.sign_in import Proof
from services.approval.handlers import officer as officers
from services.approval.handlers.journal import list_entries, sign_root
from services.approval.handlers.review import (
    approve_declaration,
    open_review,
    photo_references,
    receive_declaration,
    refuse_approval,
    reject_declaration,
    remind,
    replace_photo,
    return_declaration,
    search_reviews,
    view_photo,
    view_review,
)
from shared import logs
from shared.language.errors import Forbidden, NotFound, Unauthenticated
from shared.storage.seals import new_key
from shared.storage.signatures import Signer
from tests.support.databases import service_database
from tests.support.events import AT, declaration_submitted
from tests.support.journal import OFFICERS, disable_triggers, fill, take_rights, unprotect, verify
from tests.support.officers import ADDRESS, add_officer, add_session
from tests.support.people import AGENCY, CONTACT, FULL_NAME, ID_DOCUMENT, INSURANCE_CODE

LATER = AT + timedelta(minutes=20)
NUMBER = "2026-0000001"
PHOTOS = {"portrait": "uploads/portrait/1.jpg", "id_front": "uploads/id_front/2.jpg"}
PERSON = Person(INSURANCE_CODE, FULL_NAME, "1990-03-12", "female", ID_DOCUMENT.number)
SESSION = token_hash("token")[:16]
EVERY_PAGE = {"limit": 50, "cursor": None}
LOOKS = 25


@pytest.fixture(params=["settings", "postgresql_settings"], ids=["sqlite", "postgresql"])
def settings_used(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def database(settings_used):
    with service_database("approval", settings_used) as database:
        furnish(database)
        yield database


@pytest.fixture
def postgresql(postgresql_settings):
    with service_database("approval", postgresql_settings) as database:
        furnish(database)
        yield database


def furnish(database):
    """Add an officer and an auditor who are signed in, an officer of another agency, and two declarations of a code."""
    with database.begin() as session:
        for username, role, agency, token in (
            ("ours", "officer", AGENCY.code, "token"),
            ("auditor", "auditor", AGENCY.code, "auditor's token"),
            ("theirs", "auditor", "079", "their token"),
            ("stranger", "officer", "079", "stranger's token"),
        ):
            add_session(session, add_officer(session, username, agency_code=agency, role=role), token, AT)
    for count in (1, 2):
        about = {"declaration_id": f"declaration-{count}", "number": f"2026-{count:07d}", "photos": PHOTOS}
        database.run(open_review, declaration_submitted(**about))


def rows(database):
    with database.begin() as session:
        return list(models.all_entries(session))


def said(database):
    return [(one.act, one.officer, one.number, one.detail, one.session_id) for one in rows(database)]


def execute(database, statement, **values):
    with database.begin() as session:
        session.execute(sa.text(statement), values)


# what is recorded


def test_a_row_says_who_saw_what_when_and_from_where(database):
    logs.begin_work("approval", {"request_id": "request-1", "caller": "2001:db8::7"})
    database.run(view_review, "token", NUMBER, at=LATER)
    logs.begin_work("approval", {})
    (row,) = rows(database)
    expected = Entry(
        sequence=1,
        at=LATER,
        act="viewed",
        officer="ours",
        agency_code=AGENCY.code,
        declaration_id="declaration-1",
        number=NUMBER,
        detail="",
        address="2001:db8::7",
        session_id=SESSION,
        request_id="request-1",
        previous="",
    )
    assert row == replace(expected, hash=expected.own_hash())


ACTS = {
    "viewed": (lambda database: database.run(view_review, "token", NUMBER, at=LATER), ""),
    "received": (lambda database: database.run(receive_declaration, "token", NUMBER, at=LATER), ""),
    "returned": (lambda database: database.run(return_declaration, "token", NUMBER, at=LATER), ""),
    "photo_viewed": (
        lambda database: database.run(view_photo, f"{token_hash('token')}/{NUMBER}/portrait", at=LATER),
        "portrait",
    ),
    "photo_replaced": (
        lambda database: database.run(
            replace_photo, "token", NUMBER, "portrait", "reviews/9.jpg", "upload-9", at=LATER
        ),
        "portrait",
    ),
    "reminded": (lambda database: database.run(remind, "token", NUMBER, at=LATER), ""),
    "approval_refused": (
        lambda database: database.run(refuse_approval, "token", NUMBER, "id_mismatch", at=LATER),
        "id_mismatch",
    ),
    "rejected": (lambda database: database.run(reject_declaration, "token", NUMBER, "Ảnh mờ", at=LATER), ""),
}


@pytest.mark.parametrize("act", ACTS)
def test_every_act_on_a_review_is_recorded_once(database, act):
    do, detail = ACTS[act]
    do(database)
    assert said(database) == [(act, "ours", NUMBER, detail, SESSION)]


def test_who_receives_twice_saw_it_twice(database):
    for _ in range(2):
        database.run(receive_declaration, "token", NUMBER, at=LATER)
    assert said(database) == [("received", "ours", NUMBER, "", SESSION)] * 2


def test_an_approval_is_recorded_for_each_declaration_that_it_ends(database):
    database.run(approve_declaration, "token", NUMBER, PERSON, at=LATER)
    assert said(database) == [
        ("approved", "ours", NUMBER, "", SESSION),
        ("rejected", "ours", "2026-0000002", "another_declaration_approved", SESSION),
    ]


def test_a_search_is_recorded_by_its_criteria_and_what_it_showed_but_not_by_what_was_searched_for(database):
    search = {"limit": 1, "q": FULL_NAME, "insurance_code": INSURANCE_CODE, "cursor": None}
    assert len(database.run(search_reviews, "token", search, at=LATER)) == 2
    assert len(database.run(search_reviews, "token", {"limit": 2, "status": "approved"}, at=LATER)) == 0
    assert said(database) == [
        ("searched", "ours", "", f"insurance_code,q: {NUMBER}", SESSION),
        ("searched", "ours", "", "status: ", SESSION),
    ]


def test_signing_in_and_out_is_recorded(database):
    with database.begin() as session:
        ours = models.find_officer(session, "ours")
    database.run(officers.finish_sign_in, ours, Proof(ours.password_hash), ADDRESS, "another token", at=LATER)
    database.run(officers.sign_out, "another token", at=LATER)
    database.run(officers.refuse_sign_in, OFFICERS[0], at=LATER)
    other = token_hash("another token")[:16]
    assert said(database) == [
        ("signed_in", "ours", "", "", other),
        ("signed_out", "ours", "", "", other),
        ("sign_in_refused", "canbo.mau", "", "", ""),
    ]


def test_what_was_refused_and_showed_nothing_leaves_no_row(database):
    with pytest.raises(NotFound):
        database.run(view_review, "stranger's token", NUMBER, at=LATER)
    with pytest.raises(Forbidden):
        database.run(view_review, "their token", NUMBER, at=LATER)
    with pytest.raises(Unauthenticated):
        database.run(view_review, "no token", NUMBER, at=LATER)
    assert rows(database) == []


def test_a_row_holds_nothing_of_the_person(database):
    for do, _ in ACTS.values():
        do(database)
    database.run(search_reviews, "token", {**EVERY_PAGE, "q": FULL_NAME, "insurance_code": INSURANCE_CODE}, at=LATER)
    kept = " ".join(str(value) for row in rows(database) for value in asdict(row).values())
    for personal in (FULL_NAME, "tran thi mau", INSURANCE_CODE, CONTACT.phone, CONTACT.email, ID_DOCUMENT.number, "mờ"):
        assert personal not in kept


def test_without_a_row_nothing_is_shown_and_nothing_is_done(database):
    unprotect(database)
    execute(database, "DELETE FROM journal_head")
    for look in (view_review, receive_declaration):
        with pytest.raises(NoResultFound):
            database.run(look, "token", NUMBER, at=LATER)
    with database.begin() as session:
        assert models.get_review(session, NUMBER).assigned_to is None


# links to pictures


def reference(database):
    with database.begin() as session:
        return photo_references(models.get_review(session, NUMBER), "token")["portrait"]


def test_a_link_shows_the_picture_that_the_dossier_has_now(database):
    link = reference(database)
    assert database.run(view_photo, link, at=LATER) == PHOTOS["portrait"]
    database.run(replace_photo, "token", NUMBER, "portrait", "reviews/9.jpg", "upload-9", at=LATER)
    assert database.run(view_photo, link, at=LATER) == "reviews/9.jpg"


def end_session(database):
    database.run(officers.sign_out, "token", at=LATER)


def move_officer(database):
    execute(database, "UPDATE officers SET agency_code = '079' WHERE username = 'ours'")


def forget_person(database):
    execute(database, "UPDATE reviews SET dossier = NULL")


@pytest.mark.parametrize(
    ("change", "at"),
    [
        (end_session, LATER),
        (move_officer, LATER),
        (forget_person, LATER),
        (lambda database: None, AT + timedelta(hours=8)),
    ],
    ids=["signed out", "another agency", "person deleted", "session over"],
)
def test_a_link_ends_with_what_it_was_made_for(database, change, at):
    link = reference(database)
    change(database)
    before = rows(database)
    with pytest.raises(NotFound) as refusal:
        database.run(view_photo, link, at=at)
    assert refusal.value.code == "link_expired"
    assert rows(database) == before


# the chain


def test_each_row_contains_the_hash_of_the_row_before(database):
    for do, _ in ACTS.values():
        do(database)
    found = rows(database)
    assert [row.sequence for row in found] == list(range(1, len(ACTS) + 1))
    assert [row.previous for row in found] == ["", *(row.hash for row in found[:-1])]
    assert [row.hash for row in found] == [row.own_hash() for row in found]
    with database.begin() as session:
        assert models.heads(session) == [Head(len(found), found[-1].hash)]


def test_looks_at_the_same_instant_stand_one_behind_the_other(postgresql, postgresql_settings):
    def look(count):
        postgresql.run(view_review, "token", NUMBER, at=LATER + timedelta(seconds=count))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(8 * LOOKS)))
    found = rows(postgresql)
    assert sorted(row.at for row in found) == [LATER + timedelta(seconds=count) for count in range(8 * LOOKS)]
    assert verify(postgresql, Signer(postgresql_settings)) == (Head(8 * LOOKS, found[-1].hash), None)


def test_approvals_and_looks_at_the_same_instant_do_not_block_each_other(postgresql, postgresql_settings):
    def act(count):
        if count % 2:
            return postgresql.run(view_review, "token", NUMBER, at=LATER)
        return postgresql.run(receive_declaration, "token", f"2026-000000{count % 4 // 2 + 1}", at=LATER)

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(act, range(4 * LOOKS)))) == 4 * LOOKS
    assert verify(postgresql, Signer(postgresql_settings))[0].sequence == 4 * LOOKS


# roots


def test_a_root_is_signed_once_a_day_of_vietnam(database, settings_used):
    signer = Signer(settings_used)
    midnight = AT.replace(hour=17)  # in Vietnam
    signed = [
        database.run(sign_root, signer.sign, at=at)
        for at in (AT, AT + timedelta(hours=1), midnight - timedelta(seconds=1), midnight, AT)
    ]
    assert [root and root.day for root in signed] == ["2026-08-03", None, None, "2026-08-04", None]
    found = rows(database)
    assert [row.act for row in found] == [Act.ROOT_SIGNED] * 2
    assert signed[3] == root_of(found[1]) == Root("2026-08-04", 1, found[0].hash, signed[3].signature)
    assert signed[3].signature == signer.sign(root_text("2026-08-04", Head(1, found[0].hash)))


def test_of_several_processes_one_signs(postgresql, postgresql_settings):
    signer = Signer(postgresql_settings)
    with ThreadPoolExecutor(8) as pool:
        signed = list(pool.map(lambda _: postgresql.run(sign_root, signer.sign, at=AT), range(16)))
    assert [root.day for root in signed if root] == ["2026-08-03"]
    assert len(rows(postgresql)) == 1


def test_a_root_is_read_as_it_was_printed():
    for root in (Root("2026-08-03", 7, "a" * 64, "s" * 88), Root("2026-08-03", 0, "", "s" * 88)):
        assert read_root(str(root)) == root
    for line in ("", "2026-08-03 7 a", "2026-08-03 x a b"):
        with pytest.raises(ValueError):
            read_root(line)


def test_a_root_of_an_old_key_verifies_for_as_long_as_the_key_is_known(database, settings_used):
    old = fill(database, settings_used, days=1, rows_a_day=3)
    new = Signer(replace(settings_used, journal_key=f"{new_key()} {settings_used.journal_key}"))
    database.run(sign_root, new.sign, at=AT + timedelta(days=2))
    assert verify(database, new)[1].day == "2026-08-05"
    with pytest.raises(BrokenJournal) as broken:
        verify(database, old)
    assert (broken.value.sequence, len(rows(database))) == (6, 6)


# who may change it


STATEMENTS = [
    "UPDATE journal_entries SET officer = 'another'",
    "UPDATE journal_entries SET detail = 'x' WHERE sequence = 2",
    "DELETE FROM journal_entries",
    "DELETE FROM journal_entries WHERE sequence = (SELECT max(sequence) FROM journal_entries)",
    "UPDATE journal_head SET sequence = 1",
    "UPDATE journal_head SET sequence = sequence + 1",
    "UPDATE journal_head SET sequence = sequence - 1",
    "UPDATE journal_head SET hash = 'x'",
    "UPDATE journal_head SET head_id = 2",
    "DELETE FROM journal_head",
    "INSERT INTO journal_head VALUES (2, 1, 'x')",
]
SAME_ROW = " INTO journal_entries SELECT * FROM journal_entries WHERE sequence = 1"
OF_A_DIALECT = {
    "sqlite": [
        "INSERT OR REPLACE" + SAME_ROW,
        "REPLACE" + SAME_ROW,
        "UPDATE OR REPLACE journal_entries SET sequence = 2",
    ],
    "postgresql": [
        "TRUNCATE journal_entries",
        "TRUNCATE journal_head",
        "INSERT" + SAME_ROW + " ON CONFLICT (sequence) DO UPDATE SET officer = 'another'",
        "WITH gone AS (DELETE FROM journal_entries RETURNING *) SELECT * FROM gone",
    ],
}


def refused(database):
    """Return the statements that the database does not refuse."""
    passed = []
    for statement in [*STATEMENTS, *OF_A_DIALECT[database.engine.dialect.name]]:
        try:
            execute(database, statement)
            passed.append(statement)
        except DBAPIError:
            pass
    return passed


def test_no_row_and_not_the_head_can_be_changed_even_by_who_has_every_right(database, settings_used):
    signer = fill(database, settings_used, days=1, rows_a_day=5)
    take_rights(database)
    before, verified = rows(database), verify(database, signer)
    assert refused(database) == []
    assert (rows(database), verify(database, signer)) == (before, verified)


@pytest.fixture
def own_role(postgresql_settings):
    """Settings of a user without special rights, who owns the database of the service as compose will have it."""
    url = urlsplit(postgresql_settings.database_url)
    role = url.path[1:]
    with psycopg2.connect(postgresql_settings.database_url) as connection, connection.cursor() as cursor:
        name = sql.Identifier(role)
        cursor.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER CREATEDB PASSWORD 'invented'").format(name))
        cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))  # or it could not drop what the role owns
    connection.close()
    own = url._replace(netloc=f"{role}:invented@{url.hostname}:{url.port or 5432}").geturl()
    yield replace(postgresql_settings, database_url=own)
    connection = psycopg2.connect(url._replace(path="/postgres").geturl())
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(f"{role}_approval")))
        cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
    connection.close()


def test_the_user_of_the_service_has_no_right_to_change_rows_even_without_triggers(own_role):
    with service_database("approval", own_role) as database:
        signer = fill(database, own_role, days=1, rows_a_day=5)
        disable_triggers(database)
        before = rows(database)
        moves = ("UPDATE journal_head",)  # the one right that the service needs
        assert [statement for statement in refused(database) if not statement.startswith(moves)] == []
        assert rows(database) == before
        assert signer.public_keys


# auditors


def listed(database, token="auditor's token", **search):
    found = database.run(list_entries, token, {"limit": 10, **search}, at=LATER)
    return [(one.sequence, one.act, one.officer) for one in found]


def test_an_auditor_reads_the_own_agency_and_leaves_a_row(database):
    database.run(view_review, "token", NUMBER, at=LATER)
    database.run(view_review, "token", "2026-0000002", at=LATER)
    assert listed(database, number=NUMBER) == [(1, "viewed", "ours")]
    assert listed(database, "their token") == []
    assert listed(database) == [(3, "journal_viewed", "auditor"), (2, "viewed", "ours"), (1, "viewed", "ours")]
    assert said(database)[2:] == [
        ("journal_viewed", "auditor", "", "number", token_hash("auditor's token")[:16]),
        ("journal_viewed", "theirs", "", "", token_hash("their token")[:16]),
        ("journal_viewed", "auditor", "", "", token_hash("auditor's token")[:16]),
    ]


def test_an_auditor_finds_rows_by_officer_and_time_and_pages_through_them(database):
    for count in range(5):
        database.run(view_review, "token", NUMBER, at=AT + timedelta(minutes=count))
    within = {"officer": "ours", "from": AT + timedelta(minutes=1), "to": AT + timedelta(minutes=4)}
    assert listed(database, **within) == [(count, "viewed", "ours") for count in (4, 3, 2)]
    assert listed(database, **within, cursor=3) == [(2, "viewed", "ours")]
    assert listed(database, **within | {"limit": 1}) == [(4, "viewed", "ours"), (3, "viewed", "ours")]
    assert listed(database, officer="nobody") == []


def test_who_is_no_auditor_reads_no_journal(database):
    with pytest.raises(Forbidden):
        listed(database, "token")
    assert rows(database) == []
