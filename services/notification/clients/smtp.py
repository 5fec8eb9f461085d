"""Mail over SMTP, and SMS as mail to <phone>@sms.sandbox where no SMS carrier is wanted.

``?lookup=http://host:port`` names a Mailpit-compatible API, where a message of unknown outcome is looked up
by its Message-ID.

A password is sent over TLS only, to a server whose certificate is good: ``smtp://user:password@host`` requires
STARTTLS, ``smtps://`` is TLS from the first byte. A server that does not give it gets neither password nor message.
"""

import re
import smtplib
import ssl
from contextlib import suppress
from datetime import datetime
from email.policy import SMTP
from email.utils import parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

import requests

from services.notification.clients.carrier import CarrierRefused, OutgoingMessage, address_of, header_id, mail_of
from services.notification.domain.outcome import Deferred, Rejected
from shared import logs
from shared.settings import SettingsError

LINE_START_DOT = re.compile(rb"(?m)^\.")

log = logs.log(__name__)


class SmtpCarrier:
    """Opens a connection for each message, so that a broken one affects no other message."""

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

    def send(self, outgoing: OutgoingMessage, now: datetime) -> None:
        mail = mail_of(outgoing, self._sender, sms=self._sms, now=now).as_bytes(policy=SMTP)
        server = self._connect()
        try:
            self._hand_over(server, outgoing, mail)
        finally:
            server.close()

    def _connect(self) -> smtplib.SMTP:
        try:
            server = self._open()
            try:
                self._sign_in(server)
            except BaseException:
                server.close()
                raise
        except smtplib.SMTPResponseException as error:
            raise CarrierRefused(Deferred(f"smtp_{error.smtp_code}")) from None
        except ssl.SSLCertVerificationError as error:
            raise _not_trusted("bad_certificate", error.verify_message) from None
        return server

    def _open(self) -> smtplib.SMTP:
        if not self._secure:
            return smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=context)

    def _sign_in(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if not self._secure:
            self._start_tls(server)
        if self._user:
            server.login(self._user, self._password)

    def _start_tls(self, server: smtplib.SMTP) -> None:
        if server.has_extn("starttls"):
            server.starttls(context=self._context())
            server.ehlo()
        elif self._user:
            # somebody in between can take the offer away, so its absence proves nothing
            raise _not_trusted("no_tls", "STARTTLS is not offered")

    def _context(self) -> ssl.SSLContext:
        """Return the context of STARTTLS; the certificate is verified only where a password is sent.

        Without one, smtp:// promises no encryption, so an unverified certificate is still better than none.
        """
        context = ssl.create_default_context()
        if not self._user:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _hand_over(self, server: smtplib.SMTP, outgoing: OutgoingMessage, mail: bytes) -> None:
        # a refused sender is a matter of configuration, not of this message: it waits until that is corrected
        _expect(server.mail(parseaddr(self._sender)[1], _options(server, mail)), 250, refusal=Deferred)
        _expect(server.rcpt(address_of(outgoing, sms=self._sms)), 250, 251)
        _expect(server.docmd("DATA"), 354)
        server.send(LINE_START_DOT.sub(b"..", mail) + (b"" if mail.endswith(b"\r\n") else b"\r\n"))
        # the server accepts it with the final dot; from here on only its answer tells
        outgoing.may_be_sent = True
        server.send(b".\r\n")
        _expect(server.getreply(), 250)
        with suppress(smtplib.SMTPException, OSError):
            server.putcmd("quit")

    def find(self, outgoing: OutgoingMessage) -> bool | None:
        if not self._lookup:
            return None
        wanted = header_id(outgoing, self._sender)
        try:
            answer = requests.get(
                f"{self._lookup}/api/v1/search",
                params={"query": f"message-id:{wanted}"},
                timeout=self._timeout,
                allow_redirects=False,  # to whom it would lead, a message is none of their business
            )
            answer.raise_for_status()
            found = answer.json()["messages"]
        except (requests.RequestException, ValueError, KeyError) as error:
            raise CarrierRefused(Deferred(f"lookup_{type(error).__name__}")) from None
        return any(one.get("MessageID", "").strip("<> ") == wanted for one in found)


def _not_trusted(code: str, reason: str) -> CarrierRefused:
    """Return what a server gets that may not have our password; the message waits until that is corrected."""
    log.error("carrier_not_trusted", code=code, reason=reason)
    return CarrierRefused(Deferred(code))


def _expect(reply: tuple[int, bytes], *good: int, refusal: type[Deferred | Rejected] | None = None) -> None:
    """Return after a good reply.

    Raises:
        CarrierRefused: any other reply, as ``refusal``; otherwise Rejected for a 5xx, else Deferred.
    """
    code = reply[0]
    if code in good:
        return
    refusal = refusal or (Rejected if code >= 500 else Deferred)
    raise CarrierRefused(refusal(f"smtp_{code}"))


def _options(server: smtplib.SMTP, mail: bytes) -> list[str]:
    return [f"size={len(mail)}"] if server.has_extn("size") else []
