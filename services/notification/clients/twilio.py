"""SMS over Twilio: twilio://ACCOUNT_SID:AUTH_TOKEN@?from=+1…; ``&base_url=`` points it at a test server.

Where PUBLIC_URL leads to us from outside, Twilio calls back what became of each message, signed with the token.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from requests.exceptions import ConnectTimeout, SSLError
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from urllib3.exceptions import NameResolutionError, NewConnectionError

from services.notification.clients.carrier import Deferred, Parcel, Rejected
from shared.settings import SettingsError

CONNECT_SECONDS = 4.0
LOOKED_THROUGH = 200  # newest messages to one number that a look-up reads
CLOCKS_APART = timedelta(minutes=10)
# we are at fault and not this message: sender, permissions, credit, PUBLIC_URL; it waits until that is put right
OUR_FAULT = frozenset({20003, 20005, 21212, 21408, 21603, 21606, 21609, 21659, 21660, 30002})
OURSELVES = {"localhost", "127.0.0.1", "::1"}  # nobody outside can call back there, and Twilio refuses to try
HOOK = "/hooks/twilio/"


class TwilioCarrier:
    """Twilio's Messages resource, through Twilio's own package."""

    def __init__(self, url: str, *, timeout: float, public_url: str = "") -> None:
        parts, options = urlsplit(url), parse_qs(urlsplit(url).query.replace("+", "%2B"))
        self._from = options.get("from", [""])[0]
        if not (parts.username and parts.password and self._from):
            raise SettingsError("SMS_URL takes twilio://ACCOUNT_SID:AUTH_TOKEN@?from=+1…")
        # a connection a message: one that idled may be dead, and a text lost on it would be of unknown fate
        http = TwilioHttpClient(pool_connections=False)
        http.timeout = (min(CONNECT_SECONDS, timeout), timeout)
        # an environment that is not empty keeps the package from reading TWILIO_* variables behind SMS_URL's back
        nothing = {"none": "none"}
        self._client = Client(unquote(parts.username), unquote(parts.password), http_client=http, environment=nothing)
        self._validator = RequestValidator(unquote(parts.password))
        reachable = urlsplit(public_url).hostname not in OURSELVES or "base_url" in options
        self._hook = f"{public_url}{HOOK}" if public_url and reachable else ""
        self.reports = bool(self._hook)
        if "base_url" in options:
            self._client.api.base_url = options["base_url"][0].rstrip("/")

    def send(self, parcel: Parcel, now: datetime) -> None:
        hook = {"status_callback": self._hook + parcel.message_id} if self._hook else {}
        parcel.handed_over = True
        try:
            self._client.messages.create(to=parcel.recipient, from_=self._from, body=parcel.text, **hook)
        except (TwilioRestException, TwilioServiceException) as error:
            _refuse(error)
        except requests.ConnectionError as error:
            if not _connected(error):
                raise Deferred("not_reached") from None
            raise

    def find(self, parcel: Parcel) -> bool | None:
        """Look among the newest messages to this number.

        Not filtered by Twilio's DateSent: a message still queued there has none, and would be sent twice.
        """
        since = parcel.queued_at - CLOCKS_APART
        try:
            sent = self._client.messages.list(to=parcel.recipient, limit=LOOKED_THROUGH, page_size=LOOKED_THROUGH)
        except (TwilioException, requests.RequestException, ValueError, KeyError) as error:
            raise Deferred(f"lookup_{type(error).__name__}") from None
        return any(_same(one, parcel.text) and _made_at(one, since) >= since for one in sent)

    def has_signed(self, url: str, form: Mapping[str, str], signature: str) -> bool:
        """Say whether a call to ``url`` with this form comes from who knows the token."""
        return bool(self._validator.validate(url, dict(form), signature))


def _refuse(error: Any) -> None:
    """Say no the way Twilio's answer means it; a 5xx leaves the fate open."""
    code = f"twilio_{error.code or error.status}"
    if error.status >= 500:
        raise error
    if error.status in (401, 403, 404, 408, 429) or error.code in OUR_FAULT:
        raise Deferred(code) from None
    raise Rejected(code) from None


def _connected(error: requests.ConnectionError) -> bool:
    """Say whether there was a connection at all, so that Twilio may have the message."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return not isinstance(error, ConnectTimeout | SSLError) and not isinstance(
        reason, NewConnectionError | NameResolutionError
    )


def _same(one: Any, text: str) -> bool:
    """Compare texts; a trial account puts a sentence in front."""
    return bool((one.body or "").strip().endswith(text.strip()))


def _made_at(one: Any, default: datetime) -> datetime:
    made: datetime | None = one.date_created
    if made is None:
        return default
    return made if made.tzinfo else made.replace(tzinfo=UTC)
