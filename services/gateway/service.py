"""The entrypoints of the gateway: every route, and the admission control in front of them."""

from typing import Any

from werkzeug.wrappers import Request, Response

from services.gateway.identity import PictureLinks, address_of, whole_address
from services.gateway.limits import RateLimits
from services.gateway.problems import present
from services.gateway.routes.hooks import HookRoutes
from services.gateway.routes.officer import OfficerRoutes
from services.gateway.routes.operations import OperationsRoutes
from services.gateway.routes.public import PublicRoutes
from shared.framework.providers import ClientProvider
from shared.framework.service import Operations, Service
from shared.language.errors import Problem


class AdmissionControl(Operations):
    """Rate limits, beside health, readiness and metrics; they are served by the gateway's own web server."""

    serves_itself = False

    def setup(self) -> None:
        super().setup()
        self._limits = RateLimits(self.settings)

    def states(self) -> dict[str, str]:
        return {**super().states(), **self._limits.states()}

    def admit(self, request: Request, limit: str) -> None:
        self._limits.count(limit, address_of(request, self.settings.trusted_proxies))

    def caller(self, request: Request) -> str:
        return whole_address(request, self.settings.trusted_proxies)


class Gateway(PublicRoutes, OfficerRoutes, HookRoutes, OperationsRoutes, Service):
    """HTTP to the services and back."""

    name = "gateway"

    operations = AdmissionControl()
    links: PictureLinks = ClientProvider(PictureLinks)

    @staticmethod
    def present(problem: Problem, request: Request, *rest: Any) -> Response:
        return present(problem, request, *rest)
