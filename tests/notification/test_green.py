"""The desk as it really runs, on green threads: one carrier that stalls holds up nobody else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.storage.seals import new_key
from tests.support.recorders import MailRecorder, TwilioRecorder

PEOPLE = 24  # three times as many as there are hands for one channel
DESK = f"""
import eventlet
eventlet.monkey_patch()
import time
from nameko.runners import ServiceRunner
from services.notification import models
from services.notification.service import Notification
from vssid.running import stop_on_signal
from shared import logs, settings
from shared.messaging import embedded
from shared.messaging import codec
from shared.storage import migrate
from shared.framework.service import configuration
from tests.support.notification_facts import declaration_rejected

read = settings.read()
logs.start("notification")
migrate.upgrade("notification", models.metadata, read)
broker = embedded.EmbeddedBroker(read)
runner = ServiceRunner(configuration(read, broker))
runner.add_service(Notification)
runner.start()
stop_on_signal(runner.stop)
(listener,) = [one for one in broker._events.listeners.values() if one.queue.endswith("on_declaration_rejected")]
began, heard = time.monotonic(), []
for place in range({PEOPLE}):
    event = declaration_rejected(declaration_id=f"d-{{place}}", number=f"2026-{{place:07d}}")
    listener.handle(codec.encode(event), {{}}, heard.append)
while len(heard) < {PEOPLE}:
    eventlet.sleep(0.01)
print(set(heard), round(time.monotonic() - began, 2), flush=True)
runner.wait()
"""


@pytest.fixture
def desk(tmp_path):
    """Start the desk in a process of its own; return it once it has heard every event."""
    started = []

    def start(**environment):
        kept = {name: value for name, value in os.environ.items() if name not in ("AMQP_URL", "DATABASE_URL")}
        names = {"VAR_DIR": str(tmp_path), "SEAL_KEY": new_key(), "PYTHONWARNINGS": "ignore", **environment}
        log = (tmp_path / "log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-c", DESK],
            env={**kept, **names},
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_carrier_that_stalls_holds_up_neither_events_nor_the_other_channel(desk, tmp_path):
    with MailRecorder() as mail, TwilioRecorder() as twilio:
        twilio.sending.stall(60)
        process = desk(SMS_URL=twilio.url, MAIL_URL=mail.url, CARRIER_TIMEOUT="2", SETTLE_AFTER="1")
        failures, seconds = process.stdout.readline().rsplit(maxsplit=1)
        assert failures == "{None}", (tmp_path / "log").read_text()
        assert float(seconds) < 1.5
        assert len(mail.wait_until(lambda kept: len(kept) == PEOPLE, 1.5)) == PEOPLE
        assert twilio.messages() == []
        time.sleep(0.5)
        twilio.heal()
        twilio.wait_until(lambda kept: len(kept) == PEOPLE, 30)
        time.sleep(1.5)
        assert set(twilio.counts().values()) == {1}
        assert set(mail.counts().values()) == {1}


def test_told_to_stop_while_a_carrier_stalls_it_leaves_in_time(desk):
    with TwilioRecorder() as twilio:
        twilio.sending.stall(60)
        process = desk(SMS_URL=twilio.url, CARRIER_TIMEOUT="30")
        process.stdout.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) is not None
        assert time.monotonic() - began < 10


def test_nothing_about_a_person_stands_in_the_log(desk, tmp_path):
    with MailRecorder() as mail, TwilioRecorder() as twilio:
        twilio.sending.fail(500, times=3)
        mail.sending.fail(550, times=3)
        process = desk(SMS_URL=twilio.url, MAIL_URL=mail.url, CARRIER_TIMEOUT="2", SETTLE_AFTER="1")
        process.stdout.readline()
        twilio.wait_until(lambda kept: len(kept) == PEOPLE, 30)
        log = (tmp_path / "log").read_text()
        assert log.count("message_attempted") > PEOPLE
        for secret in ("912345678", "tran.thi.mau", "Trần", "bị mờ", "bi mo", twilio.auth_token, twilio.account_sid):
            assert secret not in log
