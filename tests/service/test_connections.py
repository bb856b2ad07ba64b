"""Connections that say nothing, say it slowly, or say what is no HTTP."""

import contextlib
import json
import socket
import subprocess
import time

import pytest
from PIL import Image

from serving.contract import BODY_DEADLINE_S, MAX_HEADER_BYTES
from serving.web.connection import HEADERS_DEADLINE_S, MAX_CONNECTIONS, UNREAD_DEADLINE_S
from tests.service.server import wait_until
from tests.toy_model import image

LINE = b"POST /predict_pixels HTTP/1.1\r\n"
HOST = b"Host: x\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "malformed_http"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), 400, "malformed_http"),  # TLS
        (b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n", 400, "malformed_http"),
        (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 400, "malformed_http"),
        (LINE + HOST + b"Content-Length: -1\r\n\r\n", 400, "malformed_http"),
        (LINE + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400, "malformed_http"),
        (LINE + HOST + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "malformed_http"),
        (LINE + HOST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "malformed_http"),
        (LINE + HOST + b"Bad Header: x\r\n\r\n", 400, "malformed_http"),
        (LINE + HOST + b"Split: a\r\n b\r\n\r\n", 400, "malformed_http"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 400, "malformed_http"),
        (LINE + b"Long: " + b"a" * 4 * MAX_HEADER_BYTES, 431, "headers_too_large"),
        (LINE + b"A: b\r\n" * MAX_HEADER_BYTES, 431, "headers_too_large"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else None,
)
def test_what_is_no_request_is_refused_in_the_one_shape(server, request_bytes, status, code):
    got, headers, body = server.exchange(request_bytes)
    assert (got, json.loads(body)["error"]["code"]) == (status, code)
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    assert json.loads(body)["request_id"] == headers["x-request-id"]


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_an_upgrade_is_not_taken_and_the_body_is_read(server, protocol):
    offer = (
        HOST + f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABk\r\n".encode()
    )
    assert server.exchange(b"GET /model HTTP/1.1\r\n" + offer + b"\r\n")[0] == 200
    pixels = b"Content-Type: application/octet-stream\r\nContent-Length: 784\r\n\r\n" + image(6).tobytes()
    status, _, body = server.exchange(LINE + offer + pixels)
    assert (status, json.loads(body)["predictions"][0]["digit"]) == (200, 6)


@pytest.mark.parametrize("how", ["--form", "--data-binary"])
def test_curl_that_offers_http2_is_answered(server, tmp_path, how):
    Image.fromarray(image(6)).save(tmp_path / "six.png")
    what = ["image=@six.png"] if how == "--form" else ["@six.png", "--header", "Content-Type: image/png"]
    command = ["curl", "-sS", "--http2", how, *what, f"{server.url}/predict"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    assert json.loads(answer)["digit"] == 6


def test_who_has_said_all_still_gets_all_the_answers(server):
    pixels = b"Content-Type: application/octet-stream\r\nContent-Length: 784\r\n\r\n" + bytes(784)
    with server.connect() as connection:
        connection.sendall((LINE + HOST + pixels) * 2)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_who_says_nothing_or_not_enough_is_hung_up_on(server):
    done = b"GET /model HTTP/1.1\r\n" + HOST + b"\r\n"
    began = time.monotonic()
    silent, half, idle, second_half = (server.connect() for _ in range(4))
    half.sendall(LINE + HOST)
    idle.sendall(done)
    second_half.sendall(done + done[:20])
    slow = server.connect()
    for byte in LINE[:20]:
        slow.send(bytes([byte]))
        time.sleep(0.05)
    for connection in (silent, half, idle, second_half, slow):
        connection.settimeout(HEADERS_DEADLINE_S + 5)
        while connection.recv(65536):
            pass
        connection.close()
    assert HEADERS_DEADLINE_S - 1 < time.monotonic() - began < HEADERS_DEADLINE_S + 4


@pytest.mark.slow
def test_a_body_that_trickles_is_given_up(server):
    connection = server.connect()
    began = time.monotonic()
    connection.sendall(LINE + HOST + b"Content-Length: 784\r\n\r\n")
    connection.settimeout(1)
    answer = b""
    while not answer:
        assert time.monotonic() - began < BODY_DEADLINE_S + 4
        connection.sendall(b"\0")
        with contextlib.suppress(TimeoutError):
            answer = connection.recv(65536)
    assert time.monotonic() - began > BODY_DEADLINE_S - 1
    assert answer.startswith(b"HTTP/1.1 408")
    connection.settimeout(5)
    while connection.recv(65536):
        pass
    connection.close()


@pytest.mark.slow
def test_who_never_reads_holds_up_nobody_and_is_hung_up_on(server, client):
    path = "/page/style.css"
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect((server.host, server.port))
    place = deaf.getsockname()[1]

    def held():
        return place in {other.raddr.port for other in server.worker().net_connections("tcp") if other.raddr}

    began = time.monotonic()
    deaf.sendall((f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n") * 2000)  # more than the kernel would buffer
    assert client.get(path).elapsed.total_seconds() < UNREAD_DEADLINE_S / 2
    wait_until(lambda: not held(), UNREAD_DEADLINE_S + 5)
    assert time.monotonic() - began > UNREAD_DEADLINE_S - 1
    deaf.close()


def test_beyond_so_many_connections_the_next_is_told_to_come_back(server):
    opened: list[socket.socket] = []
    try:
        while len(opened) <= MAX_CONNECTIONS + 20:
            opened.append(server.connect())
        last = opened[-1]
        answer = last.recv(65536)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in answer
        assert b'"code":"overloaded"' in answer
    finally:
        for connection in opened:
            connection.close()
    wait_until(server.is_ready, 5)
