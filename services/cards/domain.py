"""A health card: whose it is, which group and benefit level it states, and how its number is made (§2.2)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from shared.language.clock import vietnam_day
from shared.language.errors import Invalid, Refused
from shared.language.events import AccountActivated, CardIssued, CardRequested
from shared.language.values import Agency

CARD_NUMBER = re.compile(r"[A-Z]{2}[1-5][0-9]{2}[0-9]{10}")  # I7
CHILD, HOUSEHOLD = "TE", "GD"
CHILDHOOD = 6  # years a child is in the group TE

# Of several levels the highest counts (decree 188/2025, Art. 21), and the digit does not say which that is:
# 5 pays all that 1 pays and what lies outside the benefit scope, 1 is 100 % without limits on drugs and
# techniques, 2 is 100 % with them, 3 is 95 %, 4 is 80 %.
BEST_FIRST = (5, 1, 2, 3, 4)


class Payer(StrEnum):
    """Who pays the contribution, in the order in which the law lists the groups."""

    EMPLOYER = "employer"
    FUND = "fund"
    BUDGET = "budget"
    SUPPORTED = "supported"
    HOUSEHOLD = "household"


@dataclass(frozen=True)
class Benefit:
    """A group of participants and what it is entitled to on some day; ``level`` is the third character of a card."""

    group_code: str
    name: str
    payer: str
    level: int


@dataclass
class Card:
    """A person's health card, as issued. ``birth_date`` is YYYY-MM-DD, or YYYY where only the year is known."""

    card_id: str
    account_id: str
    declaration_id: str
    insurance_code: str
    full_name: str
    birth_date: str
    gender: str
    agency: Agency
    group_code: str
    benefit_level: int
    card_number: str
    serial: int
    valid_from: date
    issued_at: datetime
    five_years_from: date | None = None

    def issued_event(self) -> CardIssued:
        """Return the fact that this card exists."""
        return CardIssued(
            card_id=self.card_id,
            account_id=self.account_id,
            declaration_id=self.declaration_id,
            insurance_code=self.insurance_code,
            card_number=self.card_number,
            serial=self.serial,
            at=self.issued_at,
        )


def new_card(
    event: AccountActivated | CardRequested, benefit: Benefit, *, card_id: str, serial: int, at: datetime
) -> Card:
    """Return the card that a new account gets, valid from today."""
    return Card(
        card_id=card_id,
        account_id=event.account_id,
        declaration_id=event.declaration_id,
        insurance_code=event.insurance_code,
        full_name=event.full_name,
        birth_date=event.birth_date,
        gender=event.gender,
        agency=event.agency,
        group_code=benefit.group_code,
        benefit_level=benefit.level,
        card_number=card_number(benefit, event.agency.code, event.insurance_code),
        serial=serial,
        valid_from=vietnam_day(at),
        issued_at=at,
    )


def card_number(benefit: Benefit, agency_code: str, insurance_code: str) -> str:
    """Return group, level, province and insurance code in 15 characters.

    Raises:
        Invalid: ``not_a_card_number``.
    """
    number = f"{benefit.group_code}{benefit.level}{agency_code[1:3]}{insurance_code}"
    if not CARD_NUMBER.fullmatch(number):
        raise Invalid("not_a_card_number")
    return number


def benefit_of(participations: Iterable[str], birth_date: str, benefits: Mapping[str, Benefit], today: date) -> Benefit:
    """Return the best benefit among a person's groups; somebody who is in none belongs to a household.

    ``benefits`` are today's, by group code; a group that has none today does not count.

    Raises:
        Refused: ``no_benefit_level``, not even the household group has a level today.
    """
    groups = {*participations, CHILD} if is_young_child(birth_date, today) else {*participations}
    entitled = [benefits[code] for code in groups if code in benefits]
    if not entitled and HOUSEHOLD not in benefits:
        raise Refused("no_benefit_level", group_code=HOUSEHOLD)
    return min(entitled, key=_preference) if entitled else benefits[HOUSEHOLD]


def _preference(benefit: Benefit) -> tuple[int, int, str]:
    """The best level; among equals the group the law lists first, by who pays."""
    return BEST_FIRST.index(benefit.level), list(Payer).index(Payer(benefit.payer)), benefit.group_code


def is_young_child(birth_date: str, today: date) -> bool:
    """Say whether somebody is under six; where only the year is known, the child has the benefit of the doubt."""
    born = birth_date if len(birth_date) > 4 else f"{birth_date}-12-31"
    sixth_birthday = f"{int(born[:4]) + CHILDHOOD:04d}{born[4:]}"
    return today.isoformat() < sixth_birthday
