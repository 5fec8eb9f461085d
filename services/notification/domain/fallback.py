"""What is kept of an SMS that a mail can stand in for, until it is known that the SMS arrived."""

import json
from dataclasses import dataclass

from services.notification.domain import texts
from services.notification.domain.occasion import Occasion
from shared.language.values import Contact

# Where the mail of an occasion says what its SMS says, that mail went out already and a second one says nothing.
STANDS_IN = {texts.ACTIVATED: texts.SMS_UNDELIVERED}


@dataclass(frozen=True)
class Fallback:
    """The mail that is due when the SMS does not arrive: its text, its address, and what fills its braces."""

    text: str
    email: str
    language: str
    values: dict[str, str]

    def written(self) -> str:
        """Return it as text, to be sealed: names and addresses stand in it."""
        return json.dumps([self.text, self.email, self.language, self.values], ensure_ascii=False)

    def occasion(self, message_id: str, declaration_id: str, number: str) -> Occasion:
        """Return the occasion of this mail; its key is the same however often the carrier complains."""
        return Occasion(
            key=f"{self.text}:{message_id}",
            text=self.text,
            declaration_id=declaration_id,
            number=number,
            contact=Contact(phone="", email=self.email, language=self.language),
            values=self.values,
        )


def fallback_of(told: Occasion) -> Fallback | None:
    """Return what stands in for the SMS of an occasion, or None where nothing would say anything new."""
    text = STANDS_IN.get(told.text)
    if text is None or not told.contact.email:
        return None
    return Fallback(text, told.contact.email, told.contact.language, told.values)


def read_fallback(written: str) -> Fallback:
    return Fallback(*json.loads(written))
