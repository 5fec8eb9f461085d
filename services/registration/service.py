"""The entrypoints of registration: what it is asked, what it hears, what it does by the clock."""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from services.registration import models
from services.registration.domain import places
from services.registration.domain.account import first_password
from services.registration.domain.declaration import Declaration
from services.registration.domain.kinds import Effect, check_effect
from services.registration.domain.limits import SubmissionLimits
from services.registration.domain.qr import read_qr
from services.registration.domain.upload import FOLDERS, Upload, form_key
from services.registration.handlers import account, declaration, upload
from services.registration.media.form01 import form01_data, print_form01
from services.registration.media.picture import Picture, read_picture
from services.registration.media.qr_picture import read_qr_picture
from services.registration.schemas.address import place_list
from services.registration.schemas.agency import AgencySearchForm, agency_list
from services.registration.schemas.declaration import (
    DeclarationView,
    LanguageForm,
    SubmittedView,
    read_declaration,
)
from services.registration.schemas.qr import QrForm, QrView
from services.registration.schemas.upload import UploadForm, UploadView
from shared import forms, logs
from shared.framework.consumers import listen
from shared.framework.isolated import IsolatedWork, WorkEnded
from shared.framework.providers import (
    ClientProvider,
    DatabaseProvider,
    FilesProvider,
    GreenFileStore,
    IsolatedWorkProvider,
    SealProvider,
    SettingProvider,
    in_thread,
)
from shared.framework.rpc import rpc
from shared.framework.service import Service
from shared.framework.timers import every
from shared.language.clock import utc_now, vietnam_day
from shared.language.errors import FieldError, Invalid, NotFound, Unavailable
from shared.language.events import (
    CardIssued,
    DeclarationApproved,
    DeclarationReceived,
    DeclarationRejected,
    DeclarationReturned,
    DeclarationSubmitted,
    FirstPasswordRequested,
    PhotoReplaced,
)
from shared.language.limits import read_limit
from shared.language.retention import Retention
from shared.language.values import DeclarationKind, new_id, upload_key
from shared.settings import Settings
from shared.storage.database import Database, Replay
from shared.storage.idempotency import KEY_LIFETIME, forget_keys, scoped_key
from shared.storage.passwords import hash_drawn_password
from shared.storage.quotas import forget_quotas
from shared.storage.seals import Seal

FILE_BATCH_SIZE = 100
RETRY_AFTER = 2  # seconds a caller is asked to wait where a form could not be printed
PRINTING = threading.Lock()  # who asks for a form that is being printed waits for it

log = logs.log(__name__)
Result = TypeVar("Result")


def submission_limits(settings: Settings) -> SubmissionLimits:
    """Return the limits the settings name; RATE_LIMITS=off lifts the one by address, and no other."""
    return SubmissionLimits(
        phone=read_limit("phone", settings.limit_phone),
        email=read_limit("email", settings.limit_email),
        address=read_limit("address", settings.limit_submitting) if settings.limits_addresses else None,
    )


class Registration(Service):
    """Accepts declarations and keeps accounts."""

    name = "registration"

    database: Database = DatabaseProvider(models.metadata)
    files: GreenFileStore = FilesProvider()
    seal: Seal = SealProvider()
    isolated: IsolatedWork = IsolatedWorkProvider("services.registration.media.qr_picture")
    declaration_days: float = SettingProvider("declaration_days")
    limits: SubmissionLimits = ClientProvider(submission_limits)
    retention: Retention = SettingProvider("retention")

    # uploads

    @rpc
    def store_upload(self, incoming: str, form: Any, idempotency_key: str | None, caller: str) -> dict[str, Any]:
        """Read the picture in the file ``incoming``, and keep nothing of it but its pixels."""
        purpose = forms.read(UploadForm, form)["purpose"]
        key = scoped_key("upload", caller, idempotency_key)
        raw = self.files.get(incoming)
        picture = self._work_on_picture(read_picture, raw, "file")
        kept = new_upload(purpose, picture)
        self.files.put(kept.key, picture.data)
        body = [purpose, hashlib.sha256(raw).hexdigest()]
        answer: dict[str, Any] = {}
        try:
            answer = self.database.once(key, body, Replay(UploadView.of), upload.keep_upload, kept)
        finally:
            if answer.get("upload_id") != kept.upload_id:
                self.files.remove(kept.key)
        return answer

    # declarations

    @rpc
    def submit_declaration(self, form: Any, language: str, idempotency_key: str | None, caller: str) -> dict[str, Any]:
        """Accept a declaration; answer with its number, tracking code and deadline. ``caller`` is an address."""
        checked = read_declaration(form) | forms.read(LanguageForm, {"language": language})
        key, at = scoped_key("declaration", caller, idempotency_key), utc_now()
        answer = Replay(partial(SubmittedView.of, now=at), partial(declaration.submitted_again, at=at))
        counted = self.limits.of(checked, caller)
        submit, days = declaration.submit_declaration, self.declaration_days
        return self.database.once(key, form, answer, submit, checked, days=days, counted=counted, at=at)

    @rpc
    def get_declaration(self, number: str, tracking_code: str) -> dict[str, Any]:
        found = self.database.query(declaration.find_declaration, number=number, tracking_code=tracking_code)
        return DeclarationView.of(found, utc_now())

    @rpc
    def withdraw_declaration(self, number: str, tracking_code: str) -> None:
        withdraw = declaration.withdraw_declaration
        self.database.run(withdraw, number=number, tracking_code=tracking_code, at=utc_now())

    @rpc
    def print_form01(self, number: str, tracking_code: str) -> dict[str, Any]:
        """Return Form 01 of a declaration as PDF, in base64."""
        found = self.database.query(declaration.find_declaration, number=number, tracking_code=tracking_code)
        found.check_pending()
        return {"pdf": base64.b64encode(self._form_of(found)).decode()}

    def _form_of(self, found: Declaration) -> bytes:
        """Return the printed form, which is kept: it says the same for as long as the declaration is pending."""
        key = form_key(found.declaration_id)
        try:
            return self.files.get(key)
        except FileNotFoundError:
            with PRINTING:
                return self._print(found, key)

    def _print(self, found: Declaration, key: str) -> bytes:
        try:
            return self.files.get(key)  # printed while we waited
        except FileNotFoundError:
            form = self._isolated_form(found)
        self.files.put(key, form)
        if self.database.query(models.get_declaration, found.number).applicant is None:
            self.files.remove(key)  # withdrawn, perhaps while it was printed
        return form

    def _isolated_form(self, found: Declaration) -> bytes:
        try:
            return self.isolated.run(print_form01, form01_data(found))
        except WorkEnded:
            raise Unavailable(dependency="printing", retry_after=RETRY_AFTER) from None

    def _work_on_picture(self, read: Callable[[bytes], Result], data: bytes, field: str) -> Result:
        """Have a picture read where it can do no harm.

        Raises:
            Invalid: ``unreadable_image``, also where it would take too much memory or time.
        """
        try:
            return self.isolated.run(read, data)
        except WorkEnded:
            raise Invalid("unreadable_image", errors=[FieldError(field, "unreadable_image")]) from None

    # what a form's lists and scanners need

    @rpc
    def read_qr(self, form: Any = None, incoming: str | None = None) -> dict[str, Any]:
        """Read the QR of a card from its text, or from the picture in the file ``incoming``."""
        if incoming is not None:
            payload = self._work_on_picture(read_qr_picture, self.files.get(incoming), "image")
        else:
            payload = forms.read(QrForm, form)["payload"]
        if not isinstance(payload, str):
            raise Invalid(errors=[FieldError("payload", forms.WRONG_TYPE)])
        reading = read_qr(payload)
        return QrView.of(reading, unreadable=reading.unreadable or None)

    @rpc
    def list_provinces(self) -> dict[str, Any]:
        return place_list({code: province["name"] for code, province in places.provinces().items()})

    @rpc
    def list_wards(self, code: str) -> dict[str, Any]:
        province = places.province_code(code)
        if province is None:
            raise NotFound
        return place_list(places.provinces()[province]["wards"])

    @rpc
    def list_agencies(self, search: Any) -> dict[str, Any]:
        wanted = forms.read(AgencySearchForm, search)
        province, limit = wanted["province_code"], wanted["limit"]
        code = province and (places.province_code(province) or "none")
        found = self.database.query(
            models.open_agencies, vietnam_day(utc_now()), code, wanted["cursor"] or "", limit + 1
        )
        return agency_list(found, limit)

    # what this service and others tell

    @listen(DeclarationSubmitted)
    def on_declaration_submitted(self, event: DeclarationSubmitted) -> None:
        """Print the form that goes out with the first mail: nobody waits for it, so not while somebody submits."""
        if event.form_key is None:
            return
        found = self.database.query(models.get_declaration, event.number)
        if found.applicant is not None:
            self._form_of(found)

    @listen(DeclarationReceived)
    def on_declaration_received(self, event: DeclarationReceived) -> None:
        self.database.run(declaration.receive_declaration, event)

    @listen(DeclarationReturned)
    def on_declaration_returned(self, event: DeclarationReturned) -> None:
        self.database.run(declaration.return_declaration, event)

    @listen(PhotoReplaced)
    def on_photo_replaced(self, event: PhotoReplaced) -> None:
        self.database.run(upload.drop_replacement, event)

    @listen(DeclarationApproved)
    def on_declaration_approved(self, event: DeclarationApproved) -> None:
        check_effect(event.kind, Effect.OPEN_ACCOUNT)
        password = first_password()
        hashed, sealed = in_thread(hash_drawn_password, password), self.seal.close(password)
        activate = account.activate_account
        self.database.run(activate, event, password_hash=hashed, sealed_password=sealed, at=utc_now())

    @listen(FirstPasswordRequested)
    def on_first_password_requested(self, event: FirstPasswordRequested) -> None:
        password = first_password()
        hashed, sealed = in_thread(hash_drawn_password, password), self.seal.close(password)
        renew = account.renew_first_password
        self.database.run(renew, event, password_hash=hashed, sealed_password=sealed, at=utc_now())

    @listen(DeclarationRejected)
    def on_declaration_rejected(self, event: DeclarationRejected) -> None:
        self.database.run(declaration.reject_declaration, event)

    @listen(CardIssued)
    def on_card_issued(self, event: CardIssued) -> None:
        self.database.run(declaration.note_card, event)

    # what is due

    @every()
    def expire_declarations(self) -> None:
        """End declarations past their time, however many there are (S59)."""
        at = self.database.earliest_now(utc_now())
        while self.database.run(declaration.expire_declarations, at=at):
            pass

    @every()
    def clear_away(self) -> None:
        """Delete uploads that nobody used, old idempotency keys, and the files whose rows were deleted."""
        at = self.database.earliest_now(utc_now())
        self.database.run(upload.drop_unused_uploads, at=at)
        self.database.run(forget_keys, before=at - KEY_LIFETIME)
        self.database.run(forget_quotas, before=at)
        keys = self.database.query(models.files_to_erase, FILE_BATCH_SIZE)
        for key in keys:
            self.files.remove(key)
        if keys:
            self.database.run(models.forget_erasures, keys)

    @every(3600)
    def erase_decided(self) -> None:
        """Delete pictures, forms and personal data of decided declarations that are kept no longer; say how many."""
        at = self.database.earliest_now(utc_now())
        for kind in DeclarationKind:
            self._erase_decided(kind, before=at - self.retention.of(kind))

    def _erase_decided(self, kind: DeclarationKind, before: datetime) -> None:
        declarations = files = 0
        while (erased := self.database.run(declaration.erase_decided, kind, before=before))[0]:
            declarations, files = declarations + erased[0], files + erased[1]
        if declarations:
            log.info("decided_data_erased", kind=kind, declarations=declarations, files=files)

    @every(3600)
    def sweep(self) -> None:
        """Delete files that no row names: a process that died at the wrong moment leaves some behind."""
        for folder, lifetime in FOLDERS.items():
            for keys in batched(self.files.older(folder, utc_now() - lifetime), FILE_BATCH_SIZE):
                for key in self.database.query(models.keys_without_rows, keys):
                    self.files.remove(key)


def new_upload(purpose: str, picture: Picture) -> Upload:
    upload_id = new_id()
    return Upload(
        upload_id=upload_id,
        purpose=purpose,
        content_type=picture.content_type,
        bytes=len(picture.data),
        key=upload_key(purpose, upload_id, picture.suffix),
        created_at=utc_now(),
    )


def batched(keys: list[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(keys), size):
        yield keys[first : first + size]
