"""A connection that reconnects by itself, whatever happened to it."""

import pytest

from tests.support.green import said_by

SCRIPT = """
import eventlet
eventlet.monkey_patch()
import json, os, sys
from eventlet.event import Event
from shared import logs
from shared.framework.connection import BrokerConnection, ConnectionDown

logs.start("test")
channels, second = [], Event()
def prepare(channel):
    channels.append(channel)
    if len(channels) == 2:
        second.send(None)

def break_off(channel):
    raise {surprise}

connection = BrokerConnection(os.environ["AMQP_URL"], "test", prepare)
running = eventlet.spawn(connection.run)
with eventlet.Timeout(20):
    connection.wait(20)
    {act}
    second.wait()
    connection.wait(20)
used = []
connection.send(used.append)
print(json.dumps(dict(same=channels[0] is channels[1], newest=used == channels[1:])), flush=True)
connection.stop()
"""
SEND = """
    try:
        connection.send(break_off)
    except ConnectionDown:
        pass
    else:
        sys.exit("no ConnectionDown")
"""
HEAR = """
    connection.send(lambda channel: channel.events["basic_return"].add(lambda *_: break_off(channel)))
    lost = channels[0].prepare_message(b"nobody there")
    connection.send(lambda channel: channel.basic_publish(lost, exchange="", routing_key="nobody.here", mandatory=True))
"""


@pytest.mark.parametrize("act", [SEND, HEAR], ids=["while sending", "while receiving"])
@pytest.mark.parametrize("surprise", ["AttributeError('no such thing')", "TypeError('None')", "ConnectionError()"])
def test_no_surprise_ends_the_process_and_the_connection_is_made_again(servers, act, surprise):
    script = SCRIPT.format(act=act.strip(), surprise=surprise)
    assert said_by(script, AMQP_URL=servers.amqp_url) == {"same": False, "newest": True}
