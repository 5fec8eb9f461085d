"""The service as it really runs, on green threads: a carrier that stalls holds up nothing else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.storage.seals import new_key
from tests.support.recorders import MailRecorder, TwilioRecorder

PEOPLE = 24  # three times as many as one channel has workers
SERVICE = f"""
import eventlet
eventlet.monkey_patch()
from nameko.runners import ServiceRunner
from services.notification import models
from services.notification.service import Notification
from vssid.running import stop_on_signal
from shared import logs, settings
from shared.messaging import embedded
from shared.messaging import codec
from shared.storage import migrate
from shared.framework.service import configuration
from tests.support.events import declaration_rejected

read = settings.read()
logs.start("notification")
migrate.upgrade("notification", models.metadata, read)
broker = embedded.EmbeddedBroker(read)
runner = ServiceRunner(configuration(read, broker))
runner.add_service(Notification)
runner.start()
stop_on_signal(runner.stop)
(listener,) = [one for one in broker._events.listeners.values() if one.queue.endswith("on_declaration_rejected")]
heard = []
for place in range({PEOPLE}):
    event = declaration_rejected(declaration_id=f"d-{{place}}", number=f"2026-{{place:07d}}")
    listener.handle(codec.encode(event), {{}}, heard.append)
with eventlet.Timeout(60):
    while len(heard) < {PEOPLE}:
        eventlet.sleep(0.01)
print(set(heard), flush=True)
runner.wait()
"""


@pytest.fixture
def service(tmp_path):
    """Return a function that starts the service as a process; it prints a line after consuming every event."""
    started = []

    def start(**environment):
        kept = {name: value for name, value in os.environ.items() if name not in ("AMQP_URL", "DATABASE_URL")}
        names = {"VAR_DIR": str(tmp_path), "SEAL_KEY": new_key(), "PYTHONWARNINGS": "ignore", **environment}
        log = (tmp_path / "log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-c", SERVICE],
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


def test_a_carrier_that_stalls_holds_up_neither_events_nor_the_other_channel(service, tmp_path):
    with MailRecorder() as mail, TwilioRecorder() as twilio:
        twilio.sending.stall(300)
        process = service(SMS_URL=twilio.url, MAIL_URL=mail.url, CARRIER_TIMEOUT="300", SETTLE_AFTER="1")
        assert process.stdout.readline() == "{None}\n", (tmp_path / "log").read_text()
        assert len(mail.wait_until(lambda kept: len(kept) == PEOPLE, 60)) == PEOPLE
        assert twilio.messages() == []
        twilio.heal()
        twilio.wait_until(lambda kept: len(kept) == PEOPLE, 30)
        time.sleep(1.5)
        assert set(twilio.counts().values()) == {1}
        assert set(mail.counts().values()) == {1}


def test_a_carrier_that_stalls_does_not_keep_the_process_from_stopping(service):
    with TwilioRecorder() as twilio:
        twilio.sending.stall(300)
        process = service(SMS_URL=twilio.url, CARRIER_TIMEOUT="300")
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def test_nothing_about_a_person_is_in_the_log(service, tmp_path):
    with MailRecorder() as mail, TwilioRecorder() as twilio:
        twilio.sending.fail(500, times=3)
        mail.sending.fail(550, times=3)
        process = service(SMS_URL=twilio.url, MAIL_URL=mail.url, CARRIER_TIMEOUT="2", SETTLE_AFTER="1")
        process.stdout.readline()
        twilio.wait_until(lambda kept: len(kept) == PEOPLE, 30)
        log = (tmp_path / "log").read_text()
        assert log.count("message_attempted") > PEOPLE
        for secret in ("912345678", "tran.thi.mau", "Trần", "bị mờ", "bi mo", twilio.auth_token, twilio.account_sid):
            assert secret not in log
