"""What an operator reads where a command cannot do what it should: one line that says what to do next."""

import os
import signal
import subprocess
from importlib.metadata import version

import pytest

from tests.support.embedded import EmbeddedSystem
from tests.support.processes import COMMAND, STOPS_WITHIN, free_port, inherited

NOWHERE = "192.0.2.1"


def vssid(*words, **environment):
    done = subprocess.run(
        [COMMAND, *words], env=inherited() | environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def own(tmp_path):
    return {"VAR_DIR": str(tmp_path / "var"), "HTTP_PORT": str(free_port())}


@pytest.mark.parametrize("command", ["run", "demo"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PORT", "99999"),
        ("HTTP_PORT", "zero"),
        ("SMS_URL", "twilio://nobody"),
        ("SMS_URL", "pigeon://x"),
        ("MAIL_URL", "smtp://host:port"),
        ("RETENTION_DAYS", "soon"),
        ("LOG_LEVEL", "LOUD"),
        ("PUBLIC_URL", "ftp://x"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_in_one_line(own, command, name, value):
    status, _, said = vssid(command, **own | {name: value})
    assert status != 0
    *before, last = said.splitlines()
    assert last.startswith(("vssid: ", "Error: ")) and name in last
    assert "Traceback" not in said and len(before) <= 1  # a root of the journal may be signed before


@pytest.mark.parametrize("words", [["run"], ["demo"], ["migrate"]])
def test_a_folder_that_cannot_be_written_is_named_in_one_line(tmp_path, own, words):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "var"
    status, _, said = vssid(*words, **own | {"VAR_DIR": str(folder)})
    assert status != 0
    assert str(folder) in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "server", "url"),
    [
        (["dead", "list"], "AMQP_URL", "amqp://vssid:invented@127.0.0.1:{port}/"),
        (["officer", "list"], "DATABASE_URL", "postgresql://vssid:invented@127.0.0.1:{port}/vssid"),
        (["migrate"], "DATABASE_URL", "postgresql://vssid:invented@127.0.0.1:{port}/vssid"),
    ],
)
def test_the_server_that_does_not_answer_is_named_without_its_password(own, words, server, url):
    port = free_port()
    status, _, said = vssid(*words, **own | {server: url.format(port=port)})
    assert status != 0
    assert str(port) in said and server in said
    assert "invented" not in said and "Traceback" not in said


def test_at_a_terminal_a_system_says_where_it_is(tmp_path):
    system = EmbeddedSystem(tmp_path)
    ours, theirs = os.openpty()
    with subprocess.Popen([COMMAND, "run"], env=system.environment, stdout=theirs, stderr=subprocess.DEVNULL) as run:
        try:
            assert f"the system is at {system.url}/docs" in os.read(ours, 1000).decode()
        finally:
            run.terminate()
    assert run.returncode == 0
    os.close(ours)
    os.close(theirs)


def test_a_system_ends_in_order_however_often_it_is_told_to(tmp_path):
    system = EmbeddedSystem(tmp_path)
    system.start()
    for what in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        system.process.send_signal(what)
    assert system.process.wait(STOPS_WITHIN) == 0
    assert "Traceback" not in system.log()


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["officer", "-h"], ["dead", "list", "-h"]])
def test_every_command_explains_itself(words):
    status, said, _ = vssid(*words)
    assert status == 0 and said.startswith("Usage: vssid")


def test_the_version_is_told():
    assert vssid("--version") == (0, f"vssid {version('vssid')}\n", "")
