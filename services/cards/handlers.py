"""The work of cards: get, act, announce."""

from datetime import datetime

from sqlalchemy.orm import Session

from services.cards import models
from services.cards.domain import benefit_of, new_card
from shared.language.clock import vietnam_day
from shared.language.events import AccountActivated, CardRequested
from shared.language.values import new_id
from shared.storage.database import insert
from shared.storage.outbox import announce
from shared.storage.serials import next_serial


def issue_card(session: Session, event: AccountActivated | CardRequested, *, at: datetime) -> None:
    """Issue the account's card and announce it; an account that has one gets no other."""
    if models.card_of(session, event.account_id) is not None:
        return
    today = vietnam_day(at)
    participations = models.participations_on(session, event.insurance_code, today)
    benefit = benefit_of(participations, event.birth_date, models.benefits_on(session, today), today)
    card = new_card(event, benefit, card_id=new_id(), serial=next_serial(session, "card"), at=at)
    if insert(session, models.cards, card):  # another instance may have heard the same event
        announce(session, card.issued_event())
