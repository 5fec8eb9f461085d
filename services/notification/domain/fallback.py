"""What is kept of an SMS that a mail can replace, until it is known that the SMS arrived."""

import json
from dataclasses import dataclass

from services.notification.domain import texts
from services.notification.domain.occasion import Occasion
from shared.language.values import Contact

# Where the mail of an occasion says what its SMS says, that mail went out already and a second one says nothing.
FALLBACK_TEXTS = dict.fromkeys((texts.ACTIVATED, texts.PASSWORD_RENEWED), texts.SMS_UNDELIVERED)


@dataclass(frozen=True)
class Fallback:
    """The mail that is due when the SMS does not arrive: its text, its address, and the values its text needs."""

    text: str
    email: str
    language: str
    values: dict[str, str]

    def dump(self) -> str:
        """Return it as text that must be sealed: names and addresses are in it."""
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


def fallback_of(occasion: Occasion) -> Fallback | None:
    """Return what replaces the SMS of an occasion, or None where a mail would say nothing new."""
    text = FALLBACK_TEXTS.get(occasion.text)
    if text is None or not occasion.contact.email:
        return None
    return Fallback(text, occasion.contact.email, occasion.contact.language, occasion.values)


def load_fallback(dumped: str) -> Fallback:
    return Fallback(*json.loads(dumped))
