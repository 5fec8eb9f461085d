"""Mail: an SMTP server that keeps what it accepts, with Mailpit's HTTP API to look it up."""

import asyncio
import email
import email.policy
import secrets
import socket
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.recorders.recorder import HOST, Handler, HttpServer, Recorder


@dataclass(frozen=True, kw_only=True)
class Attachment:
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One accepted mail. ``recipients`` are those of the envelope; ``message_id`` is without its brackets."""

    id: str
    sender: str
    recipients: tuple[str, ...]
    message_id: str
    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    headers: dict[str, str]
    size: int
    received_at: datetime


class MailRecorder(Recorder[Mail]):
    """SMTP at ``url``, for MAIL_URL and SMS_URL; Mailpit's API at ``api_url``."""

    def __init__(self) -> None:
        super().__init__()
        self.port = self.api_port = 0

    @property
    def url(self) -> str:
        return f"smtp://{HOST}:{self.port}"

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.api_port}"

    def start(self) -> None:
        self._smtp = _Smtp(self)
        self._smtp.start()
        self.port = self._smtp.port
        self._api = HttpServer(_MailpitApi, self, self.api_port)
        self.api_port = self._api.server_port

    def stop(self) -> None:
        self.heal()
        self._smtp.stop()
        self._api.close()

    def counts(self) -> Counter[tuple[str, str]]:
        return Counter((recipient, mail.text) for mail in self.messages() for recipient in mail.recipients)


class _Smtp(Controller):
    """aiosmtpd on a socket of ours: by itself it cannot take a free port."""

    def __init__(self, recorder: MailRecorder) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, recorder.port))
        super().__init__(_Handler(recorder), hostname=HOST, port=self._socket.getsockname()[1])

    def _create_server(self) -> Coroutine[Any, Any, asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._socket)


class _Handler:
    def __init__(self, recorder: MailRecorder) -> None:
        self._recorder = recorder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        fault, healed = self._recorder.sending.take()
        if fault.kept:
            self._recorder.keep(_read(envelope))
        if fault.seconds:
            await asyncio.to_thread(healed.wait, fault.seconds)
        if fault.closes and server.transport:
            server.transport.close()
        return f"{fault.code} refused" if fault.code else "250 kept"


def _read(envelope: Envelope) -> Mail:
    content = envelope.content
    assert isinstance(content, bytes)
    message = email.message_from_bytes(content, policy=email.policy.default)
    return Mail(
        id=secrets.token_urlsafe(16),
        sender=envelope.mail_from or "",
        recipients=tuple(envelope.rcpt_tos),
        message_id=str(message.get("Message-ID", "")).strip("<> "),
        subject=str(message.get("Subject", "")),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        attachments=tuple(_attachment(part) for part in message.iter_attachments()),
        headers={name: str(value) for name, value in message.items()},
        size=len(content),
        received_at=datetime.now(UTC),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    # SMTP ends lines with CRLF and the last one too; the sender's text had neither.
    return part.get_content().replace("\r\n", "\n").removesuffix("\n") if part else ""


def _attachment(part: Any) -> Attachment:
    return Attachment(
        name=part.get_filename() or "",
        content_type=part.get_content_type(),
        content=part.get_payload(decode=True) or b"",
    )


class _MailpitApi(Handler):
    """The look-ups of Mailpit a sender needs, with Mailpit's names; unlike there, a search knows two filters only."""

    def do_GET(self) -> None:
        recorder: MailRecorder = self.server.recorder
        fault, healed = recorder.looking_up.take()
        if fault.seconds:
            healed.wait(fault.seconds)
        if fault.code:
            self.answer(fault.code, {"Error": "refused"})
        elif not fault.closes:
            self._look_up(recorder.messages()[::-1])

    def _look_up(self, newest_first: list[Mail]) -> None:
        match self.path_only.split("/")[3:] if self.path_only.startswith("/api/v1/") else []:
            case ["messages"]:
                self._list(newest_first, newest_first)
            case ["search"]:
                self._search(newest_first)
            case ["message", "latest"] if newest_first:
                self.answer(200, _full(newest_first[0]))
            case ["message", wanted] if found := [mail for mail in newest_first if mail.id == wanted]:
                self.answer(200, _full(found[0]))
            case _:
                self.answer(404, {"Error": "not found"})

    def _search(self, mails: list[Mail]) -> None:
        name, _, value = self.query().get("query", "").partition(":")
        wanted = value.strip("\"' ").lower()
        matches = {
            "message-id": lambda mail: wanted in mail.message_id.lower(),
            "to": lambda mail: any(wanted in recipient.lower() for recipient in mail.recipients),
        }
        if name not in matches or not wanted:
            self.answer(400, {"Error": "a search is message-id:… or to:…"})
        else:
            self._list(mails, [mail for mail in mails if matches[name](mail)])

    def _list(self, mails: list[Mail], found: list[Mail]) -> None:
        start, limit = (int(self.query().get(name, default)) for name, default in (("start", "0"), ("limit", "50")))
        page = found[start : start + limit]
        counts = {"total": len(mails), "unread": len(mails), "count": len(page)}
        counts |= {"messages_count": len(found), "messages_unread": len(found), "start": start}
        self.answer(200, {**counts, "tags": [], "messages": [_summary(mail) for mail in page]})


def _addresses(mail: Mail, header: str) -> list[dict[str, str]]:
    return [
        {"Name": name, "Address": address} for name, address in getaddresses([mail.headers.get(header, "")]) if address
    ]


def _common(mail: Mail) -> dict[str, Any]:
    to = _addresses(mail, "To")
    known = {each["Address"] for header in ("To", "Cc") for each in _addresses(mail, header)}
    return {
        "ID": mail.id,
        "MessageID": mail.message_id,
        "From": next(iter(_addresses(mail, "From")), {"Name": "", "Address": mail.sender}),
        "To": to,
        "Cc": _addresses(mail, "Cc"),
        "Bcc": [{"Name": "", "Address": each} for each in mail.recipients if each not in known],
        "ReplyTo": _addresses(mail, "Reply-To"),
        "Subject": mail.subject,
        "Tags": [],
        "Username": "",
        "Size": mail.size,
    }


def _summary(mail: Mail) -> dict[str, Any]:
    own = {"Read": False, "Created": mail.received_at.isoformat(), "Attachments": len(mail.attachments)}
    return {**_common(mail), **own, "Snippet": " ".join(mail.text.split())[:250]}


def _full(mail: Mail) -> dict[str, Any]:
    attachments = [
        {
            "PartID": str(part),
            "FileName": each.name,
            "ContentType": each.content_type,
            "ContentID": "",
            "Size": len(each.content),
        }
        for part, each in enumerate(mail.attachments, start=2)
    ]
    body = {"Text": mail.text, "HTML": mail.html, "Inline": [], "Attachments": attachments}
    return {**_common(mail), "ReturnPath": mail.sender, "Date": mail.received_at.isoformat(), **body}
