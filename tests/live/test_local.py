"""`make local`: six processes on one terminal, lines of JSON and nothing else, and no process left afterwards."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from services import SERVICES
from tests.support.processes import HOST, STOPS_WITHIN, free_port, status_of
from tests.support.running import throwaway_environment
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
KEYS = ("SEAL_KEY", "LINK_KEY", "JOURNAL_KEY")
IN_ORDER = ["gateway", "registration", "approval", "notification", "cards", "relay"]  # each listens on the next port


class Checkout:
    """A folder with what `make local` needs of the project, and an `.env` with fresh keys."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        shutil.copy(ROOT / "Makefile", folder)
        for name in ("deploy", ".env.example"):
            (folder / name).symlink_to(ROOT / name)
        # the packages are there already: those of this test's own process
        bin_folder = Path(sys.executable).parent
        self._make = ["make", "-C", str(folder), "--no-print-directory", "-o", ".venv/.project", f"BIN={bin_folder}"]
        subprocess.run([*self._make, "secrets"], env=environment, check=True, timeout=60)

    @contextmanager
    def running(self):
        """Run `make local` until every process is ready, as a terminal would: in a process group of its own."""
        port, log = consecutive_ports(len(IN_ORDER)), self.folder / "local.log"
        with log.open("wb") as lines:
            local = subprocess.Popen(
                [*self._make, "local"],
                env={**self.environment, "HTTP_PORT": str(port)},
                stdout=lines,
                stderr=lines,
                start_new_session=True,
            )
        try:
            until(lambda: self._is_ready(local, port), "every process is ready")
            yield local
        finally:
            if is_group_there(local.pid):
                os.killpg(local.pid, signal.SIGKILL)
            local.wait()

    def _is_ready(self, local, port: int) -> bool:
        assert local.poll() is None, self.lines()
        answers = [status_of(port + place, "/readyz") for place in range(len(IN_ORDER))]
        return answers == [200] * len(IN_ORDER) and starters(self.lines()) == set(IN_ORDER)

    def lines(self) -> list[str]:
        """Return what was written, without a line that is being written just now."""
        text = (self.folder / "local.log").read_text("utf-8")
        return text[: text.rfind("\n") + 1].splitlines()


def consecutive_ports(count: int) -> int:
    """Return the first of so many ports that nobody listens on."""
    while True:
        first = free_port()
        with suppress(OSError), ExitStack() as probes:
            for place in range(count):
                probes.enter_context(closing(socket.socket())).bind((HOST, first + place))
            return first


def is_group_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def process_of(group: int, *words: str) -> int:
    """Return the id of the process of a group that was started with these words at the end."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            started_with = (folder / "cmdline").read_text("utf-8").split("\0")[:-1]
            if tuple(started_with[-len(words) :]) == words and os.getpgid(int(folder.name)) == group:
                return int(folder.name)
        except (OSError, ValueError):
            continue  # it has ended
    raise LookupError(words)


@pytest.fixture(scope="module")
def checkout(servers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout")
    with throwaway_environment(servers, folder) as environment:
        yield Checkout(folder, {name: value for name, value in environment.items() if name not in KEYS})


def starters(lines: list[str]) -> set[str]:
    """Return who says that it has started; every line must be an object with an event."""
    return {row["service"] for row in map(json.loads, lines) if row["event"] == "started"}


def test_a_terminal_s_interrupt_ends_all_in_order_and_every_line_was_json(checkout):
    assert set(IN_ORDER) == {*SERVICES, "relay"}
    with checkout.running() as local:
        os.killpg(local.pid, signal.SIGINT)
        assert local.wait(STOPS_WITHIN) == -signal.SIGINT
        assert not is_group_there(local.pid)
    assert starters(checkout.lines()) == set(IN_ORDER)


def test_who_ends_make_ends_all_in_order(checkout):
    with checkout.running() as local:
        local.terminate()
        assert local.wait(STOPS_WITHIN) == -signal.SIGTERM
        assert not is_group_there(local.pid)
    assert starters(checkout.lines()) == set(IN_ORDER)


def test_where_one_ends_the_others_do_not_go_on_without_it(checkout):
    with checkout.running() as local:
        os.kill(process_of(local.pid, "serve", "cards"), signal.SIGKILL)
        assert local.wait(STOPS_WITHIN) == 2
        assert not is_group_there(local.pid)
    *lines, last = checkout.lines()
    assert starters(lines) == set(IN_ORDER)
    assert last.startswith("make: *** [") and last.endswith("Error 1")
