"""The counter of the approval desk: what officers ask, what the desk hears, what it does by the clock."""

from typing import Any

from services.approval import clients, models
from services.approval.domain.officer import TRIES_LIFE, new_token
from services.approval.domain.register import Match, check_person, compare
from services.approval.domain.review import Review
from services.approval.handlers import officer, review
from services.approval.schemas.review import (
    ApprovalForm,
    ReviewSearchForm,
    SignInForm,
    rejection_reason,
    review_item,
    review_list,
    review_view,
    stamp,
)
from shared import forms
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
from shared.language.errors import NotFound, Problem, Unauthenticated, Unavailable
from shared.language.events import DeclarationExpired, DeclarationSubmitted, DeclarationWithdrawn
from shared.language.values import Status, new_id
from shared.storage.database import Database
from shared.storage.passwords import NOBODY, is_password


class Approval(Service):
    """Shows officers their queue and takes their decisions."""

    name = "approval"

    database: Database = DatabaseProvider(models.metadata)
    files: GreenFileStore = FilesProvider()
    http_register: clients.HttpRegister | None = ClientProvider(clients.http_register)
    register_timeout: float = SettingProvider("register_timeout")

    # officers

    @rpc
    def sign_in(self, form: Any) -> dict[str, Any]:
        """Open a session; the password is compared outside of any transaction, in a thread."""
        checked, at = forms.read(SignInForm, form), utc_now()
        found = self.database.run(officer.begin_sign_in, checked["username"], at=at)
        right = in_thread(is_password, found.password_hash if found else NOBODY, checked["password"])
        if found is None or not right:
            raise Unauthenticated("wrong_credentials")
        token = new_token()
        with self.database.begin() as session:
            opened = officer.finish_sign_in(session, found.username, token, at=utc_now())
        return {"token": token, "expires_at": stamp(opened.expires_at)}

    @rpc
    def sign_out(self, token: str) -> None:
        with self.database.begin() as session:
            officer.sign_out(session, token)

    # the queue

    @rpc
    def list_reviews(self, token: str, search: Any) -> dict[str, Any]:
        at = utc_now()
        with self.database.read() as session:
            asking = officer.officer_behind(session, token, at=at)
            wanted = forms.read(ReviewSearchForm, search)
            found = models.reviews_found(session, asking.agency_code, wanted, at)
            return review_list(found, wanted["limit"], at)

    @rpc
    def get_review(self, token: str, number: str) -> dict[str, Any]:
        at = utc_now()
        with self.database.read() as session:
            found = review.find_review(session, officer.officer_behind(session, token, at=at), number)
        return review_view(found, self._match(found), at)

    @rpc
    def take_review(self, token: str, number: str) -> dict[str, Any]:
        at = utc_now()
        with self.database.begin() as session:
            asking = officer.officer_behind(session, token, at=at)
            return review_item(review.take_review(session, asking, number, at=at), at)

    @rpc
    def give_back_review(self, token: str, number: str) -> dict[str, Any]:
        at = utc_now()
        with self.database.begin() as session:
            asking = officer.officer_behind(session, token, at=at)
            return review_item(review.give_back_review(session, asking, number, at=at), at)

    @rpc
    def check_review(self, token: str, number: str) -> None:
        """Refuse who may not see this dossier, before anything is fetched from elsewhere for it."""
        with self.database.read() as session:
            review.find_review(session, officer.officer_behind(session, token, at=utc_now()), number)

    @rpc
    def replace_photo(self, token: str, number: str, purpose: str, upload: dict[str, Any]) -> dict[str, Any]:
        """Copy an upload into the dossier in place of the declared picture (S68)."""
        if upload["purpose"] != purpose:
            raise NotFound("upload_not_found")
        key = f"{review.OWN_FOLDER}{new_id()}.{upload['key'].rpartition('.')[2]}"
        at = utc_now()
        with self.database.read() as session:
            officer.officer_behind(session, token, at=at)
        self.files.put(key, self.files.get(upload["key"]))
        try:
            with self.database.begin() as session:
                asking = officer.officer_behind(session, token, at=at)
                changed, old = review.replace_photo(session, asking, number, purpose, key, at=at)
        except Problem:
            self.files.remove(key)
            raise
        if old.startswith(review.OWN_FOLDER):
            self.files.remove(old)
        return review_item(changed, at)

    # the decision

    @rpc
    def approve_declaration(self, token: str, number: str, form: Any) -> dict[str, Any]:
        """Approve, if the rules allow it and the household register knows the code and the name (S72-S74).

        The register is asked between two transactions: none is open while somebody outside answers.
        """
        checked = forms.read(ApprovalForm, form)
        with self.database.read() as session:
            asking = officer.officer_behind(session, token, at=utc_now())
            wanted = review.check_approvable(session, asking, number, checked, at=utc_now())
        person = check_person(self._person(wanted), wanted.full_name or "")
        with self.database.begin() as session:
            review.approve_declaration(session, asking, number, person, at=utc_now())
        return {"status": Status.APPROVED}

    @rpc
    def reject_declaration(self, token: str, number: str, form: Any) -> dict[str, Any]:
        at = utc_now()
        with self.database.begin() as session:
            asking = officer.officer_behind(session, token, at=at)
            review.reject_declaration(session, asking, number, rejection_reason(form), at=at)
        return {"status": Status.REJECTED}

    def _person(self, wanted: Review) -> Any:
        assert wanted.insurance_code is not None
        register: clients.Register = self.http_register or clients.TableRegister(self.database)
        return in_time(self.register_timeout, clients.register_unavailable(), register.find, wanted.insurance_code)

    def _match(self, wanted: Review) -> Match | None:
        """Return what the register says of a pending dossier; a silent register is no reason not to show it."""
        if wanted.status != Status.PENDING:
            return None
        try:
            return compare(self._person(wanted), wanted.full_name or "")
        except Unavailable:
            return Match.UNAVAILABLE

    # what the other desks tell

    @listen(DeclarationSubmitted)
    def on_declaration_submitted(self, event: DeclarationSubmitted) -> None:
        self.database.run(review.open_review, event)

    @listen(DeclarationWithdrawn)
    def on_declaration_withdrawn(self, event: DeclarationWithdrawn) -> None:
        self._close(event)

    @listen(DeclarationExpired)
    def on_declaration_expired(self, event: DeclarationExpired) -> None:
        self._close(event)

    def _close(self, event: DeclarationWithdrawn | DeclarationExpired) -> None:
        # pictures first: a crash in between leaves a dossier without pictures, and the event comes again
        with self.database.read() as session:
            found = models.review_of(session, event.declaration_id)
        for key in review.own_pictures(found) if found else []:
            self.files.remove(key)
        with self.database.begin() as session:
            review.close_review(session, event)

    # what is due

    @every(600)
    def clear_away(self) -> None:
        """End the sessions that are over, and forget old tries to sign in."""
        with self.database.begin() as session:
            models.end_sessions(session, before=utc_now())
            models.forget_old_tries(session, before=utc_now() - TRIES_LIFE)
