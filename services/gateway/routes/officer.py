"""For officers: signing in, the queue, the dossier, the decision."""

from typing import Any

from werkzeug.wrappers import Request, Response

from services.gateway.bodies import json_of
from services.gateway.identity import PictureLinks, address_of, bearer_token
from services.gateway.routes.parameters import INSURANCE_CODE, NUMBER, PHOTO_TOKEN, PURPOSE, SESSION_ID, USERNAME
from shared.framework.http import Caller, JsonResponse, route
from shared.framework.providers import FilesProvider, GreenFileStore, SettingProvider
from shared.framework.rpc import RpcProxyProvider
from shared.language.errors import Forbidden, Locked, NotFound, Refused, Unauthenticated, Unavailable

SIGN_IN_SECONDS = 4.0  # comparing passwords is slow on purpose, and many sign in at eight o'clock
MESSAGES_SECONDS = 0.8  # a dossier is shown without its messages rather than late
CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
CLOSED = Refused.codes("already_decided", "assigned_to_another")
REVIEW = "/api/v1/officer/reviews/<string:number>"


class OfficerRoutes:
    approval: Any = RpcProxyProvider("approval")
    notification: Any = RpcProxyProvider("notification")
    files: GreenFileStore = FilesProvider()
    register_timeout: float = SettingProvider("register_timeout")
    rpc_deadline: float = SettingProvider("rpc_deadline")
    trusted_proxies: int = SettingProvider("trusted_proxies")
    links: PictureLinks

    @route(
        "POST",
        "/api/v1/officer/sessions",
        limit="signing_in",
        tag="officer",
        json="approval.SignInForm",
        answer=("approval.OfficerSessionView",),
        status=201,
        refuses=(
            *Unauthenticated.codes("wrong_credentials", "otp_required"),
            *Forbidden.codes("otp_not_enrolled"),
            *Locked.codes(),
        ),
    )
    def sign_in(self, request: Request) -> Response:
        """Sign an officer in."""
        caller = address_of(request, self.trusted_proxies)
        return JsonResponse(self.approval.within(SIGN_IN_SECONDS).sign_in(form=json_of(request), caller=caller), 201)

    @route("DELETE", "/api/v1/officer/sessions/current", caller=Caller.OFFICER, status=204)
    def sign_out(self, request: Request) -> Response:
        """Sign out."""
        self.approval.sign_out(token=bearer_token(request))
        return JsonResponse(status=204)

    @route("GET", "/api/v1/officer/sessions", caller=Caller.OFFICER, answer=("approval.OwnSessionList",))
    def list_sessions(self, request: Request) -> Response:
        """List one's own sessions."""
        return JsonResponse(self.approval.list_sessions(token=bearer_token(request)))

    @route(
        "DELETE",
        "/api/v1/officer/sessions/<string:session_id>",
        caller=Caller.OFFICER,
        status=204,
        parameters=(SESSION_ID,),
        refuses=NotFound.codes("session_not_found"),
    )
    def end_session(self, request: Request, session_id: str) -> Response:
        """End one of one's own sessions."""
        self.approval.end_session(token=bearer_token(request), session_id=session_id)
        return JsonResponse(status=204)

    @route("GET", "/api/v1/officer/officers", caller=Caller.OFFICER, answer=("approval.OfficerList",))
    def list_officers(self, request: Request) -> Response:
        """List the officers of the agency, with their sessions; for an admin."""
        return JsonResponse(self.approval.list_officers(token=bearer_token(request)))

    @route(
        "DELETE",
        "/api/v1/officer/officers/<string:username>/sessions",
        caller=Caller.OFFICER,
        status=204,
        parameters=(USERNAME,),
        refuses=NotFound.codes("officer_not_found"),
    )
    def end_officer_sessions(self, request: Request, username: str) -> Response:
        """End every session of an officer of the agency; for an admin."""
        self.approval.end_officer_sessions(token=bearer_token(request), username=username)
        return JsonResponse(status=204)

    @route(
        "GET",
        "/api/v1/officer/reviews",
        caller=Caller.OFFICER,
        query="approval.ReviewSearchForm",
        answer=("approval.ReviewList",),
    )
    def list_reviews(self, request: Request) -> Response:
        """Search the queue of the officer's agency."""
        return JsonResponse(self.approval.list_reviews(token=bearer_token(request), search=request.args.to_dict()))

    @route(
        "GET",
        REVIEW,
        caller=Caller.OFFICER,
        answer=("approval.ReviewView", "notification.MessagesView"),
        parameters=(NUMBER,),
    )
    def get_review(self, request: Request, number: str) -> Response:
        """Show a whole dossier."""
        found = self._asking_register().get_review(token=bearer_token(request), number=number)
        found["photos"] = {purpose: self.links.link(reference) for purpose, reference in found["photos"].items()}
        return JsonResponse({**found, "messages": self._messages(found["declaration_id"])})

    def _messages(self, declaration_id: str) -> list[dict[str, Any]] | None:
        """Return what was sent about a declaration; None while notification does not answer."""
        try:
            return list(self.notification.within(MESSAGES_SECONDS).list_messages(declaration_id=declaration_id))
        except Unavailable:
            return None

    @route(
        "PUT",
        f"{REVIEW}/assignment",
        caller=Caller.OFFICER,
        answer=("approval.ReviewItem",),
        parameters=(NUMBER,),
        refuses=CLOSED,
    )
    def receive_declaration(self, request: Request, number: str) -> Response:
        """Assign a dossier to oneself."""
        return JsonResponse(self.approval.receive_declaration(token=bearer_token(request), number=number))

    @route(
        "DELETE",
        f"{REVIEW}/assignment",
        caller=Caller.OFFICER,
        answer=("approval.ReviewItem",),
        parameters=(NUMBER,),
        refuses=CLOSED,
    )
    def return_declaration(self, request: Request, number: str) -> Response:
        """Return a dossier to the queue."""
        return JsonResponse(self.approval.return_declaration(token=bearer_token(request), number=number))

    @route(
        "PUT",
        f"{REVIEW}/photos/<string:purpose>",
        caller=Caller.OFFICER,
        json="approval.PhotoForm",
        answer=("approval.ReviewItem",),
        parameters=(NUMBER, PURPOSE),
        refuses=(*CLOSED, *NotFound.codes("upload_not_found", "no_such_photo")),
    )
    def replace_photo(self, request: Request, number: str, purpose: str) -> Response:
        """Replace a picture of the dossier by an upload."""
        token = bearer_token(request)
        return JsonResponse(
            self.approval.replace_photo(token=token, number=number, purpose=purpose, form=json_of(request))
        )

    @route(
        "POST",
        f"{REVIEW}/approval",
        caller=Caller.OFFICER,
        json="approval.ApprovalForm",
        answer=("approval.DecisionView",),
        parameters=(NUMBER,),
        refuses=(
            *CLOSED,
            *Refused.codes(
                "identity_not_checked",
                "wrong_tracking_code",
                "code_not_registered",
                "name_mismatch",
                "name_spelling_differs",
                "id_mismatch",
                "account_exists",
                "confirmation_required",
            ),
            *Locked.codes(),
            *Unavailable.codes("register_unavailable"),
        ),
    )
    def approve_declaration(self, request: Request, number: str) -> Response:
        """Approve a declaration; the household register is asked first."""
        token = bearer_token(request)
        return JsonResponse(
            self._asking_register().approve_declaration(token=token, number=number, form=json_of(request))
        )

    @route(
        "POST",
        f"{REVIEW}/reminder",
        caller=Caller.OFFICER,
        answer=("approval.ReminderView",),
        status=202,
        parameters=(NUMBER,),
        refuses=Refused.codes("already_decided"),
    )
    def remind(self, request: Request, number: str) -> Response:
        """Send number and tracking code to the declared phone once more, three times a day at most."""
        return JsonResponse(self.approval.remind(token=bearer_token(request), number=number), 202)

    @route(
        "POST",
        f"{REVIEW}/rejection",
        caller=Caller.OFFICER,
        json="approval.RejectionForm",
        answer=("approval.DecisionView",),
        parameters=(NUMBER,),
        refuses=(*CLOSED, *Refused.codes("reason_required")),
    )
    def reject_declaration(self, request: Request, number: str) -> Response:
        """Reject a declaration, with the reason that the applicant is told."""
        token = bearer_token(request)
        return JsonResponse(self.approval.reject_declaration(token=token, number=number, form=json_of(request)))

    @route(
        "POST",
        "/api/v1/officer/accounts/<string:insurance_code>/first-password",
        caller=Caller.OFFICER,
        json="approval.FirstPasswordForm",
        answer=("approval.FirstPasswordView",),
        status=202,
        parameters=(INSURANCE_CODE,),
        refuses=(*Refused.codes("identity_not_checked"), *NotFound.codes("account_not_found")),
    )
    def request_first_password(self, request: Request, insurance_code: str) -> Response:
        """Send a new first password to the account's phone, three times a day at most.

        For a holder who stands before the officer, at whatever agency: the SMS did not arrive, or the password is lost.
        """
        token = bearer_token(request)
        sent = self.approval.request_first_password(token=token, insurance_code=insurance_code, form=json_of(request))
        return JsonResponse(sent, 202)

    @route(
        "GET",
        "/api/v1/photos/<string:token>",
        tag="officer",
        media=tuple(CONTENT_TYPES.values()),
        parameters=(PHOTO_TOKEN,),
        refuses=NotFound.codes("link_expired"),
    )
    def show_photo(self, request: Request, token: str) -> Response:
        """Show a picture of a dossier, by the link that came with it, while the session lasts."""
        key = self.approval.view_photo(reference=self.links.reference(token))
        try:
            content = self.files.get(key)
        except FileNotFoundError:
            raise NotFound("link_expired") from None
        kind = CONTENT_TYPES.get(key.rpartition(".")[2], "application/octet-stream")
        return Response(content, content_type=kind, headers={"Content-Security-Policy": "sandbox"})

    @route(
        "GET",
        "/api/v1/officer/journal",
        caller=Caller.OFFICER,
        query="approval.JournalSearchForm",
        answer=("approval.JournalList",),
        refuses=Forbidden.codes(),
    )
    def list_journal(self, request: Request) -> Response:
        """Show an auditor what the officers of the agency saw and did; looking is a row of its own."""
        return JsonResponse(self.approval.list_journal(token=bearer_token(request), search=request.args.to_dict()))

    def _asking_register(self) -> Any:
        return self.approval.within(self.register_timeout + self.rpc_deadline)
