"""Signing in at a mail server: the password goes over TLS, to a server whose certificate is good, and nowhere else."""

from contextlib import ExitStack
from dataclasses import replace

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from services.notification.clients import mail_carriers
from services.notification.clients.carrier import CarrierRefused, OutgoingMessage
from services.notification.domain.outcome import Deferred, Rejected
from shared.settings import Settings
from tests.support.certificates import DAY, Authority
from tests.support.events import AT
from tests.support.processes import HOST, free_port
from tests.support.proxy import Proxy

USER, PASSWORD = b"an@vi du", b"p:w/d"
IN_URL = "an%40vi%20du:p%3Aw%2Fd@"
AS_SENT = [PASSWORD, b"cDp3L2Q", b"AGFuQHZpIGR1AHA6dy9k"]  # as it is, in AUTH LOGIN, in AUTH PLAIN


@pytest.fixture
def mail():
    return OutgoingMessage("message-2", AT, "tran.thi.mau@vidu.example", "Kính gửi Ông/Bà", "Đã nhận tờ khai")


class Inbox:
    """An SMTP server that knows one user, and all recipients but one."""

    def __init__(self):
        self.asked, self.users = 0, []

    def authenticate(self, server, session, envelope, mechanism, data):
        self.asked += 1
        return AuthResult(success=(data.login, data.password) == (USER, PASSWORD), handled=False, auth_data=data)

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.users.append(session.auth_data.login if session.auth_data else None)
        return "250 kept"


class Tap(Proxy):
    """Somebody on the way, who keeps all that passes and, where told to, takes the offer of STARTTLS away."""

    def __init__(self, port, *, strips=False):
        super().__init__(HOST, port)
        self.strips, self.seen = strips, b""

    def pass_on(self, data):
        self.seen += data
        return data.replace(b"STARTTLS", b"XXXXXXXX") if self.strips else data


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """An authority that this process trusts, as an operator's own would be."""
    found = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(found.file))
    return found


@pytest.fixture
def server():
    """Return a function that starts a mail server; it returns the server and who taps the line to it."""
    with ExitStack() as stack:

        def start(context=None, scheme="smtp", **tapping):
            inbox, tls = Inbox(), {"ssl_context": context} if scheme == "smtps" else {"tls_context": context}
            asking = {"authenticator": inbox.authenticate, "auth_require_tls": False}
            controller = Controller(inbox, HOST, free_port(), **asking, **tls)
            controller.start()
            stack.callback(controller.stop)
            return inbox, stack.enter_context(Tap(controller.port, **tapping))

        yield start


def carrier(tap, scheme="smtp", credentials=IN_URL):
    url = f"{scheme}://{credentials}{HOST}:{tap.port}"
    return mail_carriers(Settings(mail_url=url, carrier_timeout=5)).in_order[0].carrier


def assert_not_sent(tap, inbox, mail, code, scheme="smtp"):
    """The message waits, and nothing that is worth anything passed."""
    with pytest.raises(CarrierRefused) as refused:
        carrier(tap, scheme).send(mail, AT)
    assert refused.value.outcome == Deferred(code)
    assert (inbox.asked, inbox.users, mail.may_be_sent) == (0, [], False)
    assert [one for one in (*AS_SENT, mail.recipient.encode()) if one in tap.seen] == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_password_goes_to_a_server_with_a_good_certificate_and_over_tls_only(authority, server, mail, scheme):
    inbox, tap = server(authority.server(HOST), scheme)
    carrier(tap, scheme).send(mail, AT)
    assert inbox.users == [USER]
    assert [one for one in (*AS_SENT, mail.recipient.encode()) if one in tap.seen] == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize(
    "certificate",
    [
        {"host": "mail.vidu.example"},
        {"host": HOST, "valid_for": -DAY},
        {"host": HOST, "self_signed": True},
    ],
    ids=["another name", "expired", "self-signed"],
)
def test_a_server_with_a_bad_certificate_gets_no_password(authority, server, mail, scheme, certificate):
    inbox, tap = server(authority.server(**certificate), scheme)
    assert_not_sent(tap, inbox, mail, "bad_certificate", scheme)


def test_an_authority_that_nobody_trusts_is_none(authority, server, mail, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    inbox, tap = server(authority.server(HOST))
    assert_not_sent(tap, inbox, mail, "bad_certificate")


def test_a_password_is_not_sent_where_somebody_took_the_offer_of_tls_away(authority, server, mail):
    inbox, tap = server(authority.server(HOST), strips=True)
    assert_not_sent(tap, inbox, mail, "no_tls")


def test_a_password_is_not_sent_to_a_server_without_tls(server, mail):
    inbox, tap = server()
    assert_not_sent(tap, inbox, mail, "no_tls")


def test_a_server_of_plain_smtp_is_none_for_smtps(server, mail):
    inbox, tap = server()
    with pytest.raises(OSError, match="SSL"):
        carrier(tap, "smtps").send(mail, AT)
    assert (inbox.asked, inbox.users, mail.may_be_sent) == (0, [], False)
    assert [one for one in AS_SENT if one in tap.seen] == []


def test_without_a_password_plain_smtp_will_do(server, mail):
    inbox, tap = server()
    carrier(tap, credentials="").send(mail, AT)
    assert inbox.users == [None]


def test_without_a_password_tls_is_taken_where_it_is_offered(authority, server, mail):
    inbox, tap = server(authority.server("mail.vidu.example"))
    carrier(tap, credentials="").send(mail, AT)
    assert inbox.users == [None]
    assert mail.recipient.encode() not in tap.seen


def test_a_wrong_password_defers_the_message(authority, server, mail):
    inbox, tap = server(authority.server(HOST))
    with pytest.raises(CarrierRefused) as refused:
        carrier(tap, credentials="an%40vi%20du:wrong@").send(mail, AT)
    assert refused.value.outcome == Deferred("smtp_535")
    assert inbox.users == []


def test_a_recipient_the_server_does_not_know_is_refused_for_good(server, mail):
    _, tap = server()
    with pytest.raises(CarrierRefused) as refused:
        carrier(tap, credentials="").send(replace(mail, recipient="nobody@vidu.example"), AT)
    assert refused.value.outcome == Rejected("smtp_550")
