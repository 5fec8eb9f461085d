"""One declaration's whole way over HTTP, as a phone and an officer's browser would go it; for demo and smoke."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import requests

from vssid.people import DemoPerson, declaration_of, picture

SECONDS = 60.0  # any single step that takes longer than this has failed


class StepFailed(Exception):
    """A step of the way did not happen; the message says which, and what was answered."""


class Walk:
    """Goes the way of a declaration against a gateway."""

    def __init__(self, url: str, as_officer: "Walk | None" = None) -> None:
        self._base = f"{url.rstrip('/')}/api/v1"
        self._session = requests.Session()
        self.officer_headers: dict[str, str] = as_officer.officer_headers if as_officer else {}

    def submit(self, person: DemoPerson, agency_code: str) -> dict[str, Any]:
        """Upload the three pictures and submit the declaration; return the answer."""
        photos = {purpose: self.upload(purpose) for purpose in ("portrait", "id_front", "id_back")}
        declared: dict[str, Any] = self.call(
            "POST", "/declarations", 201, json=declaration_of(person, agency_code, photos)
        )
        return declared

    def upload(self, purpose: str) -> str:
        files = {"file": (f"{purpose}.jpg", picture(purpose), "image/jpeg")}
        return str(self.call("POST", "/uploads", 201, files=files, data={"purpose": purpose})["upload_id"])

    def sign_in(self, username: str, password: str) -> None:
        answer = self.call("POST", "/officer/sessions", 201, json={"username": username, "password": password})
        self.officer_headers = {"Authorization": f"Bearer {answer['token']}"}

    def approve(self, declaration: dict[str, Any]) -> None:
        """Wait for the review, take it and approve it, with the tracking code that the applicant shows."""
        review = f"/officer/reviews/{declaration['number']}"
        decision = {"identity_checked": True, "tracking_code": declaration["tracking_code"]}
        until(lambda: self.send("GET", review, headers=self.officer_headers).ok, "the review opens")
        self.call("PUT", f"{review}/assignment", 200, headers=self.officer_headers)
        try:
            self.call("POST", f"{review}/approval", 200, headers=self.officer_headers, json=decision)
        except StepFailed:
            # the answer of an earlier try may have been lost, not its deed
            if self.call("GET", review, 200, headers=self.officer_headers)["status"] != "approved":
                raise

    def history(self, declaration: dict[str, Any]) -> set[str]:
        """Return what happened to the declaration so far."""
        found = self.call("GET", f"/declarations/{declaration['number']}", 200, params=_code(declaration))
        return {entry["what"] for entry in found["history"]}

    def form(self, declaration: dict[str, Any]) -> bytes:
        answer = self.send("GET", f"/declarations/{declaration['number']}/form.pdf", params=_code(declaration))
        if not answer.content.startswith(b"%PDF"):
            raise StepFailed(f"form.pdf answered {answer.status_code}: {answer.text[:300]}")
        return answer.content

    def call(self, method: str, path: str, status: int, **options: Any) -> Any:
        """Call the gateway, and again where it is only busy; return the JSON answer."""
        end = time.monotonic() + SECONDS
        headers = {**options.pop("headers", {}), "Idempotency-Key": str(uuid.uuid4())}
        while True:
            answer = self.send(method, path, headers=headers, **options)
            if answer.status_code == status:
                return answer.json() if answer.content else None
            if answer.status_code not in (429, 503) or time.monotonic() > end:
                raise StepFailed(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
            time.sleep(float(answer.headers.get("Retry-After", 1)))

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request to the API; return whatever was answered."""
        return self._session.request(method, self._base + path, timeout=15, **options)


def _code(declaration: dict[str, Any]) -> dict[str, str]:
    return {"tracking_code": declaration["tracking_code"]}


def until(happened: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Wait until something happened, and return it.

    Raises:
        StepFailed: it did not, in the time given.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = happened()
        if found:
            return found
        time.sleep(0.1)
    raise StepFailed(f"{what}: not within {seconds:.0f} s")
