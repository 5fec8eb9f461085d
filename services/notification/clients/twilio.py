"""SMS over Twilio: twilio://ACCOUNT_SID:AUTH_TOKEN@?from=+1…; ``&base_url=`` points it at a test server.

Where PUBLIC_URL leads to us from outside, Twilio calls back with the status of each message, signed with the token.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from requests.exceptions import ConnectTimeout, SSLError
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from urllib3.exceptions import NameResolutionError, NewConnectionError

from services.notification.clients.carrier import Callback, CarrierRefused, OutgoingMessage
from services.notification.domain.delivery import NOT_ARRIVED, Delivery, DeliveryReport
from services.notification.domain.outcome import Deferred, Rejected
from shared.language.clock import utc_now
from shared.language.errors import Forbidden
from shared.settings import SettingsError

CONNECT_SECONDS = 4.0
LOOK_UP_LIMIT = 200  # newest messages to one number that a look-up reads
CLOCK_TOLERANCE = timedelta(minutes=10)
REDACTED_TOLERANCE = timedelta(seconds=2)  # Twilio's times and its Date are in whole seconds
# Error codes after which the message waits, whatever HTTP status they come with. The others are final with a 4xx.
# https://www.twilio.com/docs/api/errors
WAITS: dict[int, str] = {
    20003: "the token is wrong",
    20005: "the account is not active",
    20429: "too many requests",
    14107: "too many messages between two numbers",
    21212: "the sender is no number",
    21408: "the account may not send to this region",
    21603: "there is no sender",
    21606: "the sender may not send messages",
    21609: "PUBLIC_URL is no address that Twilio can call",
    21611: "the sender's queue is full",
    21659: "the sender is not ours",
    21660: "the sender is not ours",
    30001: "the queue is full",
    30002: "the account is suspended",
    30022: "the sender's rate is exceeded",
    63018: "the channel's rate is exceeded",
}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}  # Twilio cannot call back there, and refuses the message
HOOK = "/hooks/twilio/"
ERROR_CODE = re.compile(r"[0-9]{1,6}", re.ASCII)
# https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
STATUSES = {
    "accepted": Delivery.QUEUED,
    "scheduled": Delivery.QUEUED,
    "queued": Delivery.QUEUED,
    "sending": Delivery.QUEUED,
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.DELIVERED,
    "undelivered": Delivery.UNDELIVERED,
    "failed": Delivery.FAILED,
    "canceled": Delivery.FAILED,
}


class ClockedHttpClient(TwilioHttpClient):  # type: ignore[misc]  # twilio has no types
    """Notes by every answer how far Twilio's clock is ahead of ours."""

    ahead = timedelta()

    def request(self, *arguments: Any, **options: Any) -> Any:
        response = super().request(*arguments, **options)
        with suppress(TypeError, ValueError):  # no date, or none that can be read
            self.ahead = parsedate_to_datetime(response.headers.get("Date")) - utc_now()
        return response


class TwilioCarrier:
    """Twilio's Messages resource, through Twilio's own package."""

    def __init__(self, url: str, *, timeout: float, public_url: str = "") -> None:
        parts, options = urlsplit(url), parse_qs(urlsplit(url).query.replace("+", "%2B"))
        self._from = options.get("from", [""])[0]
        if not (parts.username and parts.password and self._from):
            raise SettingsError("SMS_URL takes twilio://ACCOUNT_SID:AUTH_TOKEN@?from=+1…")
        # a connection for each message: an idle one may be dead, and the outcome of a message lost on it is unknown
        http = ClockedHttpClient(pool_connections=False)
        http.timeout = (min(CONNECT_SECONDS, timeout), timeout)
        # an environment that is not empty keeps the package from reading TWILIO_* variables
        nothing = {"none": "none"}
        self._http = http
        self._client = Client(unquote(parts.username), unquote(parts.password), http_client=http, environment=nothing)
        self._validator = RequestValidator(unquote(parts.password))
        reachable = urlsplit(public_url).hostname not in LOOPBACK or "base_url" in options
        self._hook = f"{public_url}{HOOK}" if public_url and reachable else ""
        self.reports = bool(self._hook)
        if "base_url" in options:
            self._client.api.base_url = options["base_url"][0].rstrip("/")

    def send(self, outgoing: OutgoingMessage, now: datetime) -> None:
        hook = {"status_callback": self._hook + outgoing.message_id} if self._hook else {}
        outgoing.may_be_sent = True
        try:
            self._client.messages.create(to=outgoing.recipient, from_=self._from, body=outgoing.text, **hook)
        except (TwilioRestException, TwilioServiceException) as error:
            _refuse(error)
        except requests.ConnectionError as error:
            if not _connected(error):
                raise CarrierRefused(Deferred("not_reached")) from None
            raise

    def find(self, outgoing: OutgoingMessage) -> bool | None:
        """Look among the newest messages to this number, by text and time.

        Not filtered by Twilio's DateSent: a message still queued there has none, and would be sent twice. The times
        are Twilio's, so ours is set by its clock. An account may have texts redacted: then any message of ours to the
        number since this one was queued is taken for it, because somebody told twice is worse than somebody told by
        the other one of two messages at once.
        """
        try:
            sent = self._client.messages.list(to=outgoing.recipient, limit=LOOK_UP_LIMIT, page_size=LOOK_UP_LIMIT)
        except (TwilioException, requests.RequestException, ValueError, KeyError) as error:
            raise CarrierRefused(Deferred(f"lookup_{type(error).__name__}")) from None
        queued_at = outgoing.queued_at + self._http.ahead
        since = queued_at - CLOCK_TOLERANCE
        return any(
            _made_at(one, queued_at) >= (queued_at - REDACTED_TOLERANCE if _is_redacted(one) else since)
            and (_is_redacted(one) or _same(one, outgoing.text))
            for one in sent
        )

    def read_callback(self, callback: Callback) -> DeliveryReport | None:
        """Return the status that Twilio reports, or None where that says nothing about the delivery.

        Raises:
            Forbidden: ``wrong_signature``, it was not signed with our token.
        """
        if not self._validator.validate(callback.url, dict(callback.form), callback.signature):
            raise Forbidden("wrong_signature")
        return delivery_report(callback.form)


def delivery_report(form: Mapping[str, str]) -> DeliveryReport | None:
    """Return what the form of a status call-back says; None for a status that says nothing about the delivery."""
    delivery = STATUSES.get(form.get("MessageStatus", ""))
    if delivery is None:
        return None
    code = form.get("ErrorCode", "")
    explains = delivery in NOT_ARRIVED and ERROR_CODE.fullmatch(code) is not None
    return DeliveryReport(delivery, f"twilio_{code}" if explains else None)


def _refuse(error: Any) -> None:
    """Raise what Twilio's answer means; after a 5xx the outcome is unknown."""
    code = f"twilio_{error.code or error.status}"
    if error.status >= 500:
        raise error
    if error.status in (401, 403, 404, 408, 429) or error.code in WAITS:
        raise CarrierRefused(Deferred(code)) from None
    raise CarrierRefused(Rejected(code)) from None


def _connected(error: requests.ConnectionError) -> bool:
    """Say whether there was a connection at all, so that Twilio may have the message."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return not isinstance(error, ConnectTimeout | SSLError) and not isinstance(
        reason, NewConnectionError | NameResolutionError
    )


def _same(one: Any, text: str) -> bool:
    """Compare texts; a trial account puts a sentence in front."""
    return bool((one.body or "").strip().endswith(text.strip()))


def _is_redacted(one: Any) -> bool:
    """Say whether the account keeps texts from being read: none is left, or nothing that a text is made of."""
    return not any(character.isalnum() for character in one.body or "")


def _made_at(one: Any, default: datetime) -> datetime:
    made: datetime | None = one.date_created
    if made is None:
        return default
    return made if made.tzinfo else made.replace(tzinfo=UTC)
