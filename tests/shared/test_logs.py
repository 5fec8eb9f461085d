"""A log line is JSON, its keys in one order; what libraries say is marked as theirs."""

import json
import subprocess
import sys

import pytest

SAYS = """
import logging, sys
from shared import logs
logs.start("cards", {level!r})
logs.begin_work("cards", {{"request_id": "r1"}})
log = logs.log("services.cards.handlers")
{does}
"""


def lines(does, level="INFO"):
    """Return what a process writes that does this, line by line."""
    program = SAYS.format(level=level, does=does)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("does", "keys"),
    [
        (
            'log.info("card_issued", zone=1, event_id="e1", attempt=2)',
            ["timestamp", "level", "event", "service", "logger", "request_id", "event_id", "zone", "attempt"],
        ),
        (
            'try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception("timer_failed", zone=1)',
            ["timestamp", "level", "event", "service", "logger", "request_id", "zone", "exception"],
        ),
        (
            'logging.getLogger("some.library").error("all is %s", "lost")',
            ["timestamp", "level", "event", "service", "logger", "request_id", "message"],
        ),
        (
            'try:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.getLogger("library").exception("all is lost")',
            ["timestamp", "level", "event", "service", "logger", "request_id", "message", "exception"],
        ),
    ],
    ids=["ours", "ours with a traceback", "of a library", "of a library with a traceback"],
)
def test_the_keys_of_a_line_stand_in_one_order_the_time_first(does, keys):
    (line,) = lines(does)
    assert list(json.loads(line)) == keys
    assert line.startswith('{"timestamp":"')


def test_what_a_library_says_is_a_warning_whatever_it_calls_it():
    said = [json.loads(line) for line in lines('logging.getLogger("some.library").critical("all is %s", "lost")')]
    assert [{key: value for key, value in one.items() if key != "timestamp"} for one in said] == [
        {
            "level": "warning",
            "event": "library_warned",
            "service": "cards",
            "logger": "some.library",
            "request_id": "r1",
            "message": "all is lost",
        }
    ]


@pytest.mark.parametrize(("level", "heard"), [("DEBUG", 2), ("INFO", 2), ("WARNING", 2), ("ERROR", 0)])
def test_libraries_are_heard_from_warnings_on_and_not_where_errors_alone_are_wanted(level, heard):
    does = """for one in ("debug", "info", "warning", "error"):
    getattr(logging.getLogger("some.library"), one)("all is lost")"""
    assert len(lines(does, level)) == heard


@pytest.mark.parametrize("name", ["pika.adapters.utils", "amqp", "kombu", "nameko.runners", "urllib3.connectionpool"])
def test_a_library_whose_trouble_our_own_lines_report_is_silent(name):
    assert lines(f'logging.getLogger({name!r}).error("all is lost")', "DEBUG") == []
