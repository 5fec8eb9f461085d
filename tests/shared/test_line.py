"""A connection that comes back by itself, whatever happened to it."""

import pytest

from tests.support.green import said_by

LINE = """
import eventlet
eventlet.monkey_patch()
import json, os, sys
from eventlet.event import Event
from shared import logs
from shared.framework.connection import Line, LineDown

logs.start("line")
channels, second = [], Event()
def prepare(channel):
    channels.append(channel)
    if len(channels) == 2:
        second.send(None)

def break_off(channel):
    raise {surprise}

line = Line(os.environ["AMQP_URL"], "test", prepare)
running = eventlet.spawn(line.run)
with eventlet.Timeout(20):
    line.wait(20)
    {act}
    second.wait()
    line.wait(20)
told = []
line.send(told.append)
print(json.dumps(dict(same=channels[0] is channels[1], told=told == channels[1:])), flush=True)
line.stop()
"""
SEND = """
    try:
        line.send(break_off)
    except LineDown:
        pass
    else:
        sys.exit("no LineDown")
"""
HEAR = """
    line.send(lambda channel: channel.events["basic_return"].add(lambda *_: break_off(channel)))
    lost = channels[0].prepare_message(b"nobody there")
    line.send(lambda channel: channel.basic_publish(lost, exchange="", routing_key="nobody.here", mandatory=True))
"""


@pytest.mark.parametrize("act", [SEND, HEAR], ids=["while sending", "while receiving"])
@pytest.mark.parametrize("surprise", ["AttributeError('no such thing')", "TypeError('None')", "ConnectionError()"])
def test_no_surprise_ends_the_process_and_the_line_comes_back(servers, act, surprise):
    script = LINE.format(act=act.strip(), surprise=surprise)
    assert said_by(script, AMQP_URL=servers.amqp_url) == {"same": False, "told": True}
