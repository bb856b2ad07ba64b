"""An offer to go on in another protocol is passed over, whatever is offered and however the bytes arrive."""

import asyncio
import itertools
import re

import numpy as np
import pytest
import uvicorn

from serving.web.connection import Connection

OFFERS = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    b"Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    b"upgrade: TLS/1.2, h2c\r\nconnection: keep-alive, Upgrade\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: nonsense\r\nExpect: 100-continue\r\n",
    b"Upgrade: h2c\r\n",
    b"",
)


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self):
        super().__init__()
        self.written = b""
        self.closing = False

    def get_extra_info(self, name, default=None):
        return default

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True

    abort = close

    def write(self, data):
        self.written += data

    def pause_reading(self): ...

    def resume_reading(self): ...


async def echo(scope, receive, send):
    """Answers with the method, the path and the body."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    told = scope["method"].encode() + b" " + scope["path"].encode() + b" " + body
    length = b"%d" % len(told)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": told})


def answers(pieces, monkeypatch):
    """The bodies of the answers to what arrives in these pieces, and what was written in all."""
    monkeypatch.setattr(Connection, "shed", staticmethod(lambda data: None), raising=False)

    async def run():
        config = uvicorn.Config(echo, http=Connection, lifespan="off", log_config=None)
        transport = Transport()
        connection = Connection(config, uvicorn.server.ServerState(), {})
        connection.connection_made(transport)
        for piece in pieces:
            if not transport.closing:
                connection.data_received(piece)
        async with asyncio.timeout(20):
            while not transport.closing and connection.cycle and not connection._is_idle:
                await asyncio.sleep(0)
        connection.connection_lost(None)
        return transport.written

    written = asyncio.run(run())
    return re.findall(rb"HTTP/1.1 200 OK\r\n.*?\r\n\r\n((?:POST|GET) /\w* [a-z]*)", written, re.DOTALL), written


def cut(data, random):
    """Bytes in up to eight pieces."""
    places = sorted({0, len(data), *random.integers(0, len(data), random.integers(0, 8)).tolist()})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@pytest.mark.parametrize("seed", range(20))
def test_requests_with_offers_are_answered_as_those_without(monkeypatch, seed):
    random = np.random.default_rng(seed)
    sent, expected = b"", []
    for _ in range(random.integers(1, 5)):
        path = b"/" + bytes(random.integers(97, 123, 5).tolist())
        body = bytes(random.integers(97, 123, random.integers(1, 3000)).tolist())
        head = b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + OFFERS[random.integers(len(OFFERS))]
        if random.integers(2):
            half = len(body) // 2 + 1
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part)
            sent += head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        else:
            sent += head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        expected.append(b"POST " + path + b" " + body)
    sent += b"GET /last HTTP/1.1\r\nHost: x\r\n" + OFFERS[random.integers(len(OFFERS))] + b"\r\n"
    assert answers(cut(sent, random), monkeypatch)[0] == [*expected, b"GET /last "]


def test_a_thousand_offers_at_once_are_passed_over(monkeypatch):
    request = b"GET /a HTTP/1.1\r\n" + OFFERS[0] + b"\r\n"
    assert answers([request * 1000], monkeypatch)[0] == [b"GET /a "] * 1000


def test_a_body_that_is_broken_after_an_offer_is_refused(monkeypatch):
    head = b"POST /a HTTP/1.1\r\n" + OFFERS[0] + b"Transfer-Encoding: chunked\r\n\r\n"
    done, written = answers([head + b"nonsense\r\n"], monkeypatch)
    assert not done
    assert written.startswith(b"HTTP/1.1 400")


def test_a_tunnel_is_refused_and_nothing_in_it_is_taken_for_a_request(monkeypatch):
    inside = b"GET /inside HTTP/1.1\r\n\r\n"
    done, written = answers([b"CONNECT /a HTTP/1.1\r\n\r\n" + inside, inside], monkeypatch)
    assert not done
    assert written.count(b"HTTP/1.1 ") == 1
    assert written.startswith(b"HTTP/1.1 400")
