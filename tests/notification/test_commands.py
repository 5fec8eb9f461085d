"""`vssid messages`, as an operator types it."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from services.notification import handlers
from services.notification.commands import messages
from services.notification.domain.occasion import rejected
from services.notification.domain.outcome import Rejected
from services.notification.domain.retry import RetryPolicy
from shared.language.clock import rfc3339, utc_now
from tests.support.events import declaration_rejected


@pytest.fixture
def type_in(settings, database, monkeypatch):
    monkeypatch.setenv("VAR_DIR", settings.var_dir)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return lambda *words: CliRunner().invoke(messages, words)


@pytest.fixture
def failed(database):
    """The SMS of a rejection that failed, beside a mail that waits."""
    with database.begin() as session:
        handlers.queue_messages(session, rejected(declaration_rejected()), accents=False, request_id="r", at=utc_now())
    with database.begin() as session:
        reserved = handlers.reserve_due(session, "sms", lease=timedelta(), at=utc_now())
        reserved.apply(Rejected("twilio_21211"), utc_now(), RetryPolicy((), 60.0, 10.0))
    return reserved


def test_what_did_not_arrive_is_listed_without_saying_whose_it_is(type_in, failed):
    shown = type_in("list")
    assert shown.exit_code == 0
    (line,) = shown.output.splitlines()
    for part in (failed.message_id, "failed", "sms", "+84•••••678", "declaration_rejected", "twilio_21211"):
        assert part in line
    assert "+84912345678" not in line


def test_messages_are_listed_for_programs(type_in, failed):
    (row,) = map(json.loads, type_in("list", "--json").output.splitlines())
    assert row == {
        "message_id": failed.message_id,
        "state": "failed",
        "channel": "sms",
        "recipient": "+84•••••678",
        "occasion": "declaration_rejected",
        "number": "2026-0000001",
        "attempts": 1,
        "code": "twilio_21211",
        "queued_at": rfc3339(failed.queued_at),
    }
    columns = [f"attempts={value}" if name == "attempts" else value for name, value in row.items()]
    assert type_in("list").output == "  ".join(columns) + "\n"
    (mail,) = map(json.loads, type_in("list", "--json", "--state", "queued").output.splitlines())
    assert (mail["channel"], mail["code"], mail["attempts"]) == ("mail", None, 0)


def test_a_recipient_of_whom_nothing_is_kept_is_null(type_in, failed, database):
    with database.begin() as session:
        (mail,) = handlers.list_messages(session, ["queued"], 10)
        mail.cancel(utc_now())
    (row,) = map(json.loads, type_in("list", "--json", "--state", "cancelled").output.splitlines())
    assert (row["message_id"], row["recipient"]) == (mail.message_id, None)


def test_other_states_are_listed_when_asked_for(type_in, failed):
    assert "t•••@vidu.example" in type_in("list", "--state", "queued").output


def test_a_message_that_is_over_cannot_be_tried_again(type_in, failed):
    refused = type_in("retry", failed.message_id)
    assert refused.exit_code == 1
    assert "is failed" in refused.output


def test_a_waiting_message_is_made_due(type_in, failed, database):
    with database.begin() as session:
        (mail,) = handlers.list_messages(session, ["queued"], 10)
    assert "is due now" in type_in("retry", mail.message_id).output


def test_a_message_that_is_not_there_is_said_so(type_in):
    refused = type_in("retry", "nobody")
    said = "Error: there is no message nobody; `vssid messages list --state queued` shows those that wait\n"
    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", said)
