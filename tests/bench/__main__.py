"""The command behind `make bench`."""

import logging
import os
import platform
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pika
import psycopg2

from tests.bench import calling, growing, relaying, submitting, table, way
from tests.bench.bench import Bench
from tests.bench.carriers import carriers
from tests.bench.load import Closed, drive, endless, request
from tests.support.servers import Missing, Servers, ensure

FILE = Path("var/bench.json")
GENERATOR_SECONDS = 3.0
LIBRARIES = ("nameko", "eventlet", "kombu", "pika", "SQLAlchemy", "psycopg2-binary")
CHAPTERS: dict[str, Callable[[Bench], None]] = {
    "abg": submitting.measure,
    "cd": way.measure,
    "e": relaying.measure,
    "f": calling.measure,
    "h": growing.measure,
}


def main() -> int:
    """Measure every chapter, or those that ONLY names; return 1 where one of them broke."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.getLogger("pika").addHandler(logging.NullHandler())
    try:
        servers = ensure()
    except Missing as missing:
        sys.exit(f"bench: {missing}")
    machine, broken = machine_of(servers), []
    with carriers() as there:
        bench = Bench(servers, there, quick=flag("QUICK"), full=flag("FULL"))
        machine["load generator alone"] = (
            f"{own_ceiling(there.http):,.0f} requests/s against a server that does nothing"
        )
        try:
            broken = [chapters for chapters in CHAPTERS if is_wanted(chapters) and not went_well(bench, chapters)]
        except KeyboardInterrupt:
            broken = ["interrupted"]
    if broken:
        machine["broken"] = ", ".join(broken)
    print(f"\n{table.text_of(machine, bench.figures)}\n")
    table.write(FILE, machine, bench.figures)
    print(f"the same as JSON: {FILE}")
    return 1 if broken else 0


def is_wanted(chapters: str) -> bool:
    only = os.environ.get("ONLY", "")
    return not only or bool(set(only) & set(chapters))


def went_well(bench: Bench, chapters: str) -> bool:
    """Measure chapters; one that breaks does not take the others along."""
    try:
        CHAPTERS[chapters](bench)
    except Exception:
        traceback.print_exc()
        return False
    return True


def flag(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


def own_ceiling(port: int) -> float:
    """Return requests a second of the load generator against a server that does nothing."""
    return drive(port, submitting.CONNECTIONS, Closed(endless([request("GET", "/")]), GENERATOR_SECONDS)).rate


def machine_of(servers: Servers) -> dict[str, Any]:
    """Return what the figures were measured on, and what else was there."""
    with psycopg2.connect(servers.database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('synchronous_commit')")
        postgresql, synchronous = cursor.fetchone()
    connection.close()
    with pika.BlockingConnection(pika.URLParameters(servers.amqp_url)) as broker:
        rabbitmq = broker._impl.server_properties["version"]
    return {
        "cores": f"{os.cpu_count()}, {processor()}",
        "shared by": "the system, PostgreSQL, RabbitMQ, the load generator, the carriers",
        "load before": f"{os.getloadavg()[0]:.1f} processes wanted a core in the last minute",
        "commit": commit(),
        "servers": f"PostgreSQL {postgresql} (synchronous_commit {synchronous}), RabbitMQ {rabbitmq}",
        "Python": ", ".join([platform.python_version(), *(f"{name} {version(name)}" for name in LIBRARIES)]),
    }


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit() -> str:
    """Return the commit, and whether anything is changed since."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
