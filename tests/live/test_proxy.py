"""The proxy of docker-compose.yml before two gateways: what the public sees, and what it never does to the system."""

import itertools
import json
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from importlib.resources import files

import pytest
import requests

from services.gateway.bodies import AROUND_FILE
from services.gateway.phrases import CODES, FIELDS, TITLES
from shared.language.values import LARGEST_PICTURE
from tests.support.answers import done, refused
from tests.support.nginx import Names, PublicProxy, SilentGateway
from tests.support.pictures import PICTURE
from tests.support.processes import HOST, free_port
from tests.support.running import running_system
from tests.support.waiting import until

GATEWAYS = {"gateway": HOST, "gateway.2": "127.0.0.2"}
REFUSING, SILENT = "127.0.0.3", "127.0.0.4"  # of gateways that are none
NEIGHBOUR = "127.0.0.5"  # another caller
GATEWAY_WORKERS = 4
CONNECTIONS = 100  # with a request under way, of one address
PROVINCES = "/api/v1/provinces"
REMEMBERED = 2.1  # seconds: nginx.conf says 1, and nginx counts whole ones
TRACKING_CODE, NUMBER, TOKEN = "4EZYX8MXQF", "2026-0000123", "InVwbG9hZHMvYS5qcGci.aow1Kg.9mQ1cN0xq0Jq0mXh"
GET = b"GET /api/v1/provinces HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/declarations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
HALF_A_BODY = POST + b"Content-Length: 1000\r\n\r\n{"


@pytest.fixture(scope="module")
def system(servers, tmp_path_factory):
    limits = {"RATE_LIMITS": "on", "LIMIT_READING": "100000/minute", "LIMIT_HOOKS": "2/minute"}
    settings = {"GATEWAY_WORKERS": str(GATEWAY_WORKERS), "TRUSTED_PROXIES": "1", "RPC_DEADLINE": "20", **limits}
    with running_system(servers, tmp_path_factory.mktemp("system"), ("registration",), **settings) as started:
        port = free_port()
        for name, host in GATEWAYS.items():
            started.ports[name], started.hosts[name] = port, host
            started.start(name)
        for name in GATEWAYS:
            started.until_ready(name)
        yield started


@pytest.fixture(scope="module")
def names():
    with Names() as server:
        yield server


@pytest.fixture(scope="module")
def nginx(system, names, tmp_path_factory):
    with PublicProxy(tmp_path_factory.mktemp("nginx"), names, system.ports["gateway"]).running() as started:
        yield started


@pytest.fixture
def proxy(nginx, names):
    """The proxy, which knows both gateways."""
    know(nginx, names, *GATEWAYS.values())
    return nginx


def know(proxy, names, *addresses):
    """Change the gateways, and wait until no process of the proxy remembers their names."""
    if names.addresses == addresses:
        return
    names.addresses = addresses
    time.sleep(REMEMBERED)
    seen = names.asked
    ask(proxy, "GET", "/api/v1/none")
    assert names.asked > seen


def ask(proxy, method, path, **options):
    """Call the public port, over a connection that is made for this call."""
    return requests.request(method, proxy.url + path, verify=str(proxy.certificate), timeout=60, **options)


def ask_as_operator(proxy, method, path, **options):
    return requests.request(method, proxy.operators_url + path, timeout=60, **options)


def connected(proxy, source=HOST, *protocols):
    """Open a connection to the public port, from an address of this machine."""
    context = ssl.create_default_context(cafile=proxy.certificate)
    context.set_alpn_protocols(list(protocols))
    plain = socket.create_connection((HOST, proxy.public), timeout=60, source_address=(source, 0))
    return context.wrap_socket(plain, server_hostname="localhost")


def answered(proxy, said, source=HOST):
    """Send bytes on one connection; return all that is answered until it ends."""
    with connected(proxy, source) as sock:
        sock.sendall(said)
        found = b""
        with suppress(ssl.SSLEOFError, ConnectionResetError):
            while part := sock.recv(65536):
                found += part
    return found


@contextmanager
def held(proxy, count, said):
    """Hold connections on which something was said and more is to follow."""
    with ExitStack() as opened:
        for _ in range(count):
            opened.enter_context(connected(proxy)).sendall(said)
        yield


def once_logged(proxy, request_id):
    """Return the line of the access log about a request."""
    return until(lambda: [line for line in proxy.log() if line["request_id"] == request_id], "it is logged")[0]


# HTTPS


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_nothing_older_than_tls_1_2_is_spoken(proxy, version):
    context = ssl.create_default_context(cafile=proxy.certificate)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    with socket.create_connection((HOST, proxy.public), timeout=60) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")


def test_http_2_is_spoken(proxy):
    with connected(proxy, HOST, "h2", "http/1.1") as sock:
        assert (sock.selected_alpn_protocol(), sock.version()) == ("h2", "TLSv1.3")


def test_plain_http_on_the_public_port_is_refused(proxy):
    refused(requests.get(f"http://{HOST}:{proxy.public}/", timeout=60), 400, "invalid_request")


SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
NO_CONTENT = "default-src 'none'; frame-ancestors 'none'"


def headers_of(answer, *names):
    return {name: answer.raw.headers.getlist(name) for name in names}


@pytest.mark.parametrize("path", [PROVINCES, "/docs", "/metrics", "/api/v1/none"])
def test_every_answer_has_the_security_headers_once(proxy, path):
    expected = {name: [value] for name, value in SECURITY.items()}
    for answer in (ask(proxy, "GET", path), ask_as_operator(proxy, "GET", path)):
        assert headers_of(answer, *SECURITY) == expected
        assert len(answer.raw.headers.getlist("Content-Security-Policy")) == 1
        assert answer.headers["Server"] == "nginx"


def test_a_page_keeps_its_own_content_policy(proxy, system):
    own = requests.get(f"{system.url}/docs", timeout=60).headers["Content-Security-Policy"]
    assert ask(proxy, "GET", "/docs").headers["Content-Security-Policy"] == own
    assert ask(proxy, "GET", PROVINCES).headers["Content-Security-Policy"] == NO_CONTENT


@pytest.mark.parametrize("path", [PROVINCES, "/metrics"])
def test_strict_transport_is_asked_for_over_https_only(proxy, path):
    assert headers_of(ask(proxy, "GET", path), "Strict-Transport-Security") == {
        "Strict-Transport-Security": ["max-age=31536000"]
    }
    assert "Strict-Transport-Security" not in ask_as_operator(proxy, "GET", path).headers


# what is not public


@pytest.mark.parametrize("page", ["/metrics", "/readyz"])
def test_operators_pages_are_for_operators(proxy, page):
    assert ask_as_operator(proxy, "GET", page).status_code == 200
    refused(ask(proxy, "GET", page), 404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        *("//metrics", "/%6detrics", "/./metrics", "/api/../metrics", "/api/%2e%2e/metrics", "/api/..%2fmetrics"),
        *("/metrics?", "/metrics/", "/metrics/../api/v1/provinces/../../../metrics", "/%2fmetrics", "/%256detrics"),
        *("http://localhost/metrics", "/metrics#/../api/", "/docs/../metrics", "/server-status", "/debug"),
    ],
)
def test_no_spelling_leads_to_a_page_that_is_not_public(proxy, path):
    found = answered(proxy, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert found.split(b"\r\n")[0] in (b"HTTP/1.1 404 Not Found", b"HTTP/1.1 404 NOT FOUND")
    assert found.count(b"HTTP/1.1 ") == 1 and b"vssid_http_request_seconds" not in found


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/api/v1/openapi.json", PROVINCES])
def test_pages_for_everybody_are_public(proxy, path):
    assert ask(proxy, "GET", path).status_code == 200


# refusals of nginx itself


def problem(status, code, language, **details):
    """Return what the gateway would say."""
    which = ("vi", "en").index(language)
    errors = [{"field": "", "code": "malformed_header", "message": FIELDS["malformed_header"][which]}]
    return {
        "type": f"urn:vssid:problem:{code}",
        "title": TITLES[status][which],
        "status": status,
        "detail": CODES[code][which].format(**details),
        "code": code,
        "request_id": "abc-1",
        "errors": errors if code == "invalid_request" else [],
    }


@pytest.fixture
def without_gateways(proxy, names):
    know(proxy, names)
    return proxy


@pytest.mark.parametrize("language", ["vi", "en"])
class TestRefusals:
    """In the words of the gateway, and with its headers."""

    def same(self, answer, language, **expected):
        assert answer.json() == problem(answer.status_code, language=language, **expected)
        assert headers_of(answer, "Content-Type", "Content-Language", "X-Request-Id", "Vary", "Cache-Control") == {
            "Content-Type": ["application/problem+json"],
            "Content-Language": [language],
            "X-Request-Id": ["abc-1"],
            "Vary": ["Accept-Language"],
            "Cache-Control": ["no-store"],
        }

    def headers(self, language):
        return {"Accept-Language": language, "X-Request-Id": "abc-1"}

    def test_what_is_not_public_is_not_found(self, proxy, language):
        answer = ask(proxy, "GET", "/metrics", headers=self.headers(language))
        assert answer.status_code == 404
        self.same(answer, language, code="not_found")

    def test_a_body_that_is_larger_than_any_picture(self, proxy, language):
        content = b"a" * (LARGEST_PICTURE + AROUND_FILE + 1)
        answer = ask(proxy, "POST", "/api/v1/uploads", data=content, headers=self.headers(language))
        assert answer.status_code == 413
        self.same(answer, language, code="too_large", limit=LARGEST_PICTURE)

    def test_a_header_that_is_too_long(self, proxy, language):
        answer = ask(proxy, "GET", PROVINCES, headers={**self.headers(language), "X-Long": "a" * 9000})
        assert answer.status_code == 400
        self.same(answer, language, code="invalid_request")

    def test_no_gateway(self, without_gateways, language):
        answer = ask(without_gateways, "GET", PROVINCES, headers=self.headers(language))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        self.same(answer, language, code="unavailable")

    def test_more_connections_than_one_address_may_have(self, proxy, language):
        with held(proxy, CONNECTIONS, HALF_A_BODY):
            (answer,) = until(lambda: self.turned_away(proxy, language), "an answer that is no success")
            # somebody else is served all the while
            assert answered(proxy, GET + b"Connection: close\r\n\r\n", NEIGHBOUR).startswith(b"HTTP/1.1 200 ")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        self.same(answer, language, code="busy")

    def turned_away(self, proxy, language):
        answer = ask(proxy, "GET", PROVINCES, headers=self.headers(language))
        return [] if answer.ok else [answer]  # by itself it would be as false as none


def test_a_picture_a_little_too_large_is_refused_by_the_gateway_that_knows_its_limit(proxy):
    sent = {"file": ("a.jpg", b"a" * (LARGEST_PICTURE + 1))}
    refused(ask(proxy, "POST", "/api/v1/uploads", files=sent, data={"purpose": "portrait"}), 413, "too_large")


# a request on its way


def test_a_picture_arrives(proxy):
    answer = ask(proxy, "POST", "/api/v1/uploads", files={"file": ("a.jpg", PICTURE)}, data={"purpose": "portrait"})
    assert set(done(answer, 201)) >= {"upload_id"}


@pytest.fixture
def silent(proxy, names, system):
    """A gateway beside the real one, that hears everything and says nothing."""
    with SilentGateway(SILENT, system.ports["gateway"]) as started:
        know(proxy, names, SILENT, HOST)
        yield started


def sent_until(lines_of: Callable, send: Callable, what: str):
    """Send requests, each with an id of its own, until the log's line of one is as wanted; return its answer and it."""
    for count in itertools.count():
        assert count < 200, f"{what}: never among {count} requests"
        request_id = f"{what.replace(' ', '-')}-{count}"
        answer = send({"X-Request-Id": request_id})
        line = lines_of(request_id)
        if line:
            return answer, line
    raise AssertionError


def tried(proxy, port, *addresses):
    """Return a function that returns a request's line in the log if these addresses were tried, in this order."""
    wanted = ", ".join(f"{address}:{port}" for address in addresses)

    def line_of(request_id):
        line = once_logged(proxy, request_id)
        return line if line["gateway"] == wanted else None

    return line_of


def test_the_gateway_is_told_the_callers_address_and_not_what_the_caller_says(proxy, silent, system):
    claimed = {"X-Forwarded-For": "203.0.113.9", "X_Forwarded_For": "203.0.113.8"}
    first_there = tried(proxy, system.ports["gateway"], SILENT, HOST)
    _, line = sent_until(first_there, lambda own: ask(proxy, "GET", PROVINCES, headers=claimed | own), "forwarded")
    (heard,) = [one for one in silent.requests if line["request_id"].encode() in one]
    head = heard.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
    headers = [tuple(one.split(": ", 1)) for one in head]
    assert [value for name, value in headers if "forwarded" in name.lower()] == [HOST]
    assert [value for name, value in headers if name.lower() == "x-request-id"] == [line["request_id"]]


def test_a_limit_counts_the_callers_address(proxy):
    """More than both gateways allow together; the neighbour is somebody else, whoever is named in a header."""
    hook = "POST /hooks/twilio/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n"
    said = [f"{hook}X-Forwarded-For: 203.0.113.{count}\r\n\r\n".encode() for count in range(5)]
    statuses = {answered(proxy, one).split(b" ")[1] for one in said}
    assert statuses == {b"415", b"429"}
    assert answered(proxy, said[0], NEIGHBOUR).split(b" ")[1] == b"415"


def test_a_request_id_is_passed_on_and_returned(proxy):
    answer = ask(proxy, "GET", PROVINCES, headers={"X-Request-Id": "mine"})
    assert answer.raw.headers.getlist("X-Request-Id") == ["mine"]
    assert once_logged(proxy, "mine")["status"] == 200


@pytest.mark.parametrize("given", ['a"b', "a\\b", "a" * 65, ""])
def test_a_request_id_that_cannot_stand_in_json_is_replaced(proxy, given):
    answer = ask(proxy, "GET", "/metrics", headers={"X-Request-Id": given})
    assert refused(answer, 404, "not_found")["request_id"] != given


def test_bodies_that_arrive_slowly_hold_no_worker(proxy):
    with held(proxy, 10 * GATEWAY_WORKERS, HALF_A_BODY):
        assert [ask(proxy, "GET", PROVINCES).status_code for _ in range(20)] == [200] * 20


def test_connections_that_say_nothing_keep_nobody_out(proxy):
    with ExitStack() as opened:
        for _ in range(1_050):
            opened.enter_context(socket.create_connection((HOST, proxy.public), timeout=60))
        assert ask(proxy, "GET", PROVINCES).status_code == 200


# several gateways


def test_every_gateway_is_used(proxy, system):
    for host in GATEWAYS.values():
        sent_until(
            tried(proxy, system.ports["gateway"], host), lambda own: ask(proxy, "GET", PROVINCES, headers=own), host
        )


def test_a_gateway_dies_and_nobody_notices(proxy, system):
    with ThreadPoolExecutor(4) as callers:
        asked = [callers.submit(ask, proxy, "GET", PROVINCES) for _ in range(200)]
        asked[40].result()
        system.kill("gateway.2")
        statuses = {one.result().status_code for one in asked}
        posted = {ask(proxy, "POST", "/api/v1/declarations").status_code for _ in range(10)}
        system.start("gateway.2")
        system.until_ready("gateway.2")
    assert (statuses, posted) == ({200}, {415})


def test_a_gateway_that_comes_is_found_and_one_that_went_is_left(proxy, names, system):
    know(proxy, names, HOST)
    alone = [ask(proxy, "GET", PROVINCES, headers={"X-Request-Id": f"alone-{one}"}) for one in range(10)]
    assert {one.status_code for one in alone} == {200}
    assert {once_logged(proxy, f"alone-{one}")["gateway"] for one in range(10)} == {f"{HOST}:{system.ports['gateway']}"}
    know(proxy, names, *GATEWAYS.values())
    test_every_gateway_is_used(proxy, system)


def test_a_post_that_no_gateway_took_is_sent_to_another(proxy, names, system):
    know(proxy, names, REFUSING, HOST)
    refusing_first = tried(proxy, system.ports["gateway"], REFUSING, HOST)
    answer, line = sent_until(
        refusing_first, lambda own: ask(proxy, "POST", "/api/v1/declarations", headers=own), "not taken"
    )
    assert (answer.status_code, line["gateway_status"]) == (415, "502, 415")


def test_a_post_that_a_gateway_took_is_sent_once(proxy, silent, system):
    answer, line = sent_until(
        tried(proxy, system.ports["gateway"], SILENT),
        lambda own: ask(proxy, "POST", "/api/v1/declarations", json={"a": 1}, headers=own),
        "taken",
    )
    refused(answer, 503, "unavailable")
    assert (line["status"], line["gateway_status"]) == (503, "502")


def test_a_get_that_a_gateway_took_and_left_is_asked_of_another(proxy, silent, system):
    answer, _ = sent_until(
        tried(proxy, system.ports["gateway"], SILENT, HOST),
        lambda own: ask(proxy, "GET", PROVINCES, headers=own),
        "asked again",
    )
    assert answer.status_code == 200


# one request, one reading


FRAMINGS = {
    "a space before the colon": b"Foo : bar\r\nContent-Length: 7\r\n",
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
    "a control character": b"X-Odd: a\x00b\r\n",
    "two hosts": b"Host: elsewhere\r\n",
}


@pytest.mark.parametrize("headers", FRAMINGS.values(), ids=FRAMINGS)
def test_a_body_whose_length_can_be_read_in_two_ways_is_refused_and_ends_the_connection(proxy, headers):
    found = answered(proxy, POST + headers + b"\r\n" + b'{"a":1}' + GET + b"\r\n")
    assert found.count(b"HTTP/1.") == 1 and found.startswith(b"HTTP/1.1 400 "), found
    refusal = json.loads(found.partition(b"\r\n\r\n")[2])
    assert (refusal["code"], refusal["errors"][0]["code"]) == ("invalid_request", "malformed_header")


CHUNKS = {
    "a sign": b"+7\r\n",
    "hexadecimal with 0x": b"0x7\r\n",
    "an underscore": b"0_7\r\n",
    "no length": b"\r\n",
    "words": b"seven\r\n",
}


@pytest.mark.parametrize("length", CHUNKS.values(), ids=CHUNKS)
def test_a_chunk_of_no_plain_length_is_refused_and_ends_the_connection(proxy, length):
    body = length + b'{"a":1}' + b"\r\n0\r\n\r\n"
    found = answered(proxy, POST + b"Transfer-Encoding: chunked\r\n\r\n" + body + GET + b"\r\n")
    assert found.count(b"HTTP/1.") == 1 and found.startswith(b"HTTP/1.1 400 "), found


def test_a_chunked_body_arrives_with_its_length(proxy):
    body = b"7\r\n" + b'{"a":1}' + b"\r\n0\r\n\r\n"
    said = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\nAccept-Language: en\r\n\r\n" + body
    found = json.loads(answered(proxy, said).partition(b"\r\n\r\n")[2])
    assert "unknown_field" in {one["code"] for one in found["errors"]}


# the log


SECRETS = [
    f"/api/v1/declarations/{NUMBER}?tracking_code={TRACKING_CODE}",
    f"/api/v1/declarations/{NUMBER}/form.pdf?tracking_code={TRACKING_CODE}",
    f"/api/v1/photos/{TOKEN}",
    f"/{TOKEN}/{NUMBER}?a={TRACKING_CODE}",
]


def test_the_log_holds_nothing_that_a_caller_wrote(proxy, names, silent):
    """Whatever becomes of the request: it is answered, no gateway is there, one ends it, it is not even a request."""
    headers = {"User-Agent": TOKEN, "Referer": f"https://localhost/{NUMBER}", "Authorization": f"Bearer {TOKEN}"}

    def ask_all():
        for path in SECRETS:
            ask(proxy, "GET", path, headers=headers)
            ask(proxy, TRACKING_CODE, path, headers=headers)
            ask(proxy, "POST", path, headers=headers, data=NUMBER)
            answered(proxy, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nA : {TOKEN}\r\n\r\n".encode())
            answered(proxy, f"{path}\r\n\r\n".encode())

    ask_all()
    know(proxy, names)
    ask_all()
    ask(proxy, "GET", "/api/v1/none", headers={"X-Request-Id": "last"})
    once_logged(proxy, "last")
    assert {one for one in (TRACKING_CODE, NUMBER, TOKEN, HOST + '"') if one in proxy.written()} == set()


def test_a_line_of_the_log_says_what_became_of_a_request(proxy, system):
    answer = ask(proxy, "GET", SECRETS[0], headers={"X-Request-Id": "whole line", "Accept-Encoding": "identity"})
    line = once_logged(proxy, "whole line")
    assert line.pop("gateway") in {f"{host}:{system.ports['gateway']}" for host in GATEWAYS.values()}
    varying = {name: line.pop(name) for name in ("timestamp", "seconds", "gateway_seconds", "received", "sent")}
    assert answer.status_code == 404 and all(varying.values())
    assert line == {
        "event": "request_proxied",
        "level": "info",
        "service": "proxy",
        "request_id": "whole line",
        "method": "GET",
        "route": "/api/v1/declarations",
        "status": 404,
        "code": "",
        "gateway_status": "404",
        "protocol": "HTTP/1.1",
        "tls": "TLSv1.3",
    }


def test_the_log_knows_every_route(proxy):
    document = json.loads((files("services.gateway") / "openapi.json").read_bytes())
    for count, path in enumerate(document["paths"]):
        ask(proxy, "GET", path, headers={"X-Request-Id": f"route-{count}"}, allow_redirects=False)
    logged = {path: once_logged(proxy, f"route-{count}")["route"] for count, path in enumerate(document["paths"])}
    assert [path for path, route in logged.items() if not path.startswith(route)] == []


def test_operators_looks_at_the_health_of_the_system_are_not_logged(proxy):
    for page in ("/healthz", "/readyz", "/metrics"):
        ask_as_operator(proxy, "GET", page, headers={"X-Request-Id": "health"})
    ask_as_operator(proxy, "GET", PROVINCES, headers={"X-Request-Id": "after"})
    once_logged(proxy, "after")
    assert [line for line in proxy.log() if line["request_id"] == "health"] == []
