"""Thousands of damaged files and damaged requests, the same ones each time: none is our mistake, none hangs."""

import io
import json
import socket
import time

import numpy as np
import pytest
from PIL import Image

from tests.toy_model import image

COUNT = 2000
LONGEST_S = 1.0
BAD_FILE = {200, 400, 413, 415, 422}
BAD_REQUEST = BAD_FILE | {401, 404, 405, 408, 431}

pytestmark = pytest.mark.slow


def files():
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"):
        for mode in ("L", "RGB", "P"):
            buffer = io.BytesIO()
            picture = Image.fromarray(image(5)).convert(mode)
            (picture.convert("RGB") if kind == "JPEG" else picture).save(buffer, kind)
            yield buffer.getvalue()


def requests():
    pixels = json.dumps({"pixels": image(3).tolist()}).encode()
    form = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n' + next(files()) + b"\r\n--b--\r\n"
    )
    for path, kind, body in (
        (b"/predict_pixels", b"application/octet-stream", image(3).tobytes()),
        (b"/predict_pixels", b"application/json", pixels),
        (b"/predict_prepared", b"application/octet-stream", image(3).tobytes()),
        (b"/predict", b"image/png", next(files())),
        (b"/predict", b"multipart/form-data; boundary=b", form),
    ):
        length = str(len(body)).encode()
        head = b"Host: x\r\nContent-Type: " + kind + b"\r\nContent-Length: " + length + b"\r\nConnection: close\r\n\r\n"
        yield b"POST " + path + b" HTTP/1.1\r\n" + head + body


def mutate(random, data, others):
    """Flip, cut, double, insert, or exchange parts of `data`."""
    mutated = bytearray(data)
    for _ in range(random.integers(1, 5)):
        start, end = sorted(int(place) for place in random.integers(0, len(mutated) + 1, 2))
        end = min(end, start + 40)
        other = others[random.integers(len(others))]
        kind = random.integers(6)
        if kind == 0 and end > start:
            mutated[start] ^= 1 << int(random.integers(8))
        elif kind == 1:
            mutated[start:end] = random.integers(0, 256, end - start, np.uint8).tobytes()
        elif kind == 2:
            del mutated[start:end]
        elif kind == 3:
            mutated[start:start] = mutated[start:end] * int(random.integers(1, 50))
        elif kind == 4:
            mutated[start:start] = (b"\0", b"\xff" * 8, b"\r\n", b"-1", b"1e999", b"{" * 500, b"%00")[
                random.integers(7)
            ]
        else:
            mutated[start:] = other[start:]
    return bytes(mutated)


def test_damaged_files(client):
    random = np.random.default_rng(0)
    whole = list(files())
    for number in range(COUNT):
        damaged = mutate(random, whole[number % len(whole)], whole)
        began = time.perf_counter()
        response = client.post("/predict", content=damaged, headers={"Content-Type": "image/png"})
        took = time.perf_counter() - began
        assert response.status_code in BAD_FILE, (number, response.text)
        assert took < LONGEST_S, (number, took)


def answer_to(server, request):
    """The status of the answer to the bytes of a request that end where they end, or None if there is none."""
    with server.connect() as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return int(answer.split(maxsplit=2)[1]) if answer else None


def test_damaged_requests(server):
    random = np.random.default_rng(1)
    whole = list(requests())
    statuses = set()
    for number in range(COUNT):
        damaged = mutate(random, whole[number % len(whole)], whole)
        began = time.perf_counter()
        status = answer_to(server, damaged)
        took = time.perf_counter() - began
        statuses.add(status)
        assert status is None or status in BAD_REQUEST, (number, status)
        assert took < LONGEST_S, (number, took)
    assert {200, 400, 404, 415, 422} <= statuses
