"""The household register: a table of ours, filled by import, or a register that answers over HTTP.

The HTTP register answers two calls (docs/operate.md):
``GET {REGISTER_URL}/people/{insurance_code}`` → 200 ``{"insurance_code", "full_name", "birth_date", "gender",
"id_number"}`` or 404 where nobody has the code; ``GET {REGISTER_URL}/health`` → 200.
"""

import ssl
from typing import Any, Protocol

import orjson

from services.approval import models
from services.approval.domain.register import Person, is_birth_date
from shared import logs
from shared.language.errors import Problem, Unavailable
from shared.language.text import as_written
from shared.language.values import Gender
from shared.settings import Settings
from shared.storage.database import Database

RETRY_AFTER = 5  # seconds
LARGEST_ANSWER = 64 * 1024  # bytes
CHUNK = 8 * 1024  # bytes
LONGEST_NAME = 100  # characters
LONGEST_ID_NUMBER = 20

log = logs.log(__name__)


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


class RegisterFault(Exception):
    """What is wrong with the register, in words for operators and without anything of a person."""


class HttpRegister:
    """A register that answers over HTTP. The code asked for and the token go to its host and to no other."""

    def __init__(self, url: str, token: str, timeout: float) -> None:
        import requests  # here, so that approval does not load it where the register is a table

        self._requests = requests
        self._url, self._timeout = url.rstrip("/"), timeout
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def find(self, insurance_code: str) -> Person | None:
        """Return who has the code, or None; bounded by ``timeout`` between two bytes only, so that who calls sets a
        limit to the whole.
        """
        try:
            status, body = self._get(f"/people/{insurance_code}", 200, 404)
            return _person(orjson.loads(body), insurance_code) if status == 200 else None
        except RegisterFault as fault:
            log.warning("register_failed", reason=str(fault))
            raise register_unavailable() from fault
        except (ValueError, KeyError, TypeError) as error:
            log.warning("register_failed", reason=f"its answer cannot be used ({type(error).__name__})")
            raise register_unavailable() from error

    def check(self) -> None:
        """Ask whether the register is there.

        Raises:
            RegisterFault: it is not, or not for us.
        """
        self._get("/health", 200)

    def _get(self, path: str, *expected: int) -> tuple[int, bytes]:
        try:
            with self._requests.Session() as session:
                session.trust_env = False  # no proxy of the environment, and no password of a .netrc
                session.headers.update(self._headers)
                authorities = ssl.get_default_verify_paths().cafile or True
                answer = session.get(
                    self._url + path, timeout=self._timeout, allow_redirects=False, stream=True, verify=authorities
                )
                if answer.status_code not in expected:
                    raise _refusal(answer.status_code)
                return answer.status_code, _read(answer)
        except self._requests.Timeout as error:
            raise RegisterFault(f"it does not answer within {self._timeout:g} s") from error
        except self._requests.exceptions.SSLError as error:
            raise RegisterFault("its certificate is not valid for REGISTER_URL") from error
        except self._requests.RequestException as error:
            raise RegisterFault(f"it does not answer ({type(error).__name__})") from error


def http_register(settings: Settings) -> HttpRegister | None:
    """Return the client of the register the settings name, or None where the table is the register."""
    if not settings.register_url:
        return None
    return HttpRegister(settings.register_url, settings.register_token, settings.register_timeout)


def _read(answer: Any) -> bytes:
    body = b""
    for chunk in answer.iter_content(CHUNK):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise RegisterFault(f"its answer is longer than {LARGEST_ANSWER // 1024} KiB")
    return body


def _refusal(status: int) -> RegisterFault:
    if 300 <= status < 400:
        return RegisterFault(f"it answers {status}: redirects are not followed, correct REGISTER_URL")
    if status in (401, 403):
        return RegisterFault(f"it answers {status}: correct REGISTER_TOKEN")
    return RegisterFault(f"it answers {status}")


def register_unavailable() -> Problem:
    return Unavailable("register_unavailable", retry_after=RETRY_AFTER, dependency="register")


def _person(answer: Any, insurance_code: str) -> Person:
    """Return the person in an answer; raise ValueError where it does not answer what was asked.

    What the register says travels on into account and card, so an answer that is half right is refused.
    """
    name = answer["full_name"]
    person = Person(
        insurance_code=answer["insurance_code"],
        full_name=as_written(name) if isinstance(name, str) else name,
        birth_date=answer["birth_date"],
        gender=answer["gender"],
        id_number=answer.get("id_number") or None,
    )
    usable = (
        _is_line(person.full_name, LONGEST_NAME)
        and isinstance(person.birth_date, str)
        and is_birth_date(person.birth_date)
        and person.gender in list(Gender)
        and (person.id_number is None or _is_line(person.id_number, LONGEST_ID_NUMBER))
    )
    if person.insurance_code != insurance_code or not usable:
        raise ValueError("not the person asked for")
    return person


def _is_line(value: Any, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()
