"""SMS: the part of Twilio's REST API that the `twilio` package uses to send messages and to look them up."""

import base64
import re
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from operator import eq, ge, le
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
from twilio.request_validator import RequestValidator

from tests.support.recorders.recorder import HOST, Handler, HttpServer, Recorder

E164 = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, kw_only=True)
class Sms:
    sid: str
    to: str
    sender: str
    body: str
    sent_at: datetime
    status_callback: str = ""


class TwilioRecorder(Recorder[Sms]):
    """Twilio at ``base_url``; ``url`` is the SMS_URL that leads there."""

    def __init__(self) -> None:
        super().__init__()
        self.account_sid = f"AC{secrets.token_hex(16)}"
        self.auth_token = secrets.token_hex(16)
        self.port = 0
        self.redacts = False  # texts, as an account may be set to
        self.ahead = timedelta()  # how far its clock is ahead of ours
        self.refusal: tuple[int, int] | None = None  # HTTP status and Twilio's code that each message is refused with

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def url(self) -> str:
        options = urlencode({"from": "+15005550006", "base_url": self.base_url})
        return f"twilio://{self.account_sid}:{self.auth_token}@?{options}"

    def start(self) -> None:
        self._server = HttpServer(_Api, self, self.port)
        self.port = self._server.server_port

    def stop(self) -> None:
        self.heal()
        self._server.close()

    def call_back(self, sms: Sms, status: str, *, to: str = "", token: str = "", **fields: str) -> requests.Response:
        """Tell the sender of a message what became of it, signed as Twilio signs.

        ``to`` is where the sender's address leads (http://host:port, as a proxy in front would know); ``token`` signs
        as somebody else.
        """
        form, signature = self.signed(sms, status, token=token, **fields)
        path = urlsplit(sms.status_callback).path
        address = f"{to}{path}" if to else sms.status_callback
        return requests.post(address, data=form, headers={"X-Twilio-Signature": signature}, timeout=10)

    def signed(self, sms: Sms, status: str, *, token: str = "", **fields: str) -> tuple[dict[str, str], str]:
        """Return the form of a call-back, and its signature."""
        form = {
            "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01",
            "From": sms.sender,
            "MessageSid": sms.sid,
            "MessageStatus": status,
            "SmsSid": sms.sid,
            "SmsStatus": status,
            "To": sms.to,
            **fields,
        }
        return form, RequestValidator(token or self.auth_token).compute_signature(sms.status_callback, form)

    def counts(self) -> Counter[tuple[str, str]]:
        return Counter((sms.to, sms.body) for sms in self.messages())


class _Refusal(Exception):
    """An answer of Twilio's that is no success: HTTP status, Twilio's code, its words."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        more_info = f"https://www.twilio.com/docs/errors/{code}"
        self.body = {"code": code, "message": message, "more_info": more_info, "status": status}


class _Api(Handler):
    @property
    def recorder(self) -> TwilioRecorder:
        return self.server.recorder

    @property
    def messages_path(self) -> str:
        return f"/2010-04-01/Accounts/{self.recorder.account_sid}/Messages"

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.recorder.now, usegmt=True)

    def do_POST(self) -> None:
        form = self.form()
        fault, healed = self.recorder.sending.take()
        self._answer(lambda: self._send(form, kept=fault.kept), fault, healed)

    def do_GET(self) -> None:
        fault, healed = self.recorder.looking_up.take()
        self._answer(self._look_up, fault, healed)

    def _answer(self, work: Callable[[], tuple[int, Any]], fault: Any, healed: Any) -> None:
        try:
            self._check_credentials()
            status, body = work()
            if fault.code:
                raise _Refusal(fault.code, 20000 + fault.code, "refused")
        except _Refusal as refusal:
            status, body = refusal.status, refusal.body
        if fault.seconds:
            healed.wait(fault.seconds)
        if not fault.closes:
            self.answer(status, body)

    def _check_credentials(self) -> None:
        pair = f"{self.recorder.account_sid}:{self.recorder.auth_token}"
        if self.headers.get("Authorization") != f"Basic {base64.b64encode(pair.encode()).decode()}":
            raise _Refusal(401, 20003, "Authenticate")

    def _send(self, form: dict[str, str], *, kept: bool) -> tuple[int, Any]:
        if self.path_only != f"{self.messages_path}.json":
            raise _Refusal(404, 20404, f"The requested resource {self.path_only} was not found")
        if self.recorder.refusal is not None:
            raise _Refusal(*self.recorder.refusal, "refused")
        for name, code in (("To", 21604), ("From", 21603), ("Body", 21602)):
            if not form.get(name):
                raise _Refusal(400, code, f"{name} is required")
        if not E164.fullmatch(form["To"]):
            raise _Refusal(400, 21211, f"The 'To' number {form['To']} is not a valid phone number.")
        sid = f"SM{secrets.token_hex(16)}"
        sms = Sms(
            sid=sid,
            to=form["To"],
            sender=form["From"],
            body=form["Body"],
            sent_at=self.recorder.now,
            status_callback=form.get("StatusCallback", ""),
        )
        if kept:
            self.recorder.keep(sms)
        return 201, {**self._resource(sms), "status": "queued", "date_sent": None}

    def _look_up(self) -> tuple[int, Any]:
        newest_first = self.recorder.messages()[::-1]
        if self.path_only == f"{self.messages_path}.json":
            return 200, self._page([sms for sms in newest_first if _matches(sms, self.query())])
        for sms in newest_first:
            if self.path_only == f"{self.messages_path}/{sms.sid}.json":
                return 200, self._resource(sms)
        raise _Refusal(404, 20404, f"The requested resource {self.path_only} was not found")

    def _page(self, found: list[Sms]) -> dict[str, Any]:
        """Return one page; its token is the last message of the page before, so that newer ones shift nothing."""
        query = self.query()
        size, number = int(query.get("PageSize", 50)), int(query.get("Page", 0))
        after = query.get("PageToken", "").removeprefix("PA")
        start = next((place for place, sms in enumerate(found, start=1) if sms.sid == after), 0)
        page = found[start : start + size]
        more = len(found) > start + size

        def uri(**position: Any) -> str:
            return f"{self.messages_path}.json?{urlencode({**query, 'PageSize': size, **position}, quote_via=quote)}"

        return {
            "messages": [self._resource(sms) for sms in page],
            "page": number,
            "page_size": size,
            "start": start,
            "end": start + max(len(page) - 1, 0),
            "uri": self.path,
            "first_page_uri": f"{self.messages_path}.json?PageSize={size}&Page=0",
            "next_page_uri": uri(Page=number + 1, PageToken=f"PA{page[-1].sid}") if more else None,
            "previous_page_uri": None,
        }

    def _resource(self, sms: Sms) -> dict[str, Any]:
        sent_at = format_datetime(sms.sent_at)
        uri = f"{self.messages_path}/{sms.sid}.json"
        return {
            "sid": sms.sid,
            "account_sid": self.recorder.account_sid,
            "messaging_service_sid": None,
            "to": sms.to,
            "from": sms.sender,
            "body": "" if self.recorder.redacts else sms.body,
            "num_segments": "1",
            "num_media": "0",
            "direction": "outbound-api",
            "status": "delivered",
            "error_code": None,
            "error_message": None,
            "price": None,
            "price_unit": "USD",
            "api_version": "2010-04-01",
            "date_created": sent_at,
            "date_updated": sent_at,
            "date_sent": sent_at,
            "uri": uri,
            "subresource_uris": {"media": uri.replace(".json", "/Media.json")},
        }


def _matches(sms: Sms, query: dict[str, str]) -> bool:
    if sms.to != query.get("To", sms.to) or sms.sender != query.get("From", sms.sender):
        return False
    # `DateSent>=2026-01-31` arrives as the parameter `DateSent>`; all three include the moment itself.
    limits = (("DateSent", eq), ("DateSent<", le), ("DateSent>", ge))
    return all(compare(*_comparable(sms.sent_at, query[name])) for name, compare in limits if name in query)


def _comparable(sent_at: datetime, limit: str) -> tuple[Any, Any]:
    """Twilio's times have whole seconds; a limit may also be a day."""
    moment = datetime.fromisoformat(limit)
    if "T" not in limit:
        return sent_at.date(), moment.date()
    return sent_at.replace(microsecond=0), moment.replace(tzinfo=moment.tzinfo or UTC)
