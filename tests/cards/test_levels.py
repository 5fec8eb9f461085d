"""The benefit levels that come with the project, against the table of the groups (§2.2, I10)."""

from datetime import date

import pytest

from services.cards import models

LEVELS = {
    1: "CC TE",
    2: "CK CB KC HN DT DK XD BT TS",
    3: "HT TC",
    4: "DN HX CH NN TK HC XK TB NO CT XB TN CS XN MS HD TQ TA TY TV HG LS PV HS SV GB GD",
    5: "QN CA CY",
}
ALWAYS = {code: level for level, codes in LEVELS.items() for code in codes.split()}


def levels_on(database, day):
    with database.begin() as session:
        return {code: benefit.level for code, benefit in models.benefits_on(session, day).items()}


@pytest.mark.parametrize(
    ("day", "near_poor", "over_75"),
    [(date(2025, 12, 31), 3, 4), (date(2026, 1, 1), 2, 2), (date(2030, 6, 1), 2, 2)],
    ids=str,
)
def test_every_group_of_the_table_has_its_level(database, day, near_poor, over_75):
    assert levels_on(database, day) == ALWAYS | {"CN": near_poor, "LH": over_75}


def test_before_the_decision_took_effect_nothing_is_known(database):
    assert levels_on(database, date(2014, 12, 31)) == {}


def test_who_pays_follows_the_table(database):
    with database.begin() as session:
        benefits = models.benefits_on(session, date(2026, 8, 3))
    payers = {code: benefits[code].payer for code in ("DN", "HT", "TE", "CN", "GD")}
    assert payers == {"DN": "employer", "HT": "fund", "TE": "budget", "CN": "supported", "GD": "household"}
