"""What the service says of itself: metrics and the log."""

import json
import re
import time
import uuid

import numpy as np
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service.server import wait_until
from tests.toy_model import image

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def count(client):
    """Gives a metric's value."""

    def value(name, /, **labels):
        samples = [
            sample.value
            for family in text_string_to_metric_families(client.get("/metrics").text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(samples)

    return value


def test_answers_abstentions_latencies_and_errors_are_counted(client, count):
    answered = [("inkwell_answers_total", {"digit": "7"}), ("inkwell_abstentions_total", {"reason": "blank"})]
    asked = [
        ("inkwell_request_seconds_count", {"endpoint": "/predict_pixels", "status": "200"}),
        ("inkwell_errors_total", {"code": "invalid_pixels"}),
        ("inkwell_confidence_count", {}),
    ]
    before = [count(name, **labels) for name, labels in answered + asked]
    client.post("/predict_pixels", content=image(7).tobytes() * 20 + bytes(784), headers=OCTETS)
    client.post("/predict_pixels", content=b"", headers=OCTETS)
    after = [count(name, **labels) for name, labels in answered + asked]
    assert np.subtract(after, before).tolist() == [20, 1, 1, 1, 21]
    model = client.get("/model").json()
    assert count("inkwell_model", name="toy", version=model["version"]) == 1


@pytest.mark.slow
def test_ten_thousand_unknown_paths_leave_no_trace_in_the_metrics_or_the_memory(server, client):
    def worker_bytes():
        return psutil.Process(server.worker().pid).memory_info().rss

    for _ in range(200):
        client.get(f"/{uuid.uuid4()}")
    size, memory = len(client.get("/metrics").content), worker_bytes()
    for _ in range(10_000):
        assert client.get(f"/{uuid.uuid4()}").status_code == 404
    began = time.perf_counter()
    metrics = client.get("/metrics")
    assert time.perf_counter() - began < 1
    assert len(metrics.content) - size < 500
    assert worker_bytes() - memory < 10e6


def log_lines(server, needle):
    """What the log says of `needle`, as soon as it says it."""

    def found():
        return [line for line in server.log.read_text().splitlines() if needle in line]

    wait_until(found, 5)
    return found()


def test_the_log_has_a_line_for_each_request_with_its_id_and_nothing_of_its_body(server, client):
    secret = b"a secret that stands in a picture"
    response = client.post("/predict", content=secret, files=None)
    [line] = log_lines(server, response.headers["x-request-id"])
    entry = json.loads(line)
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/predict", 415)
    assert entry["code"] == "unsupported_media_type"
    assert secret.decode() not in server.log.read_text()


def test_no_client_can_forge_a_line_of_the_log(server, client):
    mark = uuid.uuid4().hex
    forged = f"%0a%0d%e2%80%a8%1b[2J{mark} [INFO] all is well"
    client.get(f"/{forged}")
    client.get(f"/model?{forged}", headers={"User-Agent": mark, "X-Request-ID": mark})
    client.post("/predict", files={"image": (f"\u202e\n{mark}../../etc/passwd\0", b"x", f"image/{mark}")})
    assert log_lines(server, client.get("/model").headers["x-request-id"])
    lines = log_lines(server, mark)
    assert len(lines) == 1
    assert json.loads(lines[0])["path"].count(mark) == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u2028]", server.log.read_text())


def test_no_trace_of_an_error_goes_to_a_client(server, client):
    for body in (b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(10), b"II*\0" + b"\xff" * 40):
        text = client.post("/predict", content=body).text
        assert "Traceback" not in text
        assert ".py" not in text
