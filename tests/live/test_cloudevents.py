"""What an integrator's queue gets is a CloudEvent, which the SDK reads without being told how."""

from dataclasses import replace

import orjson
import pytest
import sqlalchemy as sa
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event

from shared import logs
from shared.language.events import EVENTS, PhotoReplaced
from shared.messaging import codec, topology
from shared.messaging.declarations import blocking_channel
from shared.storage.outbox import announce
from tests.support import events
from tests.support.running import running_system
from tests.support.waiting import until
from vssid.startup import STATEFUL

PUBLIC_URL = "https://vssid.example"
REQUEST_ID = "request-of-the-caller"
EXAMPLES = {name: getattr(events, name)() for name in EVENTS if hasattr(events, name)} | {
    "photo_replaced": PhotoReplaced(**events.DECLARATION, purpose="portrait", upload_id="upload-1", at=events.AT)
}


@pytest.fixture(scope="module")
def messages(servers, tmp_path_factory):
    """Announce every event there is, with the relay alone; return what a queue bound to everything got, by event."""
    with (
        running_system(servers, tmp_path_factory.mktemp("system"), ("relay",), PUBLIC_URL=PUBLIC_URL) as system,
        blocking_channel(replace(system.settings, amqp_url=system.broker_url)) as channel,
    ):
        queue = channel.queue_declare("", exclusive=True).method.queue
        for service in STATEFUL:
            exchange = topology.exchange_name(system.settings.broker_prefix, service)
            channel.exchange_declare(exchange, "topic", durable=True)
            channel.queue_bind(queue, exchange, "#")
        for event in EXAMPLES.values():
            announce_as_its_service(system, event)
        got = []

        def all_came():
            method, properties, body = channel.basic_get(queue, auto_ack=True)
            if method is not None:
                got.append((method.routing_key, properties, body))
            return len(got) == len(EXAMPLES)

        until(all_came, "every event came", pause=0.01)
    return {routing_key: (properties, body) for routing_key, properties, body in got}


def announce_as_its_service(system, event):
    engine = sa.create_engine(system.settings.database(event.speaker))
    models = __import__(f"services.{event.speaker}.models", fromlist=["models"])
    with sa.orm.Session(engine) as session, session.begin():
        session.info["outbox"] = models.metadata.tables["outbox"]
        logs.begin_work("test", {"request_id": REQUEST_ID})
        announce(session, event)
    engine.dispose()


def test_the_examples_are_all_the_events_there_are():
    assert EXAMPLES.keys() == EVENTS.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_the_sdk_reads_every_event(messages, name):
    properties, body = messages[name]
    event = from_rabbitmq_event(RabbitMQMessage(properties.headers, properties.content_type, body))
    example = EXAMPLES[name]
    assert event.get_specversion() == "1.0"
    assert event.get_type() == f"vn.gov.baohiemxahoi.vssid.{name}"
    assert event.get_source() == f"{PUBLIC_URL}/{example.speaker}"
    assert event.get_id() == properties.message_id
    assert event.get_subject() == example.subject
    assert event.get_time() == example.at
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("requestid") == properties.correlation_id == REQUEST_ID
    assert event.get_data() == orjson.loads(codec.encode(example))


def test_the_headers_of_version_01_are_read_for_one_release():
    headers = {
        "cloudEvents:id": "1",
        "cloudEvents:type": "card_issued",
        "cloudEvents:time": "2026-08-03T02:00:00+00:00",
        "cloudEvents:requestid": "2",
    }
    names = (topology.ID, topology.TYPE, topology.TIME, topology.REQUEST_ID)
    assert [topology.attribute(headers, name) for name in names] == list(headers.values())
    assert topology.event_name(headers) == "card_issued"
    assert topology.event_name({}) == "?"
    assert topology.attribute({}, topology.ID) is None
