"""The call that `stock` does, with our framework: the same callee, the same gateway.

``python -m tests.bench.ours callee|gateway``; what the environment says is read as by any service.
"""

# ruff: noqa: E402 - the standard library is made green before anything else is imported
import eventlet

eventlet.monkey_patch()

import sys
from typing import Any

from nameko.runners import ServiceRunner
from werkzeug.wrappers import Request, Response

from shared import logs
from shared.framework.http import JsonResponse, route
from shared.framework.rpc import RpcProxyProvider, rpc
from shared.framework.service import Operations, Service, configuration
from shared.settings import read
from tests.bench.stock import ANSWER, calls_a_second


class Doorkeeper(Operations):
    """Lets everybody in; the web server is the gateway's own."""

    serves_itself = False

    def admit(self, request: Request, limit: str) -> None: ...

    def caller(self, request: Request) -> str:
        return ""


class Callee(Service):
    """Answers a call without looking anything up."""

    name = "callee"

    @rpc
    def ask(self, number: str) -> dict[str, Any]:
        return {"number": number, **ANSWER}


class Gateway(Service):
    """Passes a call on, from HTTP or by itself."""

    name = "gateway"
    operations = Doorkeeper()
    callee: Any = RpcProxyProvider("callee")

    @route("GET", "/ask/<string:number>")
    def ask(self, request: Request, number: str) -> Response:
        return JsonResponse(self.callee.ask(number=number))

    @route("GET", "/burst/<string:at_once>/<string:seconds>")
    def burst(self, request: Request, at_once: str, seconds: str) -> Response:
        return JsonResponse(calls_a_second(self.callee, int(at_once), float(seconds)))

    @staticmethod
    def present(problem: Exception, request: Request, *rest: Any) -> Response:
        return Response(str(problem), status=503)


def main(what: str) -> None:
    settings = read()
    logs.start(what, settings.log_level)
    runner = ServiceRunner(configuration(settings))
    runner.add_service({"callee": Callee, "gateway": Gateway}[what])
    runner.start()
    runner.wait()


if __name__ == "__main__":
    main(sys.argv[1])
