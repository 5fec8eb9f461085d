"""Issuing a card, on its real tables."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from services.cards import models
from services.cards.domain import Card
from services.cards.handlers import issue_card
from shared.language.errors import Refused
from shared.language.events import CardIssued
from tests.support.databases import announced
from tests.support.events import AT, card_requested
from tests.support.people import AGENCY

PERSON = "7900000017"


def issue(database, *, at=AT, **changes) -> Card:
    event = card_requested(**changes)
    with database.begin() as session:
        issue_card(session, event, at=at)
    with database.begin() as session:
        card = models.card_of(session, event.account_id)
    assert card is not None
    return card


def join(database, group_code, first, last=None):
    row = {"insurance_code": PERSON, "group_code": group_code, "valid_from": first, "valid_to": last}
    with database.begin() as session:
        session.execute(sa.insert(models.participations), [row])


def test_a_new_account_gets_a_card_and_it_is_announced(database):
    card = issue(database)
    assert announced(database) == [
        CardIssued(
            card_id=card.card_id,
            account_id="account-1",
            declaration_id="declaration-1",
            insurance_code=PERSON,
            card_number="GD4797900000017",
            serial=1,
            at=AT,
        )
    ]


def test_a_card_is_found_again_as_it_was_issued(database):
    card = issue(database)
    assert card == Card(
        card_id=card.card_id,
        account_id="account-1",
        declaration_id="declaration-1",
        insurance_code=PERSON,
        full_name="Trần Thị Mẫu",
        birth_date="1990-03-12",
        gender="female",
        agency=AGENCY,
        group_code="GD",
        benefit_level=4,
        card_number="GD4797900000017",
        serial=1,
        valid_from=date(2026, 8, 3),
        issued_at=AT,
        five_years_from=None,
    )


def test_the_same_event_again_makes_no_second_card(database):
    first = issue(database)
    again = issue(database, at=AT + timedelta(days=1))
    assert again == first
    assert len(announced(database)) == 1
    with database.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(models.cards)) == 1


def test_every_card_has_its_own_serial(database):
    serials = [issue(database, account_id=f"account-{i}", insurance_code=f"790000{i:04d}").serial for i in range(5)]
    assert serials == [1, 2, 3, 4, 5]


def test_the_group_comes_from_the_participations(database):
    join(database, "DN", date(2026, 1, 1))
    assert issue(database).card_number == "DN4797900000017"


def test_the_participation_of_somebody_else_does_not_count(database):
    join(database, "DN", date(2026, 1, 1))
    assert issue(database, insurance_code="7900000025").card_number == "GD4797900000025"


@pytest.mark.parametrize(
    ("first", "last", "group_code"),
    [
        (date(2026, 8, 3), None, "HN"),
        (date(2026, 1, 1), date(2026, 8, 3), "HN"),
        (date(2026, 1, 1), date(2026, 8, 2), "GD"),
        (date(2026, 8, 4), None, "GD"),
    ],
    ids=["first day", "last day", "over since yesterday", "from tomorrow"],
)
def test_a_participation_counts_from_its_first_to_its_last_day(database, first, last, group_code):
    join(database, "HN", first, last)
    assert issue(database).group_code == group_code


def test_of_several_participations_the_best_counts(database):
    for code in ("DN", "CN", "CC", "HT"):
        join(database, code, date(2026, 1, 1))
    assert issue(database).card_number == "CC1797900000017"


def test_a_child_under_six_gets_a_child_s_card(database):
    assert issue(database, birth_date="2022-05-18").card_number == "TE1797900000017"


def test_the_near_poor_are_on_level_two_from_the_first_minute_of_2026_in_vietnam(database):
    join(database, "CN", date(2025, 1, 1))
    midnight = datetime(2025, 12, 31, 17, 0, tzinfo=UTC)
    before = issue(database, at=midnight - timedelta(minutes=1))
    after = issue(database, at=midnight, account_id="account-2")
    assert (before.card_number, before.valid_from) == ("CN3797900000017", date(2025, 12, 31))
    assert (after.card_number, after.valid_from) == ("CN2797900000017", date(2026, 1, 1))


def test_a_level_that_begins_later_replaces_the_one_before(database):
    row = {"group_code": "GD", "name": "hộ gia đình", "payer": "household", "valid_to": None}
    with database.begin() as session:
        session.execute(sa.insert(models.benefit_levels), [{**row, "level": 3, "valid_from": date(2026, 8, 3)}])
    assert issue(database, at=AT - timedelta(days=1)).benefit_level == 4
    assert issue(database, account_id="account-2").benefit_level == 3


def test_without_a_level_nothing_is_kept_and_nothing_announced(database):
    with database.begin() as session:
        session.execute(sa.delete(models.benefit_levels))
    with pytest.raises(Refused):
        issue(database)
    assert announced(database) == []
    with database.begin() as session:
        assert models.card_of(session, "account-1") is None
