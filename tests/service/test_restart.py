"""A service that stops or is killed while it is asked."""

import http.client
import signal
import threading
import time

import httpx
import pytest

from serving.web.drain import DRAIN_S
from tests.service.server import serving, wait_until
from tests.toy_model import image

OCTETS = {"Content-Type": "application/octet-stream"}
CLIENTS = 8


class Load:
    """Clients that ask and ask until they are refused a connection."""

    def __init__(self, server):
        self.answered = 0
        self.lost = []
        self._server = server
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self):
        body = image(5).tobytes()
        connection = http.client.HTTPConnection(self._server.host, self._server.port, timeout=10)
        while True:
            try:
                if connection.sock is None:
                    connection.connect()
            except ConnectionRefusedError:
                return
            try:
                connection.request("POST", "/predict_pixels", body, OCTETS)
                response = connection.getresponse()
                answer = response.read()
                assert response.status == 200, answer
                self.answered += 1
            except Exception as error:
                self.lost.append(repr(error))
                connection.close()

    def wait(self):
        for thread in self._threads:
            thread.join()


@pytest.mark.slow
def test_sigterm_under_load_loses_no_accepted_request(bento, tmp_path):
    with serving(bento, tmp_path / "home") as server:
        load = Load(server)
        wait_until(lambda: load.answered > 200)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not server.is_ready(), DRAIN_S / 2)
        assert server.process.wait(10) == 0
        load.wait()
    assert load.lost == []
    assert load.answered > 200
    assert server.log.read_text().count('"/predict_pixels"') == load.answered


@pytest.mark.slow
def test_a_killed_worker_is_back_within_five_seconds(bento, tmp_path):
    with serving(bento, tmp_path / "home") as server:
        first = server.worker()
        first.kill()
        began = time.monotonic()
        first.wait(5)
        wait_until(server.is_ready)
        answer = httpx.post(f"{server.url}/predict_pixels", content=image(5).tobytes(), headers=OCTETS)
        assert time.monotonic() - began < 5
        assert answer.json()["predictions"][0]["digit"] == 5
        assert server.worker().pid != first.pid
