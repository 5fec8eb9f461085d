"""Work in processes of its own: it comes back as it went in, and what takes too much ends without harm."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.framework import isolated
from shared.framework.isolated import IsolatedWork, WorkEnded
from shared.language.errors import FieldError, Invalid, Unavailable
from tests.support.waiting import until


@dataclass(frozen=True)
class Told:
    """What a process says of itself."""

    data: bytes
    pid: int
    environment: list[str]


def tell(data: bytes) -> Told:
    return Told(data, os.getpid(), sorted(os.environ))


def refuse(data: bytes) -> bytes:
    raise Invalid("unreadable_image", errors=[FieldError("file", "too_small", {"limit": len(data)})])


def break_down(data: bytes) -> bytes:
    raise RuntimeError("0912345678")


def die(data: bytes) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)


def spin(data: bytes) -> bytes:
    while True:
        pass


def sleep(data: bytes) -> bytes:
    time.sleep(float(data))
    return b"done"


def swallow(data: bytes) -> bytes:
    return bytes(2 * isolated.MEMORY)[:1]


def write(data: bytes) -> bytes:
    Path(data.decode()).write_bytes(b"a")
    return b"done"


@pytest.fixture
def work():
    started = IsolatedWork(processes=2, waiting=1)
    yield started
    started.stop()


def test_what_goes_in_comes_out(work):
    data = bytes(range(256)) * 20_000
    told = work.run(tell, data)
    assert told.data == data
    assert told.pid != os.getpid()
    assert work.run(tell, b"").pid == told.pid  # the process stays


def test_a_process_knows_none_of_our_secrets(work, monkeypatch):
    monkeypatch.setenv("SEAL_KEY", "secret")
    assert set(work.run(tell, b"").environment) <= {*isolated.INHERITED, "LC_CTYPE"}


def test_a_refusal_comes_back_as_itself(work):
    with pytest.raises(Invalid) as refusal:
        work.run(refuse, b"abc")
    assert refusal.value.code == "unreadable_image"
    assert refusal.value.errors == (FieldError("file", "too_small", {"limit": 3}),)


def test_an_error_says_its_kind_and_nothing_of_what_it_was_about(work):
    with pytest.raises(WorkEnded) as ended:
        work.run(break_down, b"")
    assert "0912345678" not in str(ended.value)


@pytest.mark.parametrize("harm", [die, spin, swallow, write], ids=lambda one: one.__name__)
def test_what_takes_too_much_ends_and_the_next_is_worked_on(work, harm, monkeypatch, tmp_path):
    monkeypatch.setattr(isolated, "CPU_SECONDS", 1.0)
    target = tmp_path / "written"
    with pytest.raises(WorkEnded):
        work.run(harm, str(target).encode())
    assert not target.exists() or target.read_bytes() == b""
    assert work.run(tell, b"after").data == b"after"


def test_what_waits_for_ever_ends_too(work, monkeypatch):
    work.run(tell, b"")  # started
    monkeypatch.setattr(isolated, "WALL_SECONDS", 0.5)
    with pytest.raises(WorkEnded):
        work.run(sleep, b"60")


def test_more_than_may_wait_is_refused_at_once(work):
    with ThreadPoolExecutor(3) as callers:
        busy = [callers.submit(work.run, sleep, b"2") for _ in range(3)]
        until(lambda: work.is_full, "all three are under way")
        with pytest.raises(Unavailable) as refusal:
            work.run(tell, b"")
        assert (refusal.value.code, refusal.value.retry_after) == ("busy", 2)
        assert [one.result() for one in busy] == [b"done"] * 3


def test_processes_that_were_started_have_the_module_loaded(work):
    work.start("tests.shared.test_isolated")
    first, second = work.run(tell, b""), work.run(tell, b"")
    assert first.pid == second.pid


def test_a_process_is_replaced_after_so_many_pieces_of_work(work, monkeypatch):
    monkeypatch.setattr(isolated, "JOBS", 2)
    pids = [work.run(tell, b"").pid for _ in range(4)]
    assert (pids[0], pids[2]) == (pids[1], pids[3])
    assert pids[0] != pids[2]


def test_a_process_that_died_while_it_idled_is_replaced(work):
    pid = work.run(tell, b"").pid
    os.kill(pid, 9)
    time.sleep(0.2)
    assert work.run(tell, b"").pid != pid


def test_no_process_outlives_the_stop(work):
    pid = work.run(tell, b"").pid
    work.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
