"""What the guard makes of an application's and a client's misbehaviour that HTTP tests can hardly provoke."""

import asyncio
import json

import pytest

from serving import guard
from serving.guard import Guard

BODY = {"type": "http.request", "body": b"", "more_body": False}


def call(app, messages=(BODY,)):
    """One request through the guard: status, headers and body of the answer, or None if there was none."""
    sent = []

    async def send(message):
        sent.append(message)

    async def run():
        queue: asyncio.Queue = asyncio.Queue()
        for message in messages:
            queue.put_nowait(message)
        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await Guard(app)(scope, queue.get, send)

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
    monkeypatch.setattr(guard, "BODY_DEADLINE_S", 0.05)
    monkeypatch.setattr(guard, "LINGER_S", 0.05)
    status, headers, body = call(answering(200), [BODY | {"more_body": True}])
    assert status == 408
    assert json.loads(body)["error"]["code"] == "body_too_slow"
    assert headers[b"connection"] == b"close"


def test_a_client_that_hangs_up_is_not_answered():
    assert call(crash, [BODY | {"more_body": True}, {"type": "http.disconnect"}]) is None


def test_the_body_arrives_whole():
    received = []

    async def app(scope, receive, send):
        received.append(await receive())
        await answering(200)(scope, receive, send)

    call(app, [BODY | {"body": b"ab", "more_body": True}, BODY | {"body": b"cd"}])
    assert received == [BODY | {"body": b"abcd"}]
