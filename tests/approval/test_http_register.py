"""The household register over HTTP: what it is asked, and what becomes of an answer that is none."""

import json
from contextlib import ExitStack

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from services.approval.clients import LARGEST_ANSWER, http_register
from services.approval.commands.register import register as command
from services.approval.domain.register import Person
from shared.language.errors import Unavailable
from shared.settings import Settings
from tests.support.certificates import DAY, Authority
from tests.support.http_server import HttpServer
from tests.support.processes import HOST

CODE = "7900000017"
KNOWN = {
    "insurance_code": CODE,
    "full_name": "Nguyễn Văn Thử",
    "birth_date": "1985",
    "gender": "male",
    "id_number": "079085000017",
}
TOKEN = "mot-ma.bi~mat+/="


@pytest.fixture
def server():
    """Return a function that starts a register."""
    with ExitStack() as stack:

        def start(context=None):
            started = stack.enter_context(HttpServer(context, json.dumps(KNOWN).encode()))
            stack.callback(started.shutdown)
            return started

        yield start


def client_of(server, **changes):
    return http_register(Settings(register_url=server.url + "/v1/", register_timeout=2, **changes))


def assert_unavailable(client):
    with pytest.raises(Unavailable) as refused:
        client.find(CODE)
    assert refused.value.code == "register_unavailable"


def check(monkeypatch, server, timeout="2", **environment):
    """Run the operators' command; return its status and what it said."""
    names = {"REGISTER_URL": server.url, "REGISTER_TIMEOUT": timeout, **environment}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    answer = CliRunner().invoke(command, ["check"])
    return answer.exit_code, answer.output


def test_a_person_is_asked_for_by_code_and_with_the_token(server):
    register = server()
    assert client_of(register, register_token=TOKEN).find(CODE) == Person(**KNOWN)
    assert register.asked == [(f"/v1/people/{CODE}", f"Bearer {TOKEN}")]


def test_without_a_token_none_is_sent(server, monkeypatch, tmp_path):
    """Not even one that a .netrc of the machine has for this host."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login an password mat-khau\n")
    monkeypatch.setenv("NETRC", str(netrc))
    register = server()
    client_of(register).find(CODE)
    assert register.asked == [(f"/v1/people/{CODE}", None)]


def test_a_proxy_of_the_environment_does_not_learn_the_code(server, monkeypatch):
    register, proxy = server(), server()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    client_of(register).find(CODE)
    assert (len(register.asked), proxy.asked) == (1, [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server, monkeypatch, status):
    register, other = server(), server()
    register.status, register.headers = status, {"Location": f"{other.url}/people/{CODE}"}
    assert_unavailable(client_of(register, register_token=TOKEN))
    assert other.asked == []
    said = f"Error: the register: it answers {status}: redirects are not followed, correct REGISTER_URL\n"
    assert check(monkeypatch, register) == (1, said)


def test_of_an_endless_answer_only_so_much_is_read(server):
    register = server()
    register.body = json.dumps({**KNOWN, "note": "x" * LARGEST_ANSWER}).encode()
    assert_unavailable(client_of(register))


@pytest.mark.parametrize(
    "changes",
    [
        {"full_name": {"first": "An"}},
        {"full_name": "An" * 51},
        {"full_name": "An\x1b[31m"},
        {"birth_date": 1985},
        {"gender": ["male"]},
        {"id_number": 79085000017},
        {"id_number": "0" * 21},
        {"insurance_code": 7900000017},
    ],
)
def test_a_person_who_is_half_right_is_no_answer(server, changes):
    register = server()
    register.body = json.dumps(KNOWN | changes).encode()
    assert_unavailable(client_of(register))


@pytest.mark.parametrize("known", [None, ""])
def test_an_id_number_may_be_missing(server, known):
    register = server()
    register.body = json.dumps(KNOWN | {"id_number": known}).encode()
    assert client_of(register).find(CODE) == Person(**KNOWN | {"id_number": None})


def test_an_authority_of_the_operators_own_is_trusted(server, tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    register = server(authority.server(HOST))
    assert_unavailable(client_of(register))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert client_of(register).find(CODE) == Person(**KNOWN)


@pytest.mark.parametrize("certificate", [{"host": "other.vidu.example"}, {"host": HOST, "valid_for": -DAY}])
def test_a_register_with_a_bad_certificate_is_not_asked(server, tmp_path, monkeypatch, certificate):
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    register = server(authority.server(**certificate))
    with capture_logs() as lines:
        assert_unavailable(client_of(register, register_token=TOKEN))
    assert register.asked == []
    reason = "its certificate is not valid for REGISTER_URL"
    assert [(one["event"], one["reason"]) for one in lines] == [("register_failed", reason)]
    said = "Error: the register: its certificate is not valid for REGISTER_URL\n"
    assert check(monkeypatch, register) == (1, said)


# `vssid register check`


def test_the_command_says_that_the_register_answers(server, monkeypatch):
    register = server()
    assert check(monkeypatch, register, REGISTER_TOKEN=TOKEN) == (0, "the register answers\n")
    assert register.asked == [("/health", f"Bearer {TOKEN}")]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "it answers 401: correct REGISTER_TOKEN"),
        (403, "it answers 403: correct REGISTER_TOKEN"),
        (404, "it answers 404"),
        (500, "it answers 500"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(server, monkeypatch, status, said):
    register = server()
    register.status = status
    assert check(monkeypatch, register) == (1, f"Error: the register: {said}\n")


def test_the_command_does_not_wait_for_an_answer_that_drips(server, monkeypatch):
    register = server()
    register.drips = True
    said = "Error: the register: it does not answer within 0.5 s\n"
    assert check(monkeypatch, register, timeout="0.5") == (1, said)


def test_the_command_says_that_nobody_is_there(server, monkeypatch):
    register = server()
    register.shutdown()
    register.server_close()
    said = "Error: the register: it does not answer (ConnectionError)\n"
    assert check(monkeypatch, register) == (1, said)
