"""Without an account: uploads, declarations, and what the form's pickers and scanners need."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.wrappers import Request, Response

from services.gateway.bodies import file_of, json_of
from services.gateway.identity import address_of
from services.gateway.problems import language_of
from services.gateway.routes.parameters import NUMBER, PROVINCE, TRACKING_CODE
from shared.framework.http import JsonResponse, route
from shared.framework.providers import FilesProvider, GreenFileStore, SettingProvider
from shared.framework.rpc import RpcProxyProvider
from shared.language.errors import Invalid, Refused
from shared.language.values import new_id

PICTURE_SECONDS = 8.0  # reading a large picture takes a second; several wait for the same processors


class PublicRoutes:
    registration: Any = RpcProxyProvider("registration")
    files: GreenFileStore = FilesProvider()
    trusted_proxies: int = SettingProvider("trusted_proxies")

    @route(
        "POST",
        "/api/v1/uploads",
        limit="uploading",
        file="file",
        file_form="registration.UploadForm",
        answer=("registration.UploadView",),
        status=201,
        idempotent=True,
        refuses=Invalid.codes("unreadable_image"),
    )
    def store_upload(self, request: Request) -> Response:
        """Keep a picture for a declaration."""
        content, form = file_of(request, "file", fields=("purpose",))
        with self._incoming(content) as key:
            answer = self.registration.within(PICTURE_SECONDS).store_upload(
                incoming=key,
                form=form,
                idempotency_key=request.headers.get("Idempotency-Key"),
                caller=self._address_of(request),
            )
        return JsonResponse(answer, 201)

    @route(
        "POST",
        "/api/v1/declarations",
        json="registration.DeclarationForm",
        answer=("registration.SubmittedView",),
        status=201,
        headers=("Location",),
        idempotent=True,
        refuses=Refused.codes("declaration_pending", "unknown_agency", "upload_not_found"),
    )
    def submit_declaration(self, request: Request) -> Response:
        """Submit a declaration."""
        answer = self.registration.submit_declaration(
            form=json_of(request),
            language=language_of(request),
            idempotency_key=request.headers.get("Idempotency-Key"),
            caller=self._address_of(request),
        )
        location = f"/api/v1/declarations/{answer['number']}"
        return JsonResponse(answer, 201, headers={"Location": location})

    @route(
        "GET",
        "/api/v1/declarations/<string:number>",
        answer=("registration.DeclarationView",),
        parameters=(NUMBER, TRACKING_CODE),
    )
    def get_declaration(self, request: Request, number: str) -> Response:
        """Say where a declaration stands."""
        return JsonResponse(self.registration.get_declaration(number=number, tracking_code=_tracking_code(request)))

    @route(
        "GET",
        "/api/v1/declarations/<string:number>/form.pdf",
        media=("application/pdf",),
        parameters=(NUMBER, TRACKING_CODE),
        refuses=Refused.codes("already_decided"),
    )
    def print_form01(self, request: Request, number: str) -> Response:
        """Return Form 01, ready to print and sign, while the declaration is pending."""
        printed = self.registration.within(PICTURE_SECONDS).print_form01(
            number=number, tracking_code=_tracking_code(request)
        )
        named = {"Content-Disposition": f'inline; filename="to-khai-{number}.pdf"'}
        return Response(base64.b64decode(printed["pdf"]), content_type="application/pdf", headers=named)

    @route(
        "DELETE",
        "/api/v1/declarations/<string:number>",
        status=204,
        parameters=(NUMBER, TRACKING_CODE),
        refuses=Refused.codes("already_decided"),
    )
    def withdraw_declaration(self, request: Request, number: str) -> Response:
        """Withdraw a pending declaration; its personal data are deleted."""
        self.registration.withdraw_declaration(number=number, tracking_code=_tracking_code(request))
        return JsonResponse(status=204)

    @route(
        "POST",
        "/api/v1/qr",
        limit="uploading",
        json="registration.QrForm",
        file="image",
        answer=("registration.QrView",),
        refuses=Invalid.codes("unreadable_qr", "unreadable_image"),
    )
    def read_qr(self, request: Request) -> Response:
        """Read the QR code of a card, from its text or from a picture."""
        if request.mimetype != "multipart/form-data":
            return JsonResponse(self.registration.read_qr(form=json_of(request)))
        content, _ = file_of(request, "image")
        with self._incoming(content) as key:
            return JsonResponse(self.registration.within(PICTURE_SECONDS).read_qr(incoming=key))

    @route("GET", "/api/v1/provinces", answer=("registration.PlaceList",))
    def list_provinces(self, request: Request) -> Response:
        """List today's provinces."""
        return _cacheable(JsonResponse(self.registration.list_provinces()))

    @route("GET", "/api/v1/provinces/<string:code>/wards", answer=("registration.PlaceList",), parameters=(PROVINCE,))
    def list_wards(self, request: Request, code: str) -> Response:
        """List the wards of a province."""
        return _cacheable(JsonResponse(self.registration.list_wards(code=code)))

    @route("GET", "/api/v1/agencies", query="registration.AgencySearchForm", answer=("registration.AgencyList",))
    def list_agencies(self, request: Request) -> Response:
        """List the agencies that are open."""
        return JsonResponse(self.registration.list_agencies(search=request.args.to_dict()))

    @contextmanager
    def _incoming(self, content: bytes) -> Iterator[str]:
        """Store a file where registration can read it: it is too large for a call."""
        key = f"incoming/{new_id()}"
        self.files.put(key, content)
        try:
            yield key
        finally:
            self.files.remove(key)

    def _address_of(self, request: Request) -> str:
        return address_of(request, self.trusted_proxies)


def _tracking_code(request: Request) -> str:
    return request.args.get("tracking_code", "")[:100]


def _cacheable(answer: JsonResponse) -> JsonResponse:
    """Let callers cache a list that changes a few times a year."""
    answer.headers["Cache-Control"] = "public, max-age=3600"
    return answer
