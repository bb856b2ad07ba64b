"""What large pictures cost the service, over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import numpy as np
import pytest

from benchmarks import load
from benchmarks import memory as bench
from benchmarks.pictures import encode
from tests.service.flood import insist
from tests.service.server import serving, wait_until, watched_memory
from tests.service.test_contract import error_of

KEPT = 20  # megabytes that may stay, of which most is the allocator's
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def server(bento, tmp_path_factory):
    """A service of these tests' own, whose memory no other test has moved."""
    with serving(bento, tmp_path_factory.mktemp("large")) as server:
        httpx.post(f"{server.url}/predict", content=bench.FORMS["JPEG RGB"](2000), headers=OCTETS)
        yield server


@contextmanager
def within_the_bar(server):
    with watched_memory(server) as memory:
        yield
    print(f"{(memory.most - memory.idle) / 1e6:.0f} MB at most, {(memory.last - memory.idle) / 1e6:.0f} at last")
    assert memory.most - memory.idle < bench.BAR * 1e6
    assert memory.last - memory.idle < KEPT * 1e6


LARGEST = ["PNG RGBA", "PNG interlaced, RGB", "JPEG progressive RGB", "WebP lossless", "GIF", "BMP 1", "TIFF F"]


@pytest.mark.parametrize("form", LARGEST)
def test_two_at_once_are_answered(server, form):
    data = bench.FORMS[form](bench.largest(form))

    def ask(_):
        return httpx.post(f"{server.url}/predict", content=data, headers=OCTETS, timeout=20).status_code

    with within_the_bar(server), ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, range(2))) == [200, 200]


@pytest.mark.parametrize("form", ["WebP", "PNG of 16 bits, RGB", "JPEG progressive CMYK", "TIFF RGB", "TIFF F"])
def test_what_would_take_too_much_is_refused_before_it_is_decoded(server, form):
    data = bench.FORMS[form](bench.largest(form) + 8)
    with within_the_bar(server):
        for path in ("/predict", "/explain"):
            response = httpx.post(f"{server.url}{path}", content=data, headers=OCTETS, timeout=20)
            error_of(response, 413, "image_too_large")
            assert "make it smaller" in response.json()["error"]["message"]
            assert response.elapsed.total_seconds() < 1


@pytest.mark.slow
@pytest.mark.parametrize("form", [False, True])
def test_large_pictures_without_pause(server, form):
    noise = np.random.default_rng(0).integers(0, 256, (1700, 1700, 3), np.uint8)
    data = encode(np.pad(noise, ((0, 2300), (0, 2300), (0, 0))))
    assert 8e6 < len(data) < 10e6
    kind = "image/png"
    if form:
        kind = "multipart/form-data; boundary=b"
        data = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + data + b"\r\n--b--\r\n"
    with within_the_bar(server):
        statuses = insist(server.url, load.request(server.url, "/predict", data, kind), 8)
    print(statuses)
    assert set(statuses) == {200, 503}
    assert statuses[200] > 2
    wait_until(server.is_ready, 5)
