"""Mail over SMTP, and SMS as mail to <phone>@sms.sandbox where no SMS carrier is wanted.

``?lookup=http://host:port`` names a Mailpit-compatible API, where a message of unknown fate is looked up by
its Message-ID.
"""

import re
import smtplib
import ssl
from contextlib import suppress
from datetime import datetime
from email.policy import SMTP
from email.utils import parseaddr
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests

from services.notification.clients.carrier import Deferred, Parcel, Rejected, address_of, header_id, mail_of
from shared.settings import SettingsError

LINE_START_DOT = re.compile(rb"(?m)^\.")


class SmtpCarrier:
    """One connection a message: nothing is shared that a broken connection could take along."""

    reports = False

    def __init__(self, url: str, sender: str, *, timeout: float, sms: bool) -> None:
        parts = urlsplit(url)
        try:
            self._port = parts.port or (465 if parts.scheme == "smtps" else 25)
        except ValueError:
            raise SettingsError("SMS_URL or MAIL_URL: the port is not a number") from None
        self._host = parts.hostname or "localhost"
        self._secure = parts.scheme == "smtps"
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._lookup = parse_qs(parts.query).get("lookup", [""])[0].rstrip("/")
        self._sender, self._timeout, self._sms = sender, timeout, sms

    def send(self, parcel: Parcel, now: datetime) -> None:
        mail = mail_of(parcel, self._sender, sms=self._sms, now=now).as_bytes(policy=SMTP)
        server = self._connect()
        try:
            self._hand_over(server, parcel, mail)
        finally:
            server.close()

    def _connect(self) -> smtplib.SMTP:
        try:
            if self._secure:
                context = ssl.create_default_context()
                server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=context)
            else:
                server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        except smtplib.SMTPResponseException as error:
            raise Deferred(f"smtp_{error.smtp_code}") from None
        try:
            server.ehlo_or_helo_if_needed()
            if not self._secure and server.has_extn("starttls"):
                server.starttls(context=self._context())
                server.ehlo()
            if self._user:
                server.login(self._user, self._password)
        except smtplib.SMTPResponseException as error:
            server.close()
            raise Deferred(f"smtp_{error.smtp_code}") from None
        except BaseException:
            server.close()
            raise
        return server

    def _context(self) -> ssl.SSLContext:
        """Return the terms of STARTTLS; a name is only insisted on where a password is at stake.

        smtp:// promises no encryption, so a certificate nobody vouches for is still better than none.
        """
        context = ssl.create_default_context()
        if not self._user:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _hand_over(self, server: smtplib.SMTP, parcel: Parcel, mail: bytes) -> None:
        # a refused sender is the operator's fault, not this message's: it waits until that is put right
        _expect(server.mail(parseaddr(self._sender)[1], _options(server, mail)), 250, always=Deferred)
        _expect(server.rcpt(address_of(parcel, sms=self._sms)), 250, 251)
        _expect(server.docmd("DATA"), 354)
        server.send(LINE_START_DOT.sub(b"..", mail) + (b"" if mail.endswith(b"\r\n") else b"\r\n"))
        # until the final dot the server cannot have accepted it; from here on only its answer tells
        parcel.handed_over = True
        server.send(b".\r\n")
        _expect(server.getreply(), 250)
        with suppress(smtplib.SMTPException, OSError):
            server.putcmd("quit")

    def find(self, parcel: Parcel) -> bool | None:
        if not self._lookup:
            return None
        wanted = header_id(parcel, self._sender)
        try:
            answer = requests.get(
                f"{self._lookup}/api/v1/search", params={"query": f"message-id:{wanted}"}, timeout=self._timeout
            )
            answer.raise_for_status()
            found = answer.json()["messages"]
        except (requests.RequestException, ValueError, KeyError) as error:
            raise Deferred(f"lookup_{type(error).__name__}") from None
        return any(one.get("MessageID", "").strip("<> ") == wanted for one in found)


def _expect(reply: tuple[int, bytes], *good: int, always: type[Deferred] | None = None) -> None:
    """Go on after a good reply.

    Raises:
        Rejected: a 5xx, it will never be taken.
        Deferred: any other refusal.
    """
    code = reply[0]
    if code in good:
        return
    kind: Any = always or (Rejected if code >= 500 else Deferred)
    raise kind(f"smtp_{code}")


def _options(server: smtplib.SMTP, mail: bytes) -> list[str]:
    return [f"size={len(mail)}"] if server.has_extn("size") else []
