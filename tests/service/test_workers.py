"""Several workers, as `make serve WORKERS=2` starts them."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from pipeline import serve
from tests.service.server import Server, wait_until
from tests.service.test_restart import Load
from tests.toy_model import image

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def server(bento, tmp_path_factory):
    """The toy's Bento where a run leaves its own, served by two workers."""
    folder = tmp_path_factory.mktemp("project")
    packaged = shutil.copytree(bento, folder / serve.BENTO)
    (packaged / "src" / "card.json").write_text(json.dumps({"params": {"data.source": "toy-bands"}}))
    port = serve.free_port("127.0.0.1")
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.serve", "toy-bands"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), "PORT": str(port), "WORKERS": "2"},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, "127.0.0.1", port, log)
    try:
        wait_until(lambda: (server.is_ready() and initialized(server) == 2) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        serve.stop(process)


def workers(server):
    return psutil.Process(server.process.pid).children()


def initialized(server):
    """How many workers have begun to take connections, which they say when they have."""
    return server.log.read_text().count("Service inkwell initialized")


def counted(server):
    """Requests for pixels, by what the metrics say."""
    line = 'inkwell_request_seconds_count{endpoint="/predict_pixels",status="200"} '
    found = [text for text in httpx.get(f"{server.url}/metrics").text.splitlines() if text.startswith(line)]
    return sum(float(text.removeprefix(line)) for text in found)


@pytest.mark.slow
def test_both_answer_and_their_metrics_add_up(server):
    kept: list[http.client.HTTPConnection] = []
    held: list[set[int]] = [set(), set()]
    while len(kept) < 60 or (not all(held) and len(kept) < 600):  # a worker that is quicker takes many in a row
        number = len(kept)
        connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
        connection.request("POST", "/predict_pixels", image(number % 10).tobytes(), OCTETS)
        [answer] = json.loads(connection.getresponse().read())["predictions"]
        assert answer["digit"] == number % 10
        kept.append(connection)
        ours = {each.sock.getsockname()[1] for each in kept}
        held = [
            {other.raddr.port for other in worker.net_connections("tcp") if other.raddr} & ours
            for worker in workers(server)
        ]
    assert len(held) == 2
    assert all(held)
    assert not held[0] & held[1]
    wait_until(lambda: counted(server) == len(kept), 3)
    for connection in kept:
        connection.close()


@pytest.mark.slow
def test_one_that_is_killed_takes_nothing_with_it_but_what_it_had_in_hand(server):
    before = counted(server)
    first, second = workers(server)
    first.kill()
    first.wait(5)
    for number in range(20):
        answer = httpx.post(f"{server.url}/predict_pixels", content=image(number % 10).tobytes(), headers=OCTETS)
        assert answer.json()["predictions"][0]["digit"] == number % 10
    wait_until(lambda: counted(server) == before + 20, 3)
    wait_until(lambda: initialized(server) == 3 and len(workers(server)) == 2)
    assert second in workers(server)
    [model] = re.findall(r"^inkwell_model{.*} (.*)$", httpx.get(f"{server.url}/metrics").text, re.MULTILINE)
    assert float(model) == 1


@pytest.mark.slow
def test_sigterm_under_load_loses_no_accepted_request_and_no_line_of_the_log(server):
    logged = server.log.read_text().count('"/predict_pixels"')
    load = Load(server)
    wait_until(lambda: load.answered > 200)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 0
    load.wait()
    assert load.lost == []
    assert load.answered > 200
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if '"request"' in line]
    assert sum(line["path"] == "/predict_pixels" for line in lines) == logged + load.answered
