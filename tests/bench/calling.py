"""Chapter f: calls between processes, ours against stock nameko, through an HTTP gateway and bare."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from urllib.request import urlopen

import pika

from tests.bench.bench import Bench
from tests.bench.load import HOST, Closed, Outcome, drive, endless, request
from tests.bench.table import Figure, rate_of
from tests.support.processes import child, free_port, resident_megabytes, until_answering
from tests.support.servers import fresh_prefix

CONNECTIONS = 32
ASK = "/ask/2026-0000001"


@dataclass(frozen=True)
class Measured:
    """Calls a second through HTTP and bare, and the megabytes of gateway and callee afterwards."""

    over_http: Outcome
    bare: float
    memory: tuple[float, float]


def measure(bench: Bench) -> None:
    stock = _measured(bench, "stock")
    ours = _measured(bench, "ours")
    told = f"{CONNECTIONS} connections; ceiling: stock nameko, the same call and processes"
    bench.add(rate_of("f", "calls through HTTP", ours.over_http, ceiling=stock.over_http.rate, goal="≥ 4", remark=told))
    told = f"{CONNECTIONS} green threads of one caller; ceiling: stock nameko"
    bench.add(Figure("f", "calls bare", ours.bare, "/s", ceiling=stock.bare, goal="≥ 4", remark=told))
    for name, mine, theirs in zip(("gateway", "callee"), ours.memory, stock.memory, strict=True):
        told = "after the calls; ceiling: stock nameko's"
        bench.add(Figure("f", f"memory of a bare {name}", mine, "MB", ceiling=theirs, remark=told))


def _measured(bench: Bench, whose: str) -> Measured:
    bench.say(f"calls: {whose}")
    with _pair(bench, whose) as (port, pids):
        drive(port, CONNECTIONS, Closed(endless([request("GET", ASK)]), 1.0))  # warms up
        over_http = drive(port, CONNECTIONS, Closed(endless([request("GET", ASK)]), bench.seconds))
        with urlopen(f"http://{HOST}:{port}/burst/{CONNECTIONS}/{int(bench.seconds)}", timeout=120) as answer:
            bare = float(answer.read())
        return Measured(over_http, bare, (resident_megabytes(pids[0]), resident_megabytes(pids[1])))


@contextmanager
def _pair(bench: Bench, whose: str) -> Iterator[tuple[int, tuple[int, int]]]:
    """Run a gateway and a callee; yield the gateway's port and both process ids."""
    prefix, ports = fresh_prefix(), {"callee": free_port(), "gateway": free_port()}
    with ExitStack() as stack:
        stack.callback(_clear, bench, prefix)
        pids = {}
        for what, port in ports.items():
            environment = {**os.environ, "AMQP_URL": bench.servers.amqp_url, "BROKER_PREFIX": prefix}
            command = [sys.executable, "-m", f"tests.bench.{whose}", what, prefix]
            pids[what] = stack.enter_context(child(command, {**environment, "HTTP_PORT": str(port)})).pid
        until_answering(ports["gateway"], ASK)
        yield ports["gateway"], (pids["gateway"], pids["callee"])


def _clear(bench: Bench, prefix: str) -> None:
    """Delete what stock nameko leaves at the broker; its reply queue goes by itself after five minutes."""
    with pika.BlockingConnection(pika.URLParameters(bench.servers.amqp_url)) as connection:
        with suppress(pika.exceptions.ChannelClosed):
            connection.channel().queue_delete(f"rpc-{prefix}callee")
        with suppress(pika.exceptions.ChannelClosed):
            connection.channel().exchange_delete(f"{prefix}rpc")
