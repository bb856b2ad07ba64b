"""What the service must never do, over real HTTP."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.toy_model import image


@pytest.fixture
def listener():
    """A socket on which nobody should ever call: gives its URL and the list of those who did."""
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def listen():
            while not stop.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                connection.close()
                calls.append(address)

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/digit.png", calls
        stop.set()
        thread.join()


def test_no_url_is_ever_fetched(client, listener):
    target, calls = listener
    raw = {"data": {"image": target}}, {"content": target}, {"json": {"image": target}}, {"json": {"pixels": target}}
    form = {"files": {"image": (None, target)}}, {"files": {"image": ("x.png", target.encode(), "text/uri-list")}}

    def ask(request):
        path, body = request
        return client.post(path, **body).status_code

    with ThreadPoolExecutor(16) as pool:
        paths = ("/predict", "/predict_pixels", "/predict_prepared", "/explain")
        requests = [(path, body) for path in paths for body in (*raw, *form)] * 10
        statuses = set(pool.map(ask, requests))
    assert statuses <= {400, 415, 422}
    assert calls == []


def test_a_client_that_hangs_up_does_no_harm(url):
    host, port = url.removeprefix("http://").split(":")
    request = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nabc"
    for half in (b"", request[:20], request):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(half)
    assert httpx.get(f"{url}/readyz").status_code == 200


def test_many_requests_at_once_each_get_their_own_answer(client):
    def ask(digit):
        octets = {"Content-Type": "application/octet-stream"}
        response = client.post("/predict_pixels", content=image(digit).tobytes(), headers=octets)
        return response.json()["predictions"][0]["digit"]

    digits = list(range(10)) * 10
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(ask, digits)) == digits
