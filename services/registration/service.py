"""The counter of the registration desk: what it is asked, what it hears, what it does by the clock."""

import base64
import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from eventlet.semaphore import Semaphore

from services.registration import models
from services.registration.domain.account import first_password
from services.registration.domain.declaration import Declaration
from services.registration.domain.qr import read_qr
from services.registration.domain.upload import FOLDERS, Upload, upload_key
from services.registration.handlers import account, declaration, upload
from services.registration.media.form_data import FormData
from services.registration.media.picture import read_picture, read_qr_picture
from services.registration.schemas import address
from services.registration.schemas.declaration import (
    DeclarationForm,
    LanguageForm,
    declaration_view,
    form_data,
    submitted_view,
)
from services.registration.schemas.upload import (
    AgencySearchForm,
    PhotoForm,
    QrForm,
    UploadForm,
    place_list,
    upload_view,
)
from shared import forms
from shared.framework.consumers import listen
from shared.framework.providers import (
    DatabaseProvider,
    FilesProvider,
    GreenFileStore,
    SealProvider,
    SettingProvider,
    in_thread,
)
from shared.framework.rpc import rpc
from shared.framework.service import Service
from shared.framework.timers import every
from shared.language.clock import utc_now
from shared.language.errors import FieldError, Invalid, NotFound
from shared.language.events import (
    CardIssued,
    DeclarationApproved,
    DeclarationReceived,
    DeclarationRejected,
    DeclarationReturned,
    DeclarationSubmitted,
)
from shared.language.values import new_id
from shared.storage.database import Database
from shared.storage.idempotency import KEY_LIFETIME, forget_keys, scoped_key
from shared.storage.passwords import hash_drawn_password
from shared.storage.seals import Seal

FILES_AT_ONCE = 100
PRINTER = Semaphore(1)  # printing is all Python: more at once would take the interpreter from those who submit


class Registration(Service):
    """Takes declarations and keeps accounts."""

    name = "registration"

    database: Database = DatabaseProvider(models.metadata)
    files: GreenFileStore = FilesProvider()
    seal: Seal = SealProvider()
    declaration_days: float = SettingProvider("declaration_days")

    # uploads

    @rpc
    def store_upload(self, incoming: str, form: Any, idempotency_key: str | None) -> dict[str, Any]:
        """Read the picture that lies under the key ``incoming``, and keep what is left of it: its pixels."""
        purpose = forms.read(UploadForm, form)["purpose"]
        raw = self.files.get(incoming)
        picture = in_thread(read_picture, raw)
        upload_id = new_id()
        kept = Upload(
            upload_id=upload_id,
            purpose=purpose,
            content_type=picture.content_type,
            bytes=len(picture.data),
            key=upload_key(upload_id, picture.suffix),
            created_at=utc_now(),
        )
        self.files.put(kept.key, picture.data)

        body = [purpose, hashlib.sha256(raw).hexdigest()]
        answer: dict[str, Any] = {}
        try:
            key = scoped_key("upload", idempotency_key)
            answer = self.database.once(key, body, upload_view, upload.keep_upload, kept)
        finally:
            if answer.get("upload_id") != upload_id:
                self.files.remove(kept.key)
        return answer

    @rpc
    def get_upload(self, form: Any) -> dict[str, Any]:
        """Return purpose, content type and key of an upload that nobody has taken yet."""
        upload_id = forms.read(PhotoForm, form)["upload_id"]
        with self.database.read() as session:
            found = upload.find_upload(session, upload_id)
            return {**upload_view(found), "key": found.key}

    @rpc
    def drop_upload(self, form: Any) -> None:
        """Forget an upload that an officer has copied into a dossier."""
        upload_id = forms.read(PhotoForm, form)["upload_id"]
        with self.database.begin() as session:
            upload.drop_upload(session, upload_id)

    # declarations

    @rpc
    def submit_declaration(self, form: Any, language: str, idempotency_key: str | None) -> dict[str, Any]:
        """Take a declaration; answer with its number, tracking code and deadline."""
        checked = forms.read(DeclarationForm, form)
        checked |= forms.read(LanguageForm, {"language": language})
        key, at = scoped_key("declaration", idempotency_key), utc_now()
        answer = partial(submitted_view, now=at)
        submit = declaration.submit_declaration
        return self.database.once(key, form, answer, submit, checked, days=self.declaration_days, at=at)

    @rpc
    def get_declaration(self, number: str, tracking_code: str) -> dict[str, Any]:
        with self.database.read() as session:
            found = declaration.find_declaration(session, number=number, tracking_code=tracking_code)
            return declaration_view(found, utc_now())

    @rpc
    def withdraw_declaration(self, number: str, tracking_code: str) -> None:
        with self.database.begin() as session:
            declaration.withdraw_declaration(session, number=number, tracking_code=tracking_code, at=utc_now())

    @rpc
    def print_form(self, number: str, tracking_code: str) -> dict[str, Any]:
        """Return Form 01 of a declaration as PDF, in base64."""
        with self.database.read() as session:
            found = declaration.find_declaration(session, number=number, tracking_code=tracking_code)
        if found.applicant is None:
            raise NotFound("personal_data_deleted")
        return {"pdf": base64.b64encode(self._print(found)).decode()}

    def _print(self, found: Declaration) -> bytes:
        with PRINTER:
            return in_thread(printed, form_data(found))

    # what the form's pickers and scanners need

    @rpc
    def read_qr(self, form: Any = None, incoming: str | None = None) -> dict[str, Any]:
        """Read the QR of a card from its text, or from the picture under the key ``incoming``."""
        if incoming is not None:
            payload = in_thread(read_qr_picture, self.files.get(incoming))
        else:
            payload = forms.read(QrForm, form)["payload"]
        if not isinstance(payload, str):
            raise Invalid(errors=[FieldError("payload", forms.WRONG_TYPE)])
        reading = read_qr(payload)
        return {"kind": reading.kind, "fields": reading.fields}

    @rpc
    def list_provinces(self) -> dict[str, Any]:
        return place_list({code: province["name"] for code, province in address.provinces().items()})

    @rpc
    def list_wards(self, code: str) -> dict[str, Any]:
        province = address.province_code(code)
        if province is None:
            raise NotFound
        return place_list(address.provinces()[province]["wards"])

    @rpc
    def list_agencies(self, search: Any) -> dict[str, Any]:
        wanted = forms.read(AgencySearchForm, search)
        province = wanted["province_code"] and (address.province_code(wanted["province_code"]) or "none")
        with self.database.read() as session:
            found = models.open_agencies(session, utc_now().date(), province, wanted["cursor"], wanted["limit"] + 1)
        page = found[: wanted["limit"]]
        return {"items": page, "next_cursor": page[-1]["code"] if len(found) > len(page) else None}

    # what this desk and the others tell

    @listen(DeclarationSubmitted)
    def on_declaration_submitted(self, event: DeclarationSubmitted) -> None:
        """Print the form that goes out with the first mail: nobody waits for it, so not while somebody submits."""
        if event.form_key is None:
            return
        found = self._declared(event.number)
        if found.applicant is not None:
            self.files.put(event.form_key, self._print(found))
            found = self._declared(event.number)
        if found.applicant is None:  # taken back, perhaps while it was printed
            self.files.remove(event.form_key)

    def _declared(self, number: str) -> Declaration:
        with self.database.read() as session:
            return models.get_declaration(session, number)

    @listen(DeclarationReceived)
    def on_declaration_received(self, event: DeclarationReceived) -> None:
        with self.database.begin() as session:
            declaration.receive_declaration(session, event)

    @listen(DeclarationReturned)
    def on_declaration_returned(self, event: DeclarationReturned) -> None:
        with self.database.begin() as session:
            declaration.return_declaration(session, event)

    @listen(DeclarationApproved)
    def on_declaration_approved(self, event: DeclarationApproved) -> None:
        password = first_password()
        hashed, sealed = in_thread(hash_drawn_password, password), self.seal.close(password)
        with self.database.begin() as session:
            account.activate_account(session, event, password_hash=hashed, sealed_password=sealed, at=utc_now())

    @listen(DeclarationRejected)
    def on_declaration_rejected(self, event: DeclarationRejected) -> None:
        with self.database.begin() as session:
            declaration.reject_declaration(session, event)

    @listen(CardIssued)
    def on_card_issued(self, event: CardIssued) -> None:
        with self.database.begin() as session:
            declaration.note_card(session, event)

    # what is due

    @every()
    def expire_declarations(self) -> None:
        """End declarations past their time, however many there are (S59)."""
        at = self.database.earliest_now(utc_now())
        while True:
            with self.database.begin() as session:
                if not declaration.expire_declarations(session, at=at):
                    return

    @every()
    def clear_away(self) -> None:
        """Delete uploads nobody used, old answers, and for good the files whose rows are gone."""
        at = self.database.earliest_now(utc_now())
        with self.database.begin() as session:
            upload.drop_unused_uploads(session, at=at)
            forget_keys(session, before=at - KEY_LIFETIME)
        with self.database.begin() as session:
            keys = models.files_to_erase(session, FILES_AT_ONCE)
        for key in keys:
            self.files.remove(key)
        if keys:
            with self.database.begin() as session:
                models.forget_erasures(session, keys)

    @every(3600)
    def sweep(self) -> None:
        """Delete files that no row names: a process that died at the wrong moment leaves such behind."""
        for folder, life in FOLDERS.items():
            for keys in batched(self.files.older(folder, utc_now() - life), FILES_AT_ONCE):
                with self.database.begin() as session:
                    stray = models.keys_without_rows(session, keys)
                for key in stray:
                    self.files.remove(key)


def batched(keys: list[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(keys), size):
        yield keys[first : first + size]


def printed(data: FormData) -> bytes:
    """Return Form 01 as PDF; what prints it is loaded with the first form."""
    from services.registration.media.form01 import form01

    return form01(data)
