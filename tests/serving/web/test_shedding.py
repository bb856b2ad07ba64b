"""What is refused as it arrives, and what is not."""

import asyncio
import io
import json
from unittest.mock import Mock

import httptools
import pytest

from benchmarks.load import request
from serving.model.micro_batching import MicroBatcher
from serving.web import log
from serving.web.cors import Origins
from serving.web.limits import MAX_WAITING, BoundedPool
from serving.web.metrics import Metrics
from serving.web.shedding import Shedding

URL = "http://127.0.0.1:3000"
OCTETS = "application/octet-stream"
PIXELS = request(URL, "/predict_pixels", bytes(784), OCTETS)
PICTURE = request(URL, "/predict", b"\x89PNG" + bytes(3000), "image/png")
SEVERAL = request(URL, "/predict_pixels", bytes(2 * 784), OCTETS)
NUMBERS = request(URL, "/predict_pixels", json.dumps({"pixels": [[0] * 28] * 28}).encode(), "application/json")
SMALL = request(URL, "/predict", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x1c\0\0\0\x1c" + bytes(300), "image/png")


class Parsed:
    """An answer, as a client reads it."""

    def __init__(self, data):
        self.headers, self.body, self.complete = {}, b"", False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(data)
        self.status = parser.get_status_code()

    def on_header(self, name, value):
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.complete = True


@pytest.fixture
def shedding(monkeypatch):
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: Mock())  # in which no turn ends
    return Shedding(MicroBatcher(lambda pixels: []), BoundedPool(1), Metrics())


@pytest.fixture
def crowded(shedding, monkeypatch):
    """Too many wait for the network."""
    monkeypatch.setattr(MicroBatcher, "capacity", 0)
    return shedding


def test_where_there_is_room_nothing_is_refused(shedding):
    assert [shedding.refusal(data) for data in (PIXELS, PICTURE, SMALL)] == [None] * 3


def test_a_refusal_is_a_whole_answer_in_the_one_shape_with_an_id_of_its_own(crowded):
    first, second = (Parsed(crowded.refusal(data)) for data in (PIXELS, PICTURE))
    assert first.status == second.status == 503
    assert first.complete
    assert first.headers["retry-after"] == "1"
    assert first.headers["x-content-type-options"] == "nosniff"
    assert "connection" not in first.headers
    answer = json.loads(first.body)
    assert answer["error"]["code"] == "overloaded"
    assert answer["request_id"] == first.headers["x-request-id"] != second.headers["x-request-id"]


def test_while_pictures_wait_to_be_decoded_only_what_may_wait_with_them_is_refused(shedding, monkeypatch):
    monkeypatch.setattr(BoundedPool, "full", True)
    assert all(map(shedding.refusal, (PICTURE, SEVERAL)))
    assert [shedding.refusal(data) for data in (SMALL, PIXELS, NUMBERS)] == [None] * 3


@pytest.mark.parametrize(
    "data",
    [
        request(URL, "/livez"),
        request(URL, "/readyz"),
        request(URL, "/metrics"),
        request(URL, "/predict_pixel", bytes(784), OCTETS),
        request(URL, "/predict_pixels?a=b", bytes(784), OCTETS),
        PIXELS[:-1],
        PIXELS + b"P",
        PIXELS + PIXELS,
        PIXELS[:40],
        PIXELS.replace(b"Content-Length: 784\r\n", b"Transfer-Encoding: chunked\r\n"),
        PIXELS.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"),
        PIXELS.replace(b"\r\n\r\n", b"\r\ncontent-length: 9\r\n\r\n"),
        PIXELS.replace(b"HTTP/1.1", b"HTTP/1.0"),
        b"nonsense\r\n\r\n",
    ],
    ids=lambda data: repr(data[:90])[-40:],
)
def test_what_is_not_one_whole_request_for_an_answer_goes_the_long_way(crowded, data):
    assert crowded.refusal(data) is None


def test_what_is_refused_is_counted_and_logged(crowded, monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(log, "out", written)
    log.flush()
    written.truncate(0)
    answer = Parsed(crowded.refusal(PIXELS))
    log.flush()
    crowded._metrics.publish()
    value = crowded._metrics.registry.get_sample_value
    assert value("inkwell_errors_total", {"code": "overloaded"}) == 1
    assert value("inkwell_request_seconds_count", {"endpoint": "/predict_pixels", "status": "503"}) == 1
    line = json.loads(written.getvalue().splitlines()[-1].lstrip("\0"))
    assert (line["request_id"], line["status"]) == (answer.headers["x-request-id"], 503)


def test_who_was_let_in_and_does_not_wait_yet_takes_room():
    async def run():
        shedding = Shedding(MicroBatcher(lambda pixels: []), BoundedPool(1), Metrics())
        first = [shedding.refusal(PIXELS) for _ in range(MAX_WAITING + 5)]
        await asyncio.sleep(0)
        return first, shedding.refusal(PIXELS)

    at_once, next_turn = asyncio.run(run())
    assert [bool(refusal) for refusal in at_once] == [False] * MAX_WAITING + [True] * 5
    assert next_turn is None


@pytest.mark.parametrize(("origin", "told"), [("https://a.example", True), ("https://b.example", False), (None, False)])
def test_a_page_elsewhere_is_let_read_that_it_is_refused(monkeypatch, origin, told):
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: Mock())
    monkeypatch.setattr(MicroBatcher, "capacity", 0)
    origins = Origins(["https://a.example"])
    shedding = Shedding(MicroBatcher(lambda pixels: []), BoundedPool(1), Metrics(), origins)
    line, rest = PIXELS.split(b"\r\n", 1)
    asked = line + b"\r\n" + (f"Origin: {origin}\r\n".encode() if origin else b"") + rest
    answer = Parsed(shedding.refusal(asked))
    assert (answer.status, answer.complete) == (503, True)
    assert json.loads(answer.body)["error"]["code"] == "overloaded"
    assert answer.headers.get("access-control-allow-origin") == (origin if told else None)
    assert answer.headers["vary"] == "Origin"
