"""Two hosts behind nginx, as deploy/nginx.conf has it: who asks notices neither a host's death nor its restart."""

import contextlib
import http.client
import inspect
import json
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx
import pytest
import uvicorn

from benchmarks import hosts as two
from pipeline import serve
from serving import contract, errors
from serving.web import connection, deadlines, limits
from serving.web.headers import SECURITY
from tests.service.server import wait_until
from tests.toy_model import image

RATE = 40.0
CONFIG = two.CONFIG.read_text(encoding="utf-8")

pytestmark = pytest.mark.skipif(not two.NGINX, reason="Debian's package nginx-light is not installed")


def setting(name):
    """What the configuration sets, in bytes or seconds."""
    [text] = re.findall(rf"^\s*{name} (?:\d+ )?(\d+)[ks]?;", CONFIG, re.MULTILINE)
    return int(text)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """nginx whose hosts are not there."""
    folder = tmp_path_factory.mktemp("alone")
    with two.proxied([serve.free_port("127.0.0.1") for _ in two.UPSTREAMS], folder / "nginx") as url:
        yield SimpleNamespace(url=url, log=folder / "nginx" / "access.log")


@pytest.fixture(scope="module")
def both(bento, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hosts")
    with (
        two.two_hosts(bento, folder) as hosts,
        two.proxied([host.port for host in hosts], folder / "nginx") as url,
    ):
        yield SimpleNamespace(hosts=hosts, url=url, log=folder / "nginx" / "access.log")


def lines(log):
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def raw(url, request):
    """The answer to the bytes of a request: status, headers and body."""
    place = httpx.URL(url)
    with socket.create_connection((place.host, place.port), timeout=20) as connected:
        connected.sendall(request)
        response = http.client.HTTPResponse(connected)
        response.begin()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


POST = b"POST /predict HTTP/1.1\r\nHost: a\r\n"
LARGE = contract.MAX_BODY_BYTES + 1
REFUSED = {
    "nonsense": (b"nonsense\r\n\r\n", errors.MALFORMED_HTTP),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", errors.MALFORMED_HTTP),
    "a tunnel": (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", errors.MALFORMED_HTTP),
    "the metrics": (b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", errors.NOT_FOUND),
    "a page of nginx's": (b"GET /nginx/413 HTTP/1.1\r\nHost: a\r\n\r\n", errors.NOT_FOUND),
    "another method": (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", errors.METHOD_NOT_ALLOWED),
    "a large body": (POST + b"Content-Length: %d\r\n\r\n" % LARGE, errors.BODY_TOO_LARGE),
    "a large body in chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\nx" % LARGE, errors.BODY_TOO_LARGE),
    "another encoding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", errors.ENCODED),
    "a long path": (b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % bytes(b"a" * 70_000), errors.HEADERS_TOO_LARGE),
    "a long header": (POST + b"A: %s\r\n\r\n" % bytes(b"a" * 70_000), errors.HEADERS_TOO_LARGE),
    "no host that answers": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", errors.OVERLOADED),
}


@pytest.mark.parametrize(("request_", "entry"), REFUSED.values(), ids=REFUSED)
def test_an_error_of_nginx_is_like_one_of_the_service(alone, request_, entry):
    status, headers, body = raw(alone.url, request_)
    assert status == entry.status
    answer = json.loads(body)
    assert answer.keys() == {"error", "request_id"}
    assert answer["error"]["code"] == entry.code
    assert re.fullmatch("[0-9a-f]{32}", answer["request_id"])
    assert headers["x-request-id"] == answer["request_id"]
    wait_until(lambda: answer["request_id"] in alone.log.read_text(encoding="utf-8"), 5)
    assert headers["content-type"] == "application/json"
    assert headers["server"] == "nginx"
    for name, value in SECURITY:
        if name.decode() in ("content-security-policy", "x-content-type-options", "cache-control"):
            assert headers[name.decode()] == value.decode()
    assert headers.get("retry-after") == errors.HEADERS.get(status, {}).get("Retry-After")


def test_every_error_of_nginx_has_words_of_the_catalogue():
    worded = re.findall(r"return (\d+) '(.*)';", CONFIG)
    assert len(worded) == 8
    for status, text in worded:
        error = json.loads(text.replace(r"\'", "'"))["error"]
        entries = [entry for entry in errors.catalogue() if (str(entry.status), entry.code) == (status, error["code"])]
        patterns = [".+".join(map(re.escape, re.split(r"{[^}]*}", entry.message))) for entry in entries]
        assert any(re.fullmatch(pattern, error["message"]) for pattern in patterns), error


def test_what_is_bounded_is_bounded_as_the_service_bounds_it():
    assert setting("client_max_body_size") == contract.MAX_BODY_BYTES
    assert setting("client_body_timeout") == contract.BODY_DEADLINE_S
    assert setting("client_header_timeout") == connection.HEADERS_DEADLINE_S
    assert setting("send_timeout") == connection.UNREAD_DEADLINE_S
    assert setting("large_client_header_buffers") * 1024 >= contract.MAX_HEADER_BYTES
    assert setting("proxy_read_timeout") > deadlines.ANSWER_DEADLINE_S + limits.LONGEST_WAIT_S
    assert setting("keepalive_timeout") < inspect.signature(uvicorn.Config).parameters["timeout_keep_alive"].default


def test_an_answer_passes_as_it_is(both):
    octets = {"Content-Type": "application/octet-stream", "X-Request-ID": "mine", "X-Forwarded-For": "1.2.3.4"}
    direct, through = (
        httpx.post(f"{url}/predict_pixels", content=image(7).tobytes(), headers=octets)
        for url in (both.hosts[0].url, both.url)
    )
    assert through.json() == direct.json()
    own = {"date", "server", "connection", "x-request-id"}
    assert {name: value for name, value in through.headers.items() if name not in own} == {
        name: value for name, value in direct.headers.items() if name not in own
    }
    given = through.headers["x-request-id"]
    logs = [both.log, *(host.home / "log" for host in both.hosts)]
    wait_until(lambda: sum(given in log.read_text(encoding="utf-8") for log in logs) == 2, 5)
    [noted] = [line for line in lines(both.log) if line["request_id"] == given]
    assert noted["client"] == "127.0.0.1"


def test_a_body_of_the_largest_size_and_many_answers_pass(both):
    response = httpx.post(f"{both.url}/predict", content=bytes(contract.MAX_BODY_BYTES))
    assert response.json()["error"]["code"] == errors.NOT_AN_IMAGE.code
    octets = {"Content-Type": "application/octet-stream"}
    many = httpx.post(f"{both.url}/predict_pixels", content=image(3).tobytes() * contract.MAX_BATCH, headers=octets)
    assert [answer["digit"] for answer in many.json()["predictions"]] == [3] * contract.MAX_BATCH


class Busy(BaseHTTPRequestHandler):
    """A host that refuses whatever it is asked."""

    protocol_version = "HTTP/1.1"
    request_id = "b" * 32
    seconds = 0.0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.seconds)
        body = json.dumps(errors.OVERLOADED().body(self.request_id)).encode()
        self.send_response(503)
        for name, value in (("X-Request-ID", self.request_id), ("Retry-After", "1"), ("Content-Length", len(body))):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Hanging(Busy):
    """One that answers too late."""

    seconds = deadlines.ANSWER_DEADLINE_S + 4


@contextlib.contextmanager
def made_up(*kinds, folder):
    """nginx before made-up hosts."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), kind)) for kind in kinds]
        for server in servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.shutdown)
        yield stack.enter_context(two.proxied([server.server_address[1] for server in servers], folder))


def test_a_host_that_refuses_is_not_shut_out_and_its_refusal_is_passed_on(tmp_path):
    with made_up(Busy, Busy, folder=tmp_path) as url, httpx.Client(base_url=url) as client:
        answers = [client.post("/predict", content=b"x") for _ in range(30)]
    assert {(answer.status_code, answer.headers["retry-after"]) for answer in answers} == {(503, "1")}
    assert {answer.headers["x-request-id"] for answer in answers} == {Busy.request_id}
    assert two.retried(tmp_path / "access.log") == 0


@pytest.mark.slow
def test_what_a_host_does_not_answer_is_asked_of_the_other(tmp_path):
    with made_up(Hanging, Busy, folder=tmp_path) as url, httpx.Client(base_url=url, timeout=20) as client:
        answers = [client.post("/predict", content=b"x") for _ in range(4)]
    assert {answer.headers.get("x-request-id") for answer in answers} == {Busy.request_id}
    assert two.retried(tmp_path / "access.log") == 1
    assert max(answer.elapsed.total_seconds() for answer in answers) > deadlines.ANSWER_DEADLINE_S


@pytest.mark.slow
def test_one_host_killed_and_the_other_drained_lose_no_request(both):
    questions = [two.Question("/predict_pixels", two.OCTETS, image(digit).tobytes(), digit) for digit in range(10)]
    with two.asking(both.url, questions, RATE) as asked:
        status = two.trouble(both.hosts, asked, seconds=0.5)
    two.report(asked, two.retried(both.log), status)
    assert status == 0
    assert asked.count(two.LOST) == 0
    assert asked.count(two.TOLD) < 0.05 * len(asked.outcomes)  # on busy cores a host may seem gone that is not
    assert set(asked.phases) == {"both", "first killed", "first back", "second drains", "second back"}
    assert two.retried(both.log) > 0
    assert {line["hosts"] for line in lines(both.log)} > {f"127.0.0.1:{host.port}" for host in both.hosts}


def asked(*outcomes, seconds=0.1):
    return two.Asked("both", ["both"] * len(outcomes), list(outcomes), [seconds] * len(outcomes), [])


@pytest.mark.parametrize(
    ("found", "status", "good"),
    [
        (asked(two.ANSWERED), 0, True),
        (asked(two.ANSWERED), 1, False),
        (asked(two.ANSWERED, two.LOST), 0, False),
        (asked(two.ANSWERED, two.TOLD), 0, False),
        (asked(two.ANSWERED, seconds=9), 0, False),
    ],
)
def test_what_is_lost_or_late_is_reported(found, status, good):
    assert two.report(found, 1, status) == good


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (httpx.Response(200, json={"digit": 7}), two.ANSWERED),
        (httpx.Response(200, json={"predictions": [{"digit": 7}]}), two.ANSWERED),
        (httpx.Response(200, json={"digit": 1}), two.LOST),
        (httpx.Response(503, json=errors.OVERLOADED().body("1"), headers={"Retry-After": "1"}), two.TOLD),
        (httpx.Response(503, json=errors.OVERLOADED().body("1")), two.LOST),
        (httpx.Response(502, text="Bad Gateway"), two.LOST),
    ],
)
def test_only_a_right_answer_counts(response, outcome):
    assert two.outcome_of(response, 7) == outcome


def test_a_host_that_is_killed_leaves_no_worker_that_would_answer(both):
    host = both.hosts[0]
    host.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", host.port))
    host.start()
    host.await_ready()
