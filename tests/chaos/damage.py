"""How each fault is done to a system, and undone."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.chaos import clockwork
from tests.chaos.schedule import Fault, Kind
from tests.support.processes import STOPS_WITHIN
from tests.support.running import FaultySystem

STORE_SIZE = "4g"  # of memory at most, and only what lies in it is taken
REFUSALS = {"sms": 429, "mail": 451}  # later, and surely not kept
FOREVER = 600.0  # seconds; healing ends the wait
WRONG_BY = 3600.0  # seconds by which the clock is changed


class NotObeyed(Exception):
    """A process did not end after SIGTERM."""


class LeftOut(Exception):
    """This machine does not let us do this; the text says what is missing."""


def strike(system: FaultySystem, fault: Fault) -> str:
    """Do a fault, undo it after its time, wait until what was hit is ready again; return how it was done."""
    how = DAMAGES[fault.kind](system, fault)
    if fault.target in system.processes:
        system.until_ready(fault.target)
    return how


def _first_start(system: FaultySystem, fault: Fault) -> str:
    system.start(fault.target)
    return "had never run, started"


def _lose_volume(system: FaultySystem, fault: Fault) -> str:
    system.lose_volume()
    return "connections ended, every queue and exchange of events deleted"


def _kill(system: FaultySystem, fault: Fault) -> str:
    system.restart(fault.target)
    return "SIGKILL, started again"


def _terminate(system: FaultySystem, fault: Fault) -> str:
    began = time.monotonic()
    system.signal(fault.target, signal.SIGTERM)
    try:
        system.processes[fault.target].wait(STOPS_WITHIN)
        return f"SIGTERM, ended after {time.monotonic() - began:.1f} s"
    except subprocess.TimeoutExpired as hung:
        raise NotObeyed(f"{fault.target} still ran {STOPS_WITHIN:.0f} s after SIGTERM") from hung
    finally:
        system.restart(fault.target)


def _freeze(system: FaultySystem, fault: Fault) -> str:
    system.signal(fault.target, signal.SIGSTOP)
    try:
        time.sleep(fault.seconds)
    finally:
        system.signal(fault.target, signal.SIGCONT)
    return "SIGSTOP, SIGCONT"


def _cut(system: FaultySystem, fault: Fault) -> str:
    proxy = system.proxies[fault.target]
    proxy.cut()
    try:
        time.sleep(fault.seconds)
    finally:
        proxy.heal()
    return "connections ended and refused" if fault.seconds else "connections ended"


def _hang(system: FaultySystem, fault: Fault) -> str:
    proxy = system.proxies[fault.target]
    proxy.freeze()
    try:
        time.sleep(fault.seconds)
    finally:
        proxy.heal()
    return "connections frozen"


def _restart(system: FaultySystem, fault: Fault) -> str:
    """Restart the server itself where CHAOS_SERVERS allows it; else only its connections suffer."""
    if os.environ.get("CHAOS_SERVERS") != "1":
        return _cut(system, fault)
    stop, start = _broker_commands() if fault.target == "broker" else _database_commands(system)
    _run(*stop)
    try:
        time.sleep(fault.seconds)
    finally:
        _run(*start)
    return " ".join(stop)


def _broker_commands() -> tuple[list[str], list[str]]:
    if os.geteuid() != 0 or not shutil.which("rabbitmqctl"):
        raise LeftOut("rabbitmqctl is not ours to use")
    return ["rabbitmqctl", "--silent", "stop_app"], ["rabbitmqctl", "--silent", "start_app"]


def _database_commands(system: FaultySystem) -> tuple[list[str], list[str]]:
    if os.geteuid() != 0 or not shutil.which("pg_lsclusters"):
        raise LeftOut("pg_ctlcluster is not ours to use")
    port = str(urlsplit(system.database_url).port or 5432)
    clusters = [line.split() for line in _run("pg_lsclusters", "--no-header").splitlines()]
    ours = [one[:2] for one in clusters if one[2] == port]
    if not ours:
        raise LeftOut("the database is no cluster of this machine")
    command = ["pg_ctlcluster", "--skip-systemctl-redirect", *ours[0]]
    return [*command, "stop", "-m", "immediate"], [*command, "start"]


def _full(system: FaultySystem, fault: Fault) -> str:
    """Shrink the store to what lies in it; where it is no file system of its own, nobody may write there."""
    folder = store_folder(system)
    if not folder.is_mount():
        return _unwritable(folder, fault)
    used = os.statvfs(folder)
    _remount(folder, str((used.f_blocks - used.f_bfree) * used.f_frsize))
    try:
        time.sleep(fault.seconds)
    finally:
        _remount(folder, STORE_SIZE)
    return "no space left on its file system"


def _unwritable(store: Path, fault: Fault) -> str:
    if os.geteuid() == 0:
        raise LeftOut("no file system may be mounted system, and root writes everywhere")
    folders = [store, *(one for one in store.iterdir() if one.is_dir())]
    try:
        for one in folders:
            one.chmod(0o555)
        time.sleep(fault.seconds)
    finally:
        for one in folders:
            one.chmod(0o755)
    return "folders not writable"


def _set_clock(seconds: float) -> Callable[[FaultySystem, Fault], str]:
    """Change the clock of every process, as on the machine they share; the monotonic clock goes on."""

    def change(system: FaultySystem, fault: Fault) -> str:
        clock = Path(system.environment[clockwork.VARIABLE])
        clockwork.set_clock(clock, seconds)
        try:
            time.sleep(fault.seconds)
        finally:
            clockwork.set_clock(clock, 0)
        return f"changed by {seconds:+.0f} s, and right again"

    return change


def _carrier(spoil: Callable[[FaultySystem, Fault], str]) -> Callable[[FaultySystem, Fault], str]:
    def spoilt(system: FaultySystem, fault: Fault) -> str:
        try:
            how = spoil(system, fault)
            time.sleep(fault.seconds)
        finally:
            system.recorders[fault.target].heal()
        return how

    return spoilt


@_carrier
def _fail(system: FaultySystem, fault: Fault) -> str:
    code = REFUSALS[fault.target]
    system.recorders[fault.target].sending.fail(code)
    return f"refuses with {code}"


@_carrier
def _stall(system: FaultySystem, fault: Fault) -> str:
    system.recorders[fault.target].sending.stall(FOREVER)
    return "says nothing, keeps nothing"


@_carrier
def _late(system: FaultySystem, fault: Fault) -> str:
    system.recorders[fault.target].sending.late(FOREVER)
    return "keeps it, answers after the time-out"


@_carrier
def _drop(system: FaultySystem, fault: Fault) -> str:
    system.recorders[fault.target].sending.drop()
    return "keeps it, hangs up"


@_carrier
def _blind(system: FaultySystem, fault: Fault) -> str:
    recorder = system.recorders[fault.target]
    recorder.looking_up.fail(503)
    recorder.sending.late(FOREVER)
    return "keeps it, answers late, cannot be asked"


DAMAGES: dict[Kind, Callable[[FaultySystem, Fault], str]] = {
    Kind.FIRST_START: _first_start,
    Kind.LOSE_VOLUME: _lose_volume,
    Kind.KILL: _kill,
    Kind.TERMINATE: _terminate,
    Kind.FREEZE: _freeze,
    Kind.CUT: _cut,
    Kind.REFUSE: _cut,
    Kind.HANG: _hang,
    Kind.RESTART: _restart,
    Kind.FULL: _full,
    Kind.FAIL: _fail,
    Kind.STALL: _stall,
    Kind.LATE: _late,
    Kind.DROP: _drop,
    Kind.BLIND: _blind,
    Kind.AHEAD: _set_clock(WRONG_BY),
    Kind.BEHIND: _set_clock(-WRONG_BY),
}


def store_folder(system: FaultySystem) -> Path:
    return Path(system.environment["STORE_URL"].removeprefix("file://"))


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Give a folder a file system of its own, where the machine allows it."""
    folder.mkdir(parents=True)
    mounted = os.geteuid() == 0 and _mounts(folder)
    try:
        yield
    finally:
        if mounted:
            _run("umount", "--lazy", str(folder))


def _mounts(folder: Path) -> bool:
    command = ("mount", "-t", "tmpfs", "-o", f"size={STORE_SIZE}", "tmpfs", str(folder))
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _remount(folder: Path, size: str) -> None:
    _run("mount", "-o", f"remount,size={size}", str(folder))


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", timeout=120).stdout
