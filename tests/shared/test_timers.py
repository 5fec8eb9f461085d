"""Timers keep their interval, whatever happens to the clock on the wall."""

import pytest

from tests.support.green import said_by

SCRIPT = """
import eventlet
eventlet.monkey_patch()
import json, sys, time
from nameko.runners import ServiceRunner
from shared import logs, settings
from shared.messaging import embedded
from shared.framework.service import Service, configuration
from shared.framework.timers import every

ticks, wall = [], time.time

class Ticking(Service):
    name = "cards"

    @every(0.1)
    def tick(self):
        ticks.append(time.monotonic())
        if len(ticks) == 3:
            time.time = lambda: wall() + {step}

read = settings.read()
logs.start("cards")
runner = ServiceRunner(configuration(read, embedded.EmbeddedBroker(read)))
runner.add_service(Ticking)
runner.start()
with eventlet.Timeout(20):
    while len(ticks) < 8:
        eventlet.sleep(0.01)
runner.stop()
print(json.dumps([later - sooner for sooner, later in zip(ticks, ticks[1:])]), flush=True)
"""


@pytest.mark.parametrize("step", [3600, -3600])
def test_a_timer_neither_stops_nor_races_when_the_clock_is_changed(tmp_path, step):
    assert min(said_by(SCRIPT.format(step=step), VAR_DIR=str(tmp_path))) >= 0.1
