"""Messages as files in a folder, for development: one file a message, the same name in every attempt."""

import errno
import os
from datetime import datetime
from email.policy import SMTP
from pathlib import Path
from urllib.parse import unquote

import orjson

from services.notification.clients.carrier import OutgoingMessage, mail_of
from shared.settings import SettingsError


class FileCarrier:
    """Writes ``sms-*.json`` or ``mail-*.eml``; a half-written file is never seen under its name."""

    reports = False

    def __init__(self, url: str, sender: str, *, sms: bool) -> None:
        path = unquote(url.removeprefix("file:"))
        self._folder = Path(path.removeprefix("//") if path.startswith("//") else path)
        self._sender, self._sms = sender, sms
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self._folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "it cannot be written")
        except OSError as error:
            name = "SMS_URL" if sms else "MAIL_URL"
            raise SettingsError(f"{name} is not usable: {self._folder}: {error.strerror}") from None

    def send(self, outgoing: OutgoingMessage, now: datetime) -> None:
        if self._sms:
            data = orjson.dumps({"to": outgoing.recipient, "body": outgoing.text, "sent_at": now.isoformat()})
        else:
            data = mail_of(outgoing, self._sender, sms=False, now=now).as_bytes(policy=SMTP)
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._path(outgoing)
        draft = target.with_name(f".{target.name}.part")
        draft.write_bytes(data)
        outgoing.may_be_sent = True
        draft.replace(target)

    def find(self, outgoing: OutgoingMessage) -> bool | None:
        return self._path(outgoing).exists()

    def _path(self, outgoing: OutgoingMessage) -> Path:
        moment = outgoing.queued_at.strftime("%Y%m%dT%H%M%S.%f")
        kind, suffix = ("sms", "json") if self._sms else ("mail", "eml")
        return self._folder / f"{kind}-{moment}-{outgoing.message_id}.{suffix}"
