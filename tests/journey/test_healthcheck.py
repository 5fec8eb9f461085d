"""The check of a container's health: what is alive is left alone, what hangs is ended."""

import pytest

from tests.support.http_server import HttpServer
from vssid.healthcheck import MOST_SILENCES, check

NOBODY = "http://127.0.0.1:9"  # the port of discard, where nothing listens


@pytest.fixture
def ended():
    return []


def test_what_answers_is_ready(tmp_path, ended):
    with HttpServer() as server:
        assert check(server.url, tmp_path / "silences", lambda: ended.append(1))
    assert not ended


def test_what_is_alive_and_waits_for_a_server_is_not_ready_and_left_alone(tmp_path, ended):
    with HttpServer() as server:
        server.status = 503
        server.statuses = {"/healthz": 200}
        for _ in range(3 * MOST_SILENCES):
            assert not check(server.url, tmp_path / "silences", lambda: ended.append(1))
    assert not ended


def test_what_has_not_come_up_yet_is_given_time(tmp_path, ended):
    for _ in range(3 * MOST_SILENCES):
        assert not check(NOBODY, tmp_path / "silences", lambda: ended.append(1))
    assert not ended


def test_what_was_alive_and_hangs_is_ended_after_the_third_silence(tmp_path, ended):
    silences = tmp_path / "silences"
    with HttpServer() as server:
        assert check(server.url, silences, lambda: ended.append(1))
    for count in range(1, MOST_SILENCES + 1):
        assert not check(NOBODY, silences, lambda: ended.append(1))
        assert len(ended) == (count >= MOST_SILENCES)


def test_a_sign_of_life_in_between_begins_the_count_anew(tmp_path, ended):
    silences = tmp_path / "silences"
    with HttpServer() as server:
        for _ in range(MOST_SILENCES):
            check(server.url, silences, lambda: ended.append(1))
            for _ in range(MOST_SILENCES - 1):
                check(NOBODY, silences, lambda: ended.append(1))
    assert not ended
