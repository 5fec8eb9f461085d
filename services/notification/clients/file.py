"""Messages as files in a folder, for development: one file a message, the same name in every attempt."""

from datetime import datetime
from email.policy import SMTP
from pathlib import Path
from urllib.parse import unquote

import orjson

from services.notification.clients.carrier import Parcel, mail_of


class FileCarrier:
    """Writes ``sms-*.json`` or ``mail-*.eml``; a half-written file is never seen under its name."""

    reports = False

    def __init__(self, url: str, sender: str, *, sms: bool) -> None:
        path = unquote(url.removeprefix("file:"))
        self._folder = Path(path.removeprefix("//") if path.startswith("//") else path)
        self._sender, self._sms = sender, sms

    def send(self, parcel: Parcel, now: datetime) -> None:
        if self._sms:
            data = orjson.dumps({"to": parcel.recipient, "body": parcel.text, "sent_at": now.isoformat()})
        else:
            data = mail_of(parcel, self._sender, sms=False, now=now).as_bytes(policy=SMTP)
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._path(parcel)
        draft = target.with_name(f".{target.name}.part")
        draft.write_bytes(data)
        parcel.handed_over = True
        draft.replace(target)

    def find(self, parcel: Parcel) -> bool | None:
        return self._path(parcel).exists()

    def _path(self, parcel: Parcel) -> Path:
        moment = parcel.queued_at.strftime("%Y%m%dT%H%M%S.%f")
        kind, suffix = ("sms", "json") if self._sms else ("mail", "eml")
        return self._folder / f"{kind}-{moment}-{parcel.message_id}.{suffix}"
