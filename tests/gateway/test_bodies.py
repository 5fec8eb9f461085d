"""A body that trickles is not waited for."""

import io

import eventlet
import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from services.gateway import bodies
from shared.language.errors import FieldError, Invalid

BOUNDARY = "multipart/form-data; boundary=a"
FILE = b'--a\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n--a--\r\n'


class Trickling(io.RawIOBase):
    """Gives a byte now and then."""

    def __init__(self, content):
        self._left = list(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        eventlet.sleep(0.02)
        if not self._left:
            return 0
        buffer[0] = self._left.pop(0)
        return 1

    def read(self, size=-1):
        eventlet.sleep(0.02)
        return bytes([self._left.pop(0)]) if self._left else b""


def trickling(content_type, content):
    sent = {"wsgi.input": Trickling(content), "CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(content))}
    return Request({**EnvironBuilder(method="POST").get_environ(), **sent})


READERS = {
    "json": lambda: bodies.json_of(trickling("application/json", b'{"a":1}')),
    "form": lambda: bodies.form_of(trickling("application/x-www-form-urlencoded", b"a=1&b=2")),
    "file": lambda: bodies.file_of(trickling(BOUNDARY, FILE), "file"),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_body_that_takes_too_long_is_refused(read, monkeypatch):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(bodies, "FILE_SECONDS", 0.05)
    with pytest.raises(Invalid) as refusal:
        read()
    assert refusal.value.errors == (FieldError("", "body_broken"),)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_body_that_comes_slowly_but_in_time_is_read(read):
    assert read()
