"""The entrypoints of approval: what officers ask, what it hears, what it does by the clock."""

from contextlib import suppress
from datetime import datetime
from math import inf
from typing import Any

from services.approval import clients, models
from services.approval.domain.officer import Officer, Permission, new_token
from services.approval.domain.register import Match, Person, check_person, compare
from services.approval.domain.review import OWN_FOLDER, UNNAMED_LIFETIME, Review, Standing, own_picture_key
from services.approval.domain.sign_in import Proof
from services.approval.handlers import account, journal, officer, review
from services.approval.schemas.journal import JournalSearchForm, journal_list
from services.approval.schemas.officer import OfficerSessionView, SignInForm, officer_list, own_session_list
from services.approval.schemas.photo import PhotoForm
from services.approval.schemas.review import (
    ApprovalForm,
    DecisionView,
    FirstPasswordForm,
    FirstPasswordView,
    RejectionForm,
    ReminderView,
    ReviewItem,
    ReviewSearchForm,
    ReviewView,
    review_list,
)
from shared import forms, logs
from shared.framework.consumers import listen
from shared.framework.providers import (
    ClientProvider,
    DatabaseProvider,
    FilesProvider,
    GreenFileStore,
    SettingProvider,
    in_thread,
    in_time,
)
from shared.framework.rpc import rpc
from shared.framework.service import Service
from shared.framework.timers import every
from shared.language.clock import utc_now
from shared.language.errors import FieldError, Forbidden, NotFound, Refused, Unauthenticated, Unavailable
from shared.language.events import (
    DeclarationExpired,
    DeclarationSubmitted,
    DeclarationWithdrawn,
    FirstPasswordUndelivered,
)
from shared.language.retention import Retention
from shared.language.values import PICTURE_SUFFIXES, DeclarationKind, Purpose, Status, masked_phone, new_id, upload_key
from shared.settings import SettingsError
from shared.storage.database import Database
from shared.storage.passwords import NOBODY, hash_password, matching_form, normal_form
from shared.storage.quotas import forget_quotas
from shared.storage.seals import BrokenSeal, Seal
from shared.storage.signatures import Signer

log = logs.log(__name__)


class Approval(Service):
    """Shows officers their queue and records their decisions."""

    name = "approval"

    database: Database = DatabaseProvider(models.metadata)
    files: GreenFileStore = FilesProvider()
    http_register: clients.HttpRegister | None = ClientProvider(clients.http_register)
    register_timeout: float = SettingProvider("register_timeout")
    retention: Retention = SettingProvider("retention")
    officer_key: str = SettingProvider("officer_key")
    requires_otp: bool = SettingProvider("requires_otp")
    signer: Signer = ClientProvider(Signer)

    # officers

    @rpc
    def sign_in(self, form: Any, caller: str) -> dict[str, Any]:
        """Open a session; the password is compared outside of any transaction, in a thread."""
        checked = forms.read(SignInForm, form)
        found = self.database.run(officer.begin_sign_in, checked["username"], caller, at=utc_now())
        password = in_thread(matching_form, found.password_hash if found else NOBODY, checked["password"])
        if found is None:
            raise Unauthenticated("wrong_credentials")
        try:
            return self._open_session(found, password, checked["otp"], caller)
        except Unauthenticated as refusal:
            if refusal.code == "wrong_credentials":
                self.database.run(officer.refuse_sign_in, found, at=utc_now())
            raise

    def _open_session(self, found: Officer, password: str | None, otp: str | None, caller: str) -> dict[str, Any]:
        if password is None:
            raise Unauthenticated("wrong_credentials")
        proof = Proof(self._hash_to_keep(found, password), *self._second_factor(found, otp, caller))
        token = new_token()
        opened = self.database.run(officer.finish_sign_in, found, proof, caller, token, at=utc_now())
        return OfficerSessionView.of(opened, token=token)

    def _hash_to_keep(self, found: Officer, password: str) -> str:
        """Return the hash of a password, a new one where the old one is of another form (up to 0.2)."""
        return found.password_hash if password == normal_form(password) else in_thread(hash_password, password)

    def _second_factor(self, found: Officer, otp: str | None, caller: str) -> tuple[str | None, str | None]:
        """Return the secret of the officer's authenticator and the code that was given.

        Raises:
            Unauthenticated, Forbidden: as `Officer.check_factors` does; it is no failed attempt.
            Unavailable: OFFICER_KEY does not open the secret.
        """
        try:
            found.check_factors(otp, requires_otp=self.requires_otp)
        except (Unauthenticated, Forbidden):
            self.database.run(officer.take_back_attempt, found.username, caller, at=utc_now())
            raise
        try:
            return found.otp_secret and Seal(self.officer_key, "OFFICER_KEY").open(found.otp_secret, inf), otp
        except (BrokenSeal, SettingsError) as error:
            log.error("otp_secret_unreadable", reason=str(error))
            raise Unavailable from None

    @rpc
    def sign_out(self, token: str) -> None:
        self.database.run(officer.sign_out, token, at=utc_now())

    @rpc
    def list_sessions(self, token: str) -> dict[str, Any]:
        """Return the officer's own sessions."""
        return own_session_list(*self.database.query(officer.list_sessions, token, at=utc_now()))

    @rpc
    def end_session(self, token: str, session_id: str) -> None:
        """End one of the officer's own sessions."""
        self.database.run(officer.end_session, token, session_id, at=utc_now())

    @rpc
    def list_officers(self, token: str) -> dict[str, Any]:
        """Return the officers of the agency, with their sessions."""
        return officer_list(*self.database.query(officer.list_officers, token, at=utc_now()))

    @rpc
    def end_officer_sessions(self, token: str, username: str) -> None:
        """End every session of an officer of the agency."""
        self.database.run(officer.end_sessions, token, username, at=utc_now())

    # the queue

    @rpc
    def list_reviews(self, token: str, search: Any) -> dict[str, Any]:
        at = utc_now()
        self._check_may(token, Permission.READ_QUEUE, at)
        wanted = forms.read(ReviewSearchForm, search)
        found = self.database.run(review.search_reviews, token, wanted, at=at)
        return review_list(found, self.database.query(models.standings, found), wanted["limit"], at)

    @rpc
    def get_review(self, token: str, number: str) -> dict[str, Any]:
        """Show a whole dossier, once the journal says so."""
        at = utc_now()
        found = self.database.run(review.view_review, token, number, at=at)
        also = {"register_check": self._register_check(found), **vars(self._standing(found))}
        return ReviewView.of(found, at, photos=review.photo_references(found, token), **also)

    @rpc
    def view_photo(self, reference: str) -> str:
        """Return the key of a picture of a dossier to who follows its link, once the journal says so.

        Raises:
            NotFound: ``link_expired``, the session that the link was made for is over, or the picture is gone.
        """
        return self.database.run(review.view_photo, reference, at=utc_now())

    @rpc
    def receive_declaration(self, token: str, number: str) -> dict[str, Any]:
        """Assign a declaration to the officer."""
        at = utc_now()
        return self._item(self.database.run(review.receive_declaration, token, number, at=at), at)

    @rpc
    def return_declaration(self, token: str, number: str) -> dict[str, Any]:
        """Return a declaration to the queue."""
        at = utc_now()
        return self._item(self.database.run(review.return_declaration, token, number, at=at), at)

    @rpc
    def replace_photo(self, token: str, number: str, purpose: str, form: Any) -> dict[str, Any]:
        """Replace a declared picture by a copy of an upload (S68, docs/decisions/0012).

        Raises:
            NotFound: ``upload_not_found``, no unused upload has this id and purpose; ``no_such_photo``.
            Refused: ``already_decided``, ``assigned_to_another``.
        """
        at = utc_now()
        # nothing is read or copied for a stranger
        declaration_id = self.database.query(review.check_review, token, number, at=at)
        upload_id = forms.read(PhotoForm, form)["upload_id"]
        key = self._copy_upload(declaration_id, purpose, upload_id)
        try:
            changed, old = self.database.run(review.replace_photo, token, number, purpose, key, upload_id, at=at)
        except (NotFound, Refused, Unauthenticated, Forbidden):  # after Unavailable it may be committed all the same
            self.files.remove(key)
            raise
        if old is not None:
            self.files.remove(old)
        return self._item(changed, at)

    def _item(self, shown: Review, at: datetime) -> dict[str, Any]:
        return ReviewItem.of(shown, at, **vars(self._standing(shown)))

    def _standing(self, shown: Review) -> Standing:
        return self.database.query(models.standings, [shown]).get(shown.insurance_code or "", Standing())

    def _copy_upload(self, declaration_id: str, purpose: str, upload_id: str) -> str:
        """Copy an upload into a file of our own, and return its key.

        Raises:
            NotFound: ``upload_not_found``.
        """
        for suffix in PICTURE_SUFFIXES if purpose in list(Purpose) else ():
            with suppress(FileNotFoundError):
                picture = self.files.get(upload_key(purpose, upload_id, suffix))
                key = own_picture_key(declaration_id, new_id(), suffix)
                self.files.put(key, picture)
                return key
        raise NotFound("upload_not_found")

    @rpc
    def remind(self, token: str, number: str) -> dict[str, Any]:
        """Send number and tracking code to the declared phone once more."""
        return ReminderView.of(
            {"sent_to": masked_phone(self.database.run(review.remind, token, number, at=utc_now()).phone)}
        )

    @rpc
    def request_first_password(self, token: str, insurance_code: str, form: Any) -> dict[str, Any]:
        """Have a new first password sent to the phone of an account whose holder the officer has before them."""
        self._check_may(token, Permission.DECIDE, utc_now())
        checked = forms.read(FirstPasswordForm, form)
        request = account.request_first_password
        contact = self.database.run(request, token, insurance_code, **checked, at=utc_now())
        return FirstPasswordView.of({"sent_to": contact and masked_phone(contact.phone)})

    # the decision

    @rpc
    def approve_declaration(self, token: str, number: str, form: Any) -> dict[str, Any]:
        """Approve, if the person shows the tracking code, and the household register knows them (S72-S74).

        The register is asked between two transactions: none is open while another system answers.
        """
        self._check_may(token, Permission.DECIDE, utc_now())
        checked = forms.read(ApprovalForm, form)
        wanted, is_proven = self.database.query(review.check_approvable, token, number, checked, at=utc_now())
        if not is_proven:
            self.database.run(review.refuse_approval, token, number, "wrong_tracking_code", at=utc_now())
            raise Refused("wrong_tracking_code", errors=[FieldError("tracking_code", "wrong_tracking_code")])
        try:
            person = check_person(self._person(wanted), *_declared(wanted), confirmed=checked["confirm"])
        except Refused as refusal:
            self.database.run(review.refuse_approval, token, number, refusal.code, at=utc_now())
            raise
        self.database.run(review.approve_declaration, token, number, person, at=utc_now())
        return DecisionView.of({"status": Status.APPROVED})

    @rpc
    def reject_declaration(self, token: str, number: str, form: Any) -> dict[str, Any]:
        at = utc_now()
        self._check_may(token, Permission.DECIDE, at)
        reason = forms.read(RejectionForm, form)["reason"] or ""
        self.database.run(review.reject_declaration, token, number, reason, at=at)
        return DecisionView.of({"status": Status.REJECTED})

    def _check_may(self, token: str, permission: Permission, at: datetime) -> None:
        """Refuse a caller who may not, or is not signed in, before anything of the request is looked at."""
        self.database.query(officer.officer_of, token, permission, at=at)

    def _person(self, wanted: Review) -> Person | None:
        assert wanted.insurance_code is not None
        register: clients.Register = self.http_register or clients.TableRegister(self.database)
        return in_time(self.register_timeout, clients.register_unavailable(), register.find, wanted.insurance_code)

    def _register_check(self, wanted: Review) -> dict[str, Any] | None:
        """Return what the register says of a pending dossier; one that does not answer is no reason to show nothing."""
        if wanted.status != Status.PENDING:
            return None
        try:
            person = self._person(wanted)
        except Unavailable:
            return {"result": Match.UNAVAILABLE}
        result = compare(person, *_declared(wanted))
        spelled = person.full_name if person and result is Match.SPELLING_DIFFERS else None
        return {"result": result, "full_name": spelled, "id_number": person.id_number if person else None}

    # the journal

    @rpc
    def list_journal(self, token: str, search: Any) -> dict[str, Any]:
        """Show the journal to an auditor: the rows of the own agency, newest first."""
        at = utc_now()
        self._check_may(token, Permission.READ_JOURNAL, at)
        wanted = forms.read(JournalSearchForm, search)
        return journal_list(self.database.run(journal.list_entries, token, wanted, at=at), wanted["limit"])

    # what other services tell

    @listen(DeclarationSubmitted)
    def on_declaration_submitted(self, event: DeclarationSubmitted) -> None:
        self.database.run(review.open_review, event)

    @listen(DeclarationWithdrawn)
    def on_declaration_withdrawn(self, event: DeclarationWithdrawn) -> None:
        self._close(event)

    @listen(DeclarationExpired)
    def on_declaration_expired(self, event: DeclarationExpired) -> None:
        self._close(event)

    @listen(FirstPasswordUndelivered)
    def on_first_password_undelivered(self, event: FirstPasswordUndelivered) -> None:
        self.database.run(account.note_undelivered, event)

    def _close(self, event: DeclarationWithdrawn | DeclarationExpired) -> None:
        # pictures first: a crash in between leaves a dossier without pictures, and the event comes again
        for key in self.database.query(review.pictures_to_delete, event):
            self.files.remove(key)
        self.database.run(review.close_review, event)

    # what is due

    @every(600)
    def clear_away(self) -> None:
        """Delete sessions that are over, old failed attempts to sign in, and officers whose time is over."""
        at = utc_now()
        self.database.run(officer.clear_away, at=at)
        self.database.run(forget_quotas, before=at)

    @every(3600)
    def erase_decided(self) -> None:
        """Delete pictures and personal data of decided declarations that are kept no longer, and say how many."""
        at = self.database.earliest_now(utc_now())
        for kind in DeclarationKind:
            self._erase_decided(kind, before=at - self.retention.of(kind))

    def _erase_decided(self, kind: DeclarationKind, before: datetime) -> None:
        declarations = pictures = 0
        while found := self.database.query(review.decided_reviews, kind, before=before):
            # pictures first: a crash in between leaves a dossier without pictures, and it is found again
            keys = [key for _, keys in found for key in keys]
            for key in keys:
                self.files.remove(key)
            self.database.run(review.forget_reviews, [declaration_id for declaration_id, _ in found])
            declarations, pictures = declarations + len(found), pictures + len(keys)
        if declarations:
            log.info("decided_data_erased", kind=kind, declarations=declarations, files=pictures)

    @every(3600)
    def sweep(self) -> None:
        """Delete officers' pictures that no review names: a process that died in between leaves some behind."""
        for key in self.files.older(OWN_FOLDER, utc_now() - UNNAMED_LIFETIME):
            if not self.database.query(review.is_named, key):
                self.files.remove(key)

    @every(600)
    def sign_root(self) -> None:
        """Sign the journal once a day of Vietnam; the line is a copy that lies elsewhere."""
        root = self.database.run(journal.sign_root, self.signer.sign, at=utc_now())
        if root is not None:
            log.info(
                "journal_root_signed",
                day=root.day,
                sequence=root.sequence,
                hash=root.hash,
                signature=root.signature,
            )


def _declared(wanted: Review) -> tuple[str, str]:
    """Return the declared name and ID number."""
    return wanted.full_name or "", wanted.dossier.id_document.number if wanted.dossier else ""
