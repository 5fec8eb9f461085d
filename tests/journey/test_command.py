"""What an operator reads where a command cannot do what it should: one line that says what to do next."""

import json
import os
import signal
import socket
import subprocess
from importlib.metadata import version
from urllib.parse import urlsplit

import pytest

from services import SERVICES
from shared.storage.seals import new_key
from tests.support.embedded import EmbeddedSystem
from tests.support.processes import COMMAND, STOPS_WITHIN, free_port, inherited, kill, start
from tests.support.waiting import until


def vssid(*words, **environment):
    done = subprocess.run(
        [COMMAND, *words], env=inherited() | environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def own(tmp_path):
    return {"VAR_DIR": str(tmp_path / "var"), "HTTP_PORT": str(free_port())}


@pytest.fixture
def keys():
    return {name: new_key() for name in ("SEAL_KEY", "LINK_KEY", "JOURNAL_KEY")}


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
    ("name", "value", "words"),
    [
        ("VAR_DIR", "{folder}", ["run"]),
        ("VAR_DIR", "{folder}", ["demo"]),
        ("VAR_DIR", "{folder}", ["migrate"]),
        ("STORE_URL", "file://{folder}", ["run"]),
        ("SMS_URL", "file:{folder}", ["run"]),
        ("MAIL_URL", "file:{folder}", ["run"]),
    ],
)
def test_a_folder_that_others_own_is_named_in_one_line(tmp_path, own, name, value, words):
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o555)
    status, said = without_privilege(*words, **own | {name: value.format(folder=folder)})
    assert status in (1, 2)
    (line,) = not_logged(said)
    assert line.startswith(("vssid: ", "Error: ")) and str(folder) in line


def without_privilege(*words, **environment):
    """Run the command as a user who may write only what is hers; root may write everything otherwise."""
    privileged = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*privileged, COMMAND, *words]
    done = subprocess.run(
        command, env=inherited() | environment, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


def not_logged(said):
    """Return the lines that are not the log's."""
    return [line for line in said.splitlines() if not line.startswith('{"timestamp":"')]


@pytest.mark.parametrize(
    ("name", "value"),
    [("STORE_URL", "file:///proc/nothing"), ("SMS_URL", "file:/proc/nothing"), ("MAIL_URL", "file:/proc/nothing")],
)
def test_a_folder_that_cannot_be_made_is_named_in_one_line(own, name, value):
    status, _, said = vssid("run", **own | {name: value})
    (line,) = not_logged(said)
    assert status == 2 and line.startswith(f"vssid: {name}") and "/proc/nothing" in line


@pytest.mark.parametrize("words", [["run"], ["relay"], *(["serve", service] for service in SERVICES)], ids=" ".join)
def test_a_port_that_another_process_listens_on_is_named_in_one_line(own, servers, keys, words):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        named = {} if words == ["run"] else {"AMQP_URL": servers.amqp_url, "DATABASE_URL": nobodys(servers)} | keys
        status, _, said = vssid(*words, **own | named | {"HTTP_PORT": str(port)})
    expected = f"vssid: cannot listen at HTTP_HOST='127.0.0.1', HTTP_PORT={port}: Address already in use; name another"
    assert (status, not_logged(said)) == (2, [expected])


def nobodys(servers):
    """Return the address of databases that are not there."""
    return urlsplit(servers.database_url)._replace(path="/nobodys").geturl()


BROKER, DATABASE = "amqp://vssid:invented@", "postgresql://vssid:invented@"
ASKING_THE_DATABASE = (["migrate"], ["officer", "list"], ["messages", "list"], ["card", "groups", "list"])


@pytest.mark.parametrize(
    ("words", "name", "value", "named"),
    [
        (words, name, begin + end, end)
        for commands, name, begin in (
            ((["migrate"], ["dead", "list"], ["dead", "replay"]), "AMQP_URL", BROKER),
            (ASKING_THE_DATABASE, "DATABASE_URL", DATABASE),
        )
        for words in commands
        for end in ("127.0.0.1:1", "nobody.invalid:9999", "nobody.invalid")
    ],
)
def test_the_server_that_does_not_answer_is_named_without_its_password(own, words, name, value, named):
    status, _, said = vssid(*words, **own | {name: f"{value}/vssid"})
    assert status in (1, 2) and said.count("\n") == 1
    assert named.partition(":")[0] in said and name in said
    assert "invented" not in said


@pytest.mark.parametrize("words", [["migrate"], ["dead", "list"]], ids=" ".join)
@pytest.mark.parametrize(
    ("credentials", "path"), [("nobody:invented", "/"), (None, "/no-such-host")], ids=["a stranger", "a missing vhost"]
)
def test_a_broker_that_turns_us_away_is_named_without_its_password(own, servers, words, credentials, path):
    parts = urlsplit(servers.amqp_url)
    address = parts.netloc.rpartition("@")[2]
    netloc = f"{credentials}@{address}" if credentials else parts.netloc
    status, _, said = vssid(*words, **own | {"AMQP_URL": parts._replace(netloc=netloc, path=path).geturl()})
    assert status == 2 and said.count("\n") == 1
    assert said.startswith(f"vssid: broker at {address} ") and "AMQP_URL" in said
    assert "invented" not in said


@pytest.mark.parametrize("words", [["migrate"], ["officer", "list"], ["messages", "list"]], ids=" ".join)
@pytest.mark.parametrize(
    ("end", "why"),
    [("/nobodys?nonsense=1", "nonsense"), ("/nobodys?sslmode=nonsense", "sslmode")],
)
def test_an_option_of_the_database_that_there_is_not_is_named(own, words, end, why):
    status, _, said = vssid(*words, **own | {"DATABASE_URL": f"{DATABASE}127.0.0.1:1{end}"})
    assert status in (1, 2) and said.count("\n") == 1
    assert "DATABASE_URL" in said and why in said and "invented" not in said


@pytest.mark.parametrize("command", [["relay"], *(["serve", service] for service in SERVICES)], ids=" ".join)
@pytest.mark.parametrize("missing", ["AMQP_URL", "DATABASE_URL"])
def test_a_process_that_waits_for_a_server_names_it_in_its_log(tmp_path, own, servers, keys, command, missing):
    if (command, missing) == (["serve", "gateway"], "DATABASE_URL"):
        pytest.skip("the gateway has no database")
    named = {"AMQP_URL": servers.amqp_url, "DATABASE_URL": nobodys(servers)}
    named[missing] = f"{BROKER if missing == 'AMQP_URL' else DATABASE}nobody.invalid/vssid"
    log = tmp_path / "process.log"
    process = start([COMMAND, *command], inherited() | own | keys | named, log)
    try:
        until(lambda: "nobody.invalid" in log.read_text("utf-8"), "the log names the server")
        assert process.poll() is None
    finally:
        kill(process)
    text = log.read_text("utf-8")
    (first, *_) = [line for line in map(json.loads, text.splitlines()) if "nobody.invalid" in line.get("reason", "")]
    assert first["level"] == "warning"
    assert "Traceback" not in text and "invented" not in text


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
