"""Stock nameko doing the call that `ours` does: a callee, and a gateway with an HTTP route and a burst of bare calls.

``python -m tests.bench.stock callee|gateway NAME`` with AMQP_URL, HTTP_PORT; NAME marks the run's queues.
"""

# ruff: noqa: E402 - the standard library is made green before anything else is imported
import eventlet

eventlet.monkey_patch()

import json
import logging
import os
import sys
import time
from typing import Any

from eventlet.greenpool import GreenPool
from nameko.rpc import RpcProxy, rpc
from nameko.runners import ServiceRunner
from nameko.web.handlers import http
from werkzeug.wrappers import Request, Response

WORKERS = 256  # the same as ours: never what holds a call up
ANSWER = {"status": "pending", "history": [{"at": "2026-08-03T02:00:00.000Z", "what": "submitted"}]}


def callee(name: str) -> type:
    class Callee:
        """Answers a call without looking anything up."""

        @rpc
        def ask(self, number: str) -> dict[str, Any]:
            return {"number": number, **ANSWER}

    Callee.name = f"{name}callee"
    return Callee


def gateway(name: str) -> type:
    class Gateway:
        """Passes a call on, from HTTP or by itself."""

        callee = RpcProxy(f"{name}callee")

        @http("GET", "/ask/<string:number>")
        def ask(self, request: Request, number: str) -> Response:
            return Response(json.dumps(self.callee.ask(number=number)), content_type="application/json")

        @http("GET", "/burst/<string:at_once>/<string:seconds>")
        def burst(self, request: Request, at_once: str, seconds: str) -> Response:
            return Response(str(calls_a_second(self.callee, int(at_once), float(seconds))))

    Gateway.name = f"{name}gateway"
    return Gateway


def calls_a_second(remote: Any, at_once: int, seconds: float) -> float:
    """Call again and again from so many green threads; return calls a second."""
    began = time.monotonic()

    def call_on(_: int) -> int:
        done = 0
        while time.monotonic() < began + seconds:
            remote.ask(number="2026-0000001")
            done += 1
        return done

    return sum(GreenPool(at_once).imap(call_on, range(at_once))) / (time.monotonic() - began)


def main(what: str, name: str) -> None:
    logging.disable(logging.INFO)
    configuration = {
        "AMQP_URI": os.environ["AMQP_URL"],
        "WEB_SERVER_ADDRESS": f"127.0.0.1:{os.environ['HTTP_PORT']}",
        "rpc_exchange": f"{name}rpc",
        "max_workers": WORKERS,
    }
    runner = ServiceRunner(configuration)
    runner.add_service({"callee": callee, "gateway": gateway}[what](name))
    runner.start()
    runner.wait()


if __name__ == "__main__":
    main(*sys.argv[1:3])
