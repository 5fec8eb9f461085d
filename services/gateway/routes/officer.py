"""For officers: signing in, the queue, the dossier, the decision."""

from typing import Any

from werkzeug.wrappers import Request, Response

from services.gateway.bodies import json_of
from services.gateway.identity import PictureLinks, bearer_token
from shared.framework.http import Answer, route
from shared.framework.providers import FilesProvider, GreenFileStore, SettingProvider
from shared.framework.rpc import RpcProxyProvider
from shared.language.errors import NotFound, Unavailable

SIGN_IN_SECONDS = 4.0  # comparing passwords is slow on purpose, and many may sign in at eight o'clock
MESSAGES_SECONDS = 0.8  # a dossier does not wait longer to say what was sent about it
CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
REVIEW = "/api/v1/officer/reviews/<string:number>"


class OfficerRoutes:
    approval: Any = RpcProxyProvider("approval")
    notification: Any = RpcProxyProvider("notification")
    registration: Any = RpcProxyProvider("registration")
    files: GreenFileStore = FilesProvider()
    register_timeout: float = SettingProvider("register_timeout")
    rpc_deadline: float = SettingProvider("rpc_deadline")
    links: PictureLinks

    @route(
        "POST",
        "/api/v1/officer/sessions",
        limit="signing_in",
        takes="approval.SignInForm",
        gives="approval.OfficerSessionView",
        status=201,
        refuses=("wrong_credentials", "locked"),
    )
    def sign_in(self, request: Request) -> Response:
        """Sign an officer in."""
        return Answer(self.approval.within(SIGN_IN_SECONDS).sign_in(form=json_of(request)), 201)

    @route("DELETE", "/api/v1/officer/sessions/current", status=204)
    def sign_out(self, request: Request) -> Response:
        """Sign out."""
        self.approval.sign_out(token=bearer_token(request))
        return Answer(status=204)

    @route("GET", "/api/v1/officer/reviews", takes="approval.ReviewSearchForm", gives="approval.ReviewList")
    def list_reviews(self, request: Request) -> Response:
        """Search the queue of the officer's agency."""
        return Answer(self.approval.list_reviews(token=bearer_token(request), search=request.args.to_dict()))

    @route("GET", REVIEW, gives="approval.ReviewView & notification.MessagesView")
    def get_review(self, request: Request, number: str) -> Response:
        """Show a whole dossier."""
        found = self._asking_register().get_review(token=bearer_token(request), number=number)
        found["photos"] = {purpose: self.links.link(key) for purpose, key in found["photos"].items()}
        return Answer({**found, "messages": self._messages(found["declaration_id"])})

    def _messages(self, declaration_id: str) -> list[dict[str, Any]] | None:
        """Return what was sent about a declaration; None while nobody can say, which is no reason to show nothing."""
        try:
            return list(self.notification.within(MESSAGES_SECONDS).list_messages(declaration_id=declaration_id))
        except Unavailable:
            return None

    @route(
        "PUT",
        f"{REVIEW}/assignment",
        gives="approval.ReviewItem",
        refuses=("assigned_to_another", "already_decided"),
    )
    def take_review(self, request: Request, number: str) -> Response:
        """Take a dossier in hand."""
        return Answer(self.approval.take_review(token=bearer_token(request), number=number))

    @route(
        "DELETE",
        f"{REVIEW}/assignment",
        gives="approval.ReviewItem",
        refuses=("assigned_to_another", "already_decided"),
    )
    def give_back_review(self, request: Request, number: str) -> Response:
        """Give a dossier back to the queue."""
        return Answer(self.approval.give_back_review(token=bearer_token(request), number=number))

    @route(
        "PUT",
        f"{REVIEW}/photos/<string:purpose>",
        takes="registration.PhotoForm",
        gives="approval.ReviewItem",
        refuses=("assigned_to_another", "already_decided"),
    )
    def replace_photo(self, request: Request, number: str, purpose: str) -> Response:
        """Replace a picture of the dossier by an upload."""
        token = bearer_token(request)
        self.approval.check_review(token=token, number=number)
        form = json_of(request)
        upload = self.registration.get_upload(form=form)
        changed = self.approval.replace_photo(token=token, number=number, purpose=purpose, upload=upload)
        self.registration.drop_upload(form=form)
        return Answer(changed)

    @route(
        "POST",
        f"{REVIEW}/approval",
        takes="approval.ApprovalForm",
        gives="approval.DecisionView",
        refuses=(
            "identity_not_checked",
            "code_not_registered",
            "name_mismatch",
            "confirmation_required",
            "already_decided",
            "assigned_to_another",
            "register_unavailable",
        ),
    )
    def approve_declaration(self, request: Request, number: str) -> Response:
        """Approve; the household register is asked first."""
        form = json_of(request)
        return Answer(
            self._asking_register().approve_declaration(token=bearer_token(request), number=number, form=form)
        )

    @route(
        "POST",
        f"{REVIEW}/rejection",
        takes="approval.RejectionForm",
        gives="approval.DecisionView",
        refuses=("reason_required", "already_decided", "assigned_to_another"),
    )
    def reject_declaration(self, request: Request, number: str) -> Response:
        """Reject, with the reason the applicant is told."""
        form = json_of(request)
        return Answer(self.approval.reject_declaration(token=bearer_token(request), number=number, form=form))

    @route("GET", "/api/v1/photos/<string:token>", gives="image/jpeg")
    def show_photo(self, request: Request, token: str) -> Response:
        """Show a picture of a dossier, by the link that came with it."""
        key = self.links.key(token)
        try:
            content = self.files.get(key)
        except FileNotFoundError:
            raise NotFound("link_over") from None
        kind = CONTENT_TYPES.get(key.rpartition(".")[2], "application/octet-stream")
        return Response(content, content_type=kind, headers={"Content-Security-Policy": "sandbox"})

    def _asking_register(self) -> Any:
        return self.approval.within(self.register_timeout + self.rpc_deadline)
