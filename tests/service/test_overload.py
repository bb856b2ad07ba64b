"""What the service does when it is asked for more than it can do."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image

from benchmarks import load
from benchmarks.pictures import encode
from serving.web.connection import HEADERS_DEADLINE_S
from serving.web.deadlines import ANSWER_DEADLINE_S
from tests.service.flood import insist
from tests.service.server import wait_until, watched_memory
from tests.toy_model import image

OCTETS = {"Content-Type": "application/octet-stream"}
MEGABYTES = 100

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def large():
    """A file of 25 megapixels, which takes long to read."""
    noise = np.random.default_rng(0).integers(0, 256, (625, 625), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.tile(noise, (8, 8))).save(buffer, "JPEG", quality=10)
    return buffer.getvalue()


def test_under_more_than_it_can_do_it_refuses_at_once_and_answers_the_others(server, large):
    def ask(_):
        began = time.perf_counter()
        with httpx.Client(base_url=server.url, timeout=60) as client:
            response = client.post("/predict", content=large, headers=OCTETS)
        return response.status_code, response.headers.get("retry-after"), time.perf_counter() - began

    with watched_memory(server) as memory, ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(ask, range(120)))
    refused = [answer for answer in answers if answer[0] == 503]
    assert {status for status, _, _ in answers} == {200, 503}
    assert {again for _, again, _ in refused} == {"1"}
    wait_until(server.is_ready, 5)
    assert httpx.post(f"{server.url}/predict_pixels", content=image(3).tobytes(), headers=OCTETS).status_code == 200
    assert memory.most - memory.idle < MEGABYTES * 1e6


def test_it_says_that_it_is_not_ready_while_it_turns_pictures_away(server):
    blank = encode(np.zeros((4000, 4000), np.uint8))  # small to send, slow to read
    done = threading.Event()

    def ask():
        with httpx.Client(base_url=server.url, timeout=60) as client:
            while not done.is_set():
                client.post("/predict", content=blank, headers=OCTETS)

    with ThreadPoolExecutor(20) as pool:
        for _ in range(20):
            pool.submit(ask)
        try:
            wait_until(lambda: not server.is_ready(), 10)
        finally:
            done.set()
    wait_until(server.is_ready, 5)


def test_large_bodies_without_pause_leave_time_for_some_of_them_and_for_small_requests(server):
    noise = np.random.default_rng(0).integers(0, 256, (1800, 1800, 3), np.uint8)
    message = load.request(server.url, "/predict", encode(noise), "image/png")
    waits = []
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=server.url, timeout=10) as client:
        flood = pool.submit(insist, server.url, message, 4)
        while not flood.done():
            response = client.post("/predict_pixels", content=image(3).tobytes(), headers=OCTETS)
            assert response.status_code == 200
            waits.append(response.elapsed.total_seconds())
            time.sleep(0.02)
    assert set(flood.result()) == {200, 503}
    assert flood.result()[200] > 2
    assert max(waits) < ANSWER_DEADLINE_S


def test_a_flood_of_small_requests_is_partly_refused_and_the_service_stays_alive(server):
    message = load.request(server.url, "/predict_pixels", image(3).tobytes(), OCTETS["Content-Type"])
    alive, ready = set(), set()
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=server.url, timeout=10) as client:
        flood = pool.submit(load.measure, server.url, message, 300, 3)
        while not flood.done():
            alive.add(client.get("/livez").status_code)
            ready.add(client.get("/readyz").status_code)
    found = flood.result()
    assert 0 < found.failed < found.total
    assert found.percentile(99) < ANSWER_DEADLINE_S * 1000
    assert alive == {200}
    assert ready <= {200, 503}
    wait_until(server.is_ready, 5)


def test_a_connection_on_which_everything_is_refused_is_not_hung_up_on_while_it_is_used(server):
    message = load.request(server.url, "/predict_pixels", image(3).tobytes(), OCTETS["Content-Type"])
    with ThreadPoolExecutor(1) as pool:
        flood = pool.submit(load.measure, server.url, message, 300, HEADERS_DEADLINE_S + 2)
        with httpx.Client(base_url=server.url, timeout=10) as client:
            connections = set()
            refused = 0
            while not flood.done():
                response = client.post("/predict_pixels", content=image(3).tobytes(), headers=OCTETS)
                connections.add(response.extensions["network_stream"].get_extra_info("client_addr"))
                refused += response.status_code == 503
    assert refused
    assert len(connections) == 1
