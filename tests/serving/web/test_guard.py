"""What the guard makes of an application's and a client's misbehaviour that HTTP tests can hardly provoke."""

import asyncio
import json
import sys

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from serving.contract import MAX_BODY_BYTES
from serving.web import deadlines, error_shape
from serving.web.bodies import SMALL_BODY_BYTES
from serving.web.drain import Drain
from serving.web.guard import guarded
from serving.web.keys import Keys
from serving.web.limits import BoundedPool
from serving.web.log import logger
from serving.web.metrics import Metrics

BODY = {"type": "http.request", "body": b"", "more_body": False}


@pytest.fixture(autouse=True)
def log(monkeypatch):
    """The service's log goes where pytest sees it."""
    monkeypatch.setattr(logger, "propagate", True)


def around_app(app, keys=None, drain=None, origins=None, concurrency=None):
    route = Route("/", app, methods=["POST"])
    route.app = app
    around = Starlette(routes=[route])
    around.state.drain, around.state.metrics, around.state.decoders = drain or Drain(), Metrics(), BoundedPool(1)
    return guarded(around, answering(404), keys or Keys(), origins, concurrency)


def call(app, messages=(BODY,), around=around_app, headers=()):
    """One request through the guard: status, headers and body of the answer, or None if there was none."""
    sent = []

    async def send(message):
        sent.append(message)

    async def run():
        queue: asyncio.Queue = asyncio.Queue()
        for message in messages:
            queue.put_nowait(message)
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [*headers]}
        await around(app)(scope, queue.get, send)

    asyncio.run(run())
    if not sent:
        return None
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body


def answering(status, body=b"plain text"):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": body})

    return app


def test_a_good_answer_passes_and_gets_the_requests_id():
    status, headers, body = call(answering(200))
    assert (status, body) == (200, b"plain text")
    assert headers[b"x-request-id"]


@pytest.mark.parametrize(("given", "status"), [(429, 429), (503, 503), (504, 503)])
def test_overload_says_when_to_come_back(given, status):
    got, headers, body = call(answering(given))
    assert got == status
    assert headers[b"retry-after"] == b"1"
    assert json.loads(body)["error"]["code"] == "overloaded"


async def crash(scope, receive, send):
    raise RuntimeError("a secret of the inside")


def test_a_crash_is_a_500_that_tells_nothing(caplog):
    status, headers, body = call(crash)
    assert status == 500
    answer = json.loads(body)
    assert answer["error"]["code"] == "internal"
    assert "secret" not in body.decode()
    assert answer["request_id"] == headers[b"x-request-id"].decode()
    assert answer["request_id"] in caplog.text


def test_a_body_that_does_not_come_is_408(monkeypatch):
    monkeypatch.setattr(deadlines, "BODY_DEADLINE_S", 0.05)
    monkeypatch.setattr(error_shape, "LINGER_S", 0.05)
    status, headers, body = call(answering(200), [BODY | {"more_body": True}])
    assert status == 408
    assert json.loads(body)["error"]["code"] == "body_too_slow"
    assert headers[b"connection"] == b"close"


def test_while_too_many_pictures_wait_a_large_body_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(BoundedPool, "full", True)
    monkeypatch.setattr(error_shape, "LINGER_S", 0.05)
    status, headers, _ = call(crash, [], headers=[(b"content-length", b"%d" % (SMALL_BODY_BYTES + 1))])
    assert (status, headers[b"connection"]) == (503, b"close")
    assert call(answering(200), headers=[(b"content-length", b"%d" % SMALL_BODY_BYTES)])[0] == 200
    assert call(crash, [], headers=[(b"content-length", b"%d" % (MAX_BODY_BYTES + 1))])[0] == 413


def test_a_client_that_hangs_up_is_not_answered():
    assert call(crash, [BODY | {"more_body": True}, {"type": "http.disconnect"}]) is None


def test_the_body_is_kept_by_nobody_but_the_one_who_was_given_it():
    keepers = []

    async def app(scope, receive, send):
        body = (await receive())["body"]
        keepers.append(sys.getrefcount(body) - 1)  # which itself is given it
        await answering(200)(scope, receive, send)

    call(app, [BODY | {"body": bytes(50_000), "more_body": True}, BODY | {"body": bytes(50_000)}])
    assert keepers == [1]


def test_the_body_arrives_whole():
    received = []

    async def app(scope, receive, send):
        received.append(await receive())
        await answering(200)(scope, receive, send)

    call(app, [BODY | {"body": b"ab", "more_body": True}, BODY | {"body": b"cd"}])
    assert received == [BODY | {"body": b"abcd"}]


def test_an_answer_that_takes_too_long_is_503(monkeypatch):
    monkeypatch.setattr(deadlines, "ANSWER_DEADLINE_S", 0.05)

    async def never(scope, receive, send):
        await asyncio.sleep(5)

    status, headers, _ = call(never)
    assert status == 503
    assert headers[b"retry-after"]


def test_a_client_that_does_not_take_its_answer_does_not_keep_it_for_ever(monkeypatch):
    monkeypatch.setattr(deadlines, "ANSWER_DEADLINE_S", 0.05)

    async def stuck(scope, receive, send):
        await answering(200)(scope, receive, send)
        await asyncio.sleep(5)

    assert call(stuck)[0] == 200


def test_while_it_leaves_it_asks_clients_to_go():
    def leaving(app):
        drain = Drain()
        drain.begun = True
        return around_app(app, drain=drain)

    assert b"connection" not in call(answering(200))[1]
    assert call(answering(200), around=leaving)[1][b"connection"] == b"close"


def test_every_answer_has_the_security_headers():
    for app in (answering(200), answering(404), crash):
        headers = call(app)[1]
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert b"default-src 'none'" in headers[b"content-security-policy"]
        assert b"access-control-allow-origin" not in headers


def test_without_a_key_there_is_no_answer():
    keys = Keys.from_environment({"INKWELL_API_KEYS": "a-key-of-some-length"})
    status, headers, body = call(answering(200), around=lambda app: around_app(app, keys))
    assert status == 401
    assert headers[b"www-authenticate"].startswith(b"Basic")
    assert json.loads(body)["error"]["code"] == "unauthorized"
