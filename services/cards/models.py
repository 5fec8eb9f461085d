"""Tables of cards, how its things are mapped to them, and every query."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.cards.domain import Benefit, Card
from shared.language.values import Agency
from shared.storage.columns import JsonOf, UtcDateTime
from shared.storage.database import mapping

mapper = mapping()
metadata = mapper.metadata

cards = sa.Table(
    "cards",
    metadata,
    sa.Column("card_id", sa.String(36), primary_key=True),
    # one card an account, however often an account is announced and however many instances listen
    sa.Column("account_id", sa.String(36), nullable=False, unique=True),
    sa.Column("declaration_id", sa.String(36), nullable=False),
    sa.Column("insurance_code", sa.String(10), nullable=False, index=True),
    sa.Column("full_name", sa.String(100), nullable=False),
    sa.Column("birth_date", sa.String(10), nullable=False),
    sa.Column("gender", sa.String(10), nullable=False),
    sa.Column("agency", JsonOf(Agency), nullable=False),
    sa.Column("group_code", sa.String(2), nullable=False),
    sa.Column("benefit_level", sa.Integer, nullable=False),
    sa.Column("card_number", sa.String(15), nullable=False),
    sa.Column("serial", sa.BigInteger, nullable=False, unique=True),
    sa.Column("valid_from", sa.Date, nullable=False),
    sa.Column("issued_at", UtcDateTime, nullable=False),
    sa.Column("five_years_from", sa.Date),
)

participations = sa.Table(  # who is in which group, from one day to another, both included
    "participations",
    metadata,
    sa.Column("insurance_code", sa.String(10), primary_key=True),
    sa.Column("group_code", sa.String(2), primary_key=True),
    sa.Column("valid_from", sa.Date, primary_key=True),
    sa.Column("valid_to", sa.Date),
)

benefit_levels = sa.Table(  # what a group is entitled to, from one day to another, both included
    "benefit_levels",
    metadata,
    sa.Column("group_code", sa.String(2), primary_key=True),
    sa.Column("valid_from", sa.Date, primary_key=True),
    sa.Column("valid_to", sa.Date),
    sa.Column("level", sa.Integer, nullable=False),
    sa.Column("payer", sa.String(20), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
)

mapper.map_imperatively(Card, cards)


def _in_force(table: sa.Table) -> Any:
    day = sa.bindparam("day", type_=sa.Date)
    return sa.and_(table.c.valid_from <= day, sa.or_(table.c.valid_to.is_(None), table.c.valid_to >= day))


# Statements that run for every card are built once: building them takes longer than sending them.
_CARD = sa.select(Card).where(cards.c.account_id == sa.bindparam("account_id"))
_PARTICIPATIONS = (
    sa.select(participations.c.group_code)
    .distinct()
    .where(participations.c.insurance_code == sa.bindparam("insurance_code"), _in_force(participations))
)
_BENEFITS = (
    sa.select(benefit_levels.c.group_code, benefit_levels.c.name, benefit_levels.c.payer, benefit_levels.c.level)
    .where(_in_force(benefit_levels))
    .order_by(benefit_levels.c.valid_from)
)


def card_of(session: Session, account_id: str) -> Card | None:
    return session.scalars(_CARD, {"account_id": account_id}).first()


def participations_on(session: Session, insurance_code: str, day: date) -> Sequence[str]:
    """Return the codes of the groups a person is in."""
    return session.scalars(_PARTICIPATIONS, {"insurance_code": insurance_code, "day": day}).all()


def benefits_on(session: Session, day: date) -> dict[str, Benefit]:
    """Return every group's benefit by its code; of two rows in force the one that began later applies."""
    rows = session.execute(_BENEFITS, {"day": day})
    return {row.group_code: Benefit(*row) for row in rows}


def group_codes(session: Session) -> set[str]:
    """Return the codes of all groups that ever had a benefit level."""
    return set(session.scalars(sa.select(benefit_levels.c.group_code)))
