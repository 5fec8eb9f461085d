"""What one caller may hold open, and what is refused before anything is worked on: bounded attacks on the process."""

import contextlib
import json
import resource
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.embedded import embedded_system
from tests.support.pictures import picture
from tests.support.processes import resident_megabytes
from tests.support.waiting import until

IDLE = 1_050  # connections that say nothing
SLOW = 257  # one more than a gateway works on at once
GET = b"GET /api/v1/provinces HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/declarations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BODY = b'{"a":1}'


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    with embedded_system(tmp_path_factory.mktemp("attacked")) as system:
        yield system


def connected(system):
    return socket.create_connection(("127.0.0.1", system.port), timeout=20)


@contextlib.contextmanager
def many(system, count, said):
    """Open connections, and say the same on each of them."""
    wanted = count + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, hard)), hard))
    opened = []
    try:
        for _ in range(count):
            opened.append(connected(system))
            if said:
                with contextlib.suppress(OSError):
                    opened[-1].sendall(said)
        yield opened
    finally:
        for one in opened:
            one.close()


def answers_of(system, *said):
    """Send bytes on one connection; return all that is answered until it ends."""
    with connected(system) as sock:
        with contextlib.suppress(OSError):  # refused, and ended, before all is sent
            for part in said:
                sock.sendall(part)
            sock.shutdown(socket.SHUT_WR)
        found = b""
        with contextlib.suppress(ConnectionResetError):
            while part := sock.recv(65536):
                found += part
    return found


def others_are_served(system):
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{system.base}/provinces", timeout=20).status_code == 200
    return False


def test_idle_connections_do_not_keep_others_out(attacked):
    with many(attacked, IDLE, b""):
        assert others_are_served(attacked)
    assert others_are_served(attacked)


@pytest.mark.parametrize(
    "said",
    [
        GET + b"X-Slow: ",
        POST + b"Content-Length: 1000\r\n\r\n{",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    ],
    ids=["headers", "body", "chunked body"],
)
def test_slow_senders_do_not_keep_others_out(attacked, said):
    with many(attacked, SLOW, said) as slow:
        for _ in range(3):
            until(lambda: others_are_served(attacked), "somebody else is served", 20)
            for one in slow:
                with contextlib.suppress(OSError):
                    one.sendall(b"a")


def test_headers_that_trickle_in_are_not_waited_for(attacked):
    with connected(attacked) as sock:
        sock.sendall(GET + b"X-Slow: ")
        began = time.monotonic()
        sock.settimeout(1)
        ended = False
        while not ended and time.monotonic() - began < 60:
            with contextlib.suppress(TimeoutError):
                sock.sendall(b"a")
                ended = sock.recv(100) == b""
    assert ended


def test_invented_methods_are_not_kept(attacked):
    before = resident_megabytes(attacked.process.pid)
    for count in range(2_000):
        requests.request(f"M{count}", f"{attacked.base}/provinces", timeout=20)
    metrics = requests.get(f"{attacked.url}/metrics", timeout=20).text
    assert "M1999" not in metrics and 'method="other"' in metrics
    assert resident_megabytes(attacked.process.pid) < before + 50


MALFORMED = {
    "a space before the colon": b"Foo : bar\r\n",
    "a length with a sign": b"Content-Length: +7\r\n",
    "a length with an underscore": b"Content-Length: 0_7\r\n",
    "a length in hexadecimal": b"Content-Length: 0x7\r\n",
    "a negative length": b"Content-Length: -7\r\n",
    "two lengths": b"Content-Length: 7\r\nContent-Length: 7\r\n",
    "a list of lengths": b"Content-Length: 7, 7\r\n",
    "an endless length": b"Content-Length: " + b"9" * 400 + b"\r\n",
    "both length and encoding": b"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
    "another encoding": b"Transfer-Encoding: gzip\r\n",
    "two encodings": b"Transfer-Encoding: gzip, chunked\r\n",
    "an encoding twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "an encoding in disguise": b"Transfer-Encoding: xchunked\r\n",
    "an encoding with a tab": b"Transfer-Encoding:\x0bchunked\r\n",
    "a folded line": b"X-Folded: a\r\n b\r\n",
    "a line without a colon": b"Nothing\r\n",
    "a name that is none": b"Na(me: a\r\n",
    "no name": b": a\r\n",
    "a control character": b"X-Odd: a\x00b\r\n",
    "two hosts": b"Host: elsewhere\r\n",
}


@pytest.mark.parametrize("header", MALFORMED.values(), ids=MALFORMED)
def test_a_header_that_can_be_read_in_two_ways_is_refused_and_ends_the_connection(attacked, header):
    answered = answers_of(attacked, POST + header + b"\r\n" + BODY, GET + b"\r\n")
    assert answered.count(b"HTTP/1.") == 1, answered
    assert answered.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 ")), answered
    assert others_are_served(attacked)


CHUNKS = {
    "a sign": b"+7\r\n" + BODY + b"\r\n0\r\n\r\n",
    "hexadecimal with 0x": b"0x7\r\n" + BODY + b"\r\n0\r\n\r\n",
    "an underscore": b"0_7\r\n" + BODY + b"\r\n0\r\n\r\n",
    "no length": b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "words": b"seven\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a proper body": b"7\r\n" + BODY + b"\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_one_chunked_post_has_one_answer(attacked, chunks):
    answered = answers_of(attacked, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks, GET + b"\r\n")
    assert answered.count(b"HTTP/1.1 ") == 1, answered
    assert answered.startswith(b"HTTP/1.1 400 "), answered


def test_nothing_a_caller_sends_stands_in_the_log_as_it_is(attacked):
    marker = b"Nguoi La 0912000111"
    answers_of(attacked, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + marker + b"\r\n")
    answers_of(attacked, marker + b" HTTP/1.1\r\n\r\n")
    answers_of(attacked, POST + b"Content-Length: 200\r\n\r\n" + marker)
    assert marker.decode() not in attacked.log()


def test_a_body_longer_than_any_is_not_read_to_its_end(attacked):
    answered = answers_of(attacked, POST + b"Content-Length: 99999999999\r\n\r\n" + BODY)
    assert answered.startswith(b"HTTP/1.1 413 "), answered
    assert b"Connection: close" in answered


def test_two_requests_on_one_connection_are_answered(attacked):
    with connected(attacked) as sock:
        for _ in range(2):
            sock.sendall(GET + b"\r\n")
            assert sock.recv(15) == b"HTTP/1.1 200 OK"
            rest = b""
            while not rest.endswith((b"}", b"0\r\n\r\n")):
                rest += sock.recv(65536)


def test_a_port_that_is_taken_is_not_shared(attacked, tmp_path):
    import subprocess

    from tests.support.processes import COMMAND

    other = attacked.environment | {"VAR_DIR": str(tmp_path)}
    done = subprocess.run([COMMAND, "run"], env=other, capture_output=True, timeout=60)
    assert done.returncode != 0
    assert b"Address already in use" in done.stderr + done.stdout


# pictures that are small to send and large to decode


def bomb(fmt, side, mode="RGB", **options):
    return picture(fmt, (side, side), mode, **options)


BOMBS = {
    "WebP": lambda: bomb("WEBP", 7071, lossless=True),
    "palette PNG": lambda: bomb("PNG", 7000, "P"),
    "HEIC": lambda: bomb("HEIF", 5090, quality=10),
    "progressive JPEG": lambda: bomb("JPEG", 7900, progressive=True, quality=5),
}


@pytest.mark.parametrize("make", BOMBS.values(), ids=BOMBS)
def test_eight_pictures_that_are_hard_to_decode_harm_nobody(attacked, make):
    """Eight callers at once: some are refused, no other request waits for long, and the memory is what it was."""
    sent, pid = make(), attacked.process.pid
    before = resident_megabytes(pid)

    def upload():
        files = {"file": ("a", sent)}
        return requests.post(f"{attacked.base}/uploads", files=files, data={"purpose": "portrait"}, timeout=60)

    with ThreadPoolExecutor(8) as callers:
        asked = [callers.submit(upload) for _ in range(8)]
        served = [others_are_served(attacked) for _ in range(20)]
        statuses = {one.result().status_code for one in asked}
    print(f"\n{len(sent)} bytes: {statuses}, {before:.0f} -> {resident_megabytes(pid):.0f} MB")
    assert all(served)
    assert statuses <= {201, 400, 503}
    assert resident_megabytes(pid) < before + 100
    assert upload_works(attacked)


def upload_works(system):
    return until(lambda: system.upload("portrait").status_code == 201, "a picture is taken again")


@pytest.mark.parametrize(("language", "title"), [("vi", "Yêu cầu chưa đúng"), ("en", "The request is not valid")])
def test_a_refused_header_is_refused_in_the_callers_language(attacked, language, title):
    head = f"GET /api/v1/provinces HTTP/1.1\r\nAccept-Language: {language}\r\nFoo : bar\r\n\r\n"
    header, _, body = answers_of(attacked, head.encode()).partition(b"\r\n\r\n")
    assert b"Connection: close" in header and b"application/problem+json" in header
    problem = json.loads(body)
    assert (problem["title"], problem["status"], problem["code"]) == (title, 400, "invalid_request")
    assert problem["errors"][0]["code"] == "malformed_header" and problem["request_id"]


@pytest.mark.parametrize("line", [b"<b>Nguoi La</b>", b"GET", b"GET / HTTP/9.9", b"GET / FTP/1.0", b"\xff\xfe"])
def test_a_request_line_that_is_none_is_refused_without_repeating_it(attacked, line):
    answered = answers_of(attacked, line + b"\r\n\r\n")
    assert answered == b"" or answered.startswith(b"HTTP/1.1 400 "), answered
    assert b"Nguoi" not in answered and b"<" not in answered
