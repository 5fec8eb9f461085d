"""The household register: a table of ours, filled by import, or a register that answers over HTTP.

The HTTP register answers two calls (docs/operate.md):
``GET {REGISTER_URL}/people/{insurance_code}`` → 200 ``{"insurance_code", "full_name", "birth_date", "gender",
"id_number"}`` or 404 where nobody has the code; ``GET {REGISTER_URL}/health`` → 200.
"""

from typing import Any, Protocol

from services.approval import models
from services.approval.domain.register import Person, is_birth_date
from shared.language.errors import Problem, Unavailable
from shared.language.values import Gender
from shared.settings import Settings
from shared.storage.database import Database

RETRY_AFTER = 5  # seconds


class Register(Protocol):
    """What both registers can do."""

    def find(self, insurance_code: str) -> Person | None:
        """Return who has the code, or None.

        Raises:
            Unavailable: ``register_unavailable``, the register does not answer.
        """
        ...


class TableRegister:
    """The register that `vssid register import` fills."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, insurance_code: str) -> Person | None:
        with self._database.read() as session:
            return models.person_registered(session, insurance_code)


class HttpRegister:
    """A register that answers over HTTP."""

    def __init__(self, url: str, timeout: float) -> None:
        import requests  # here, so that approval does not load it where the register is a table

        self._requests = requests
        self._url, self._timeout = url.rstrip("/"), timeout

    def find(self, insurance_code: str) -> Person | None:
        try:
            response = self._requests.get(f"{self._url}/people/{insurance_code}", timeout=self._timeout)
            if response.status_code == 404:
                return None
            response.raise_for_status()
            return _person(response.json(), insurance_code)
        except (self._requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise register_unavailable() from error

    def check(self) -> None:
        """Raise Unavailable when the register does not answer."""
        try:
            self._requests.get(f"{self._url}/health", timeout=self._timeout).raise_for_status()
        except self._requests.RequestException as error:
            raise register_unavailable() from error


def http_register(settings: Settings) -> HttpRegister | None:
    """Return the client of the register the settings name, or None where the table is the register."""
    return HttpRegister(settings.register_url, settings.register_timeout) if settings.register_url else None


def register_unavailable() -> Problem:
    return Unavailable("register_unavailable", retry_after=RETRY_AFTER, dependency="register")


def _person(answer: Any, insurance_code: str) -> Person:
    """Return the person in an answer; raise ValueError where it does not answer what was asked.

    What the register says travels on into account and card, so an answer that is half right is refused.
    """
    person = Person(
        insurance_code=str(answer["insurance_code"]),
        full_name=str(answer["full_name"] or ""),
        birth_date=str(answer["birth_date"]),
        gender=str(answer["gender"]),
        id_number=answer.get("id_number"),
    )
    complete = person.full_name and is_birth_date(person.birth_date) and person.gender in list(Gender)
    if person.insurance_code != insurance_code or not complete:
        raise ValueError("not the person asked for")
    return person
