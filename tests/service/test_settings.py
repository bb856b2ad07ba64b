"""BentoML's settings that users need, and BentoML's own clients."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bentoml
import httpx
import numpy as np
import pytest
from bentoml.exceptions import BentoMLException
from PIL import Image

from tests import toy_model
from tests.service.server import serving, start
from tests.service.test_start import refusal

ORIGIN = "https://ours.example"
OPTIONS = "services.inkwell.traffic.max_concurrency=1 services.inkwell.http.cors.enabled=true"
CORS = f'services.inkwell.http.cors.access_control_allow_origins="{ORIGIN}"'


@pytest.fixture
def seven(tmp_path):
    path = tmp_path / "seven.png"
    Image.fromarray(toy_model.image(7)).save(path)
    return path


def test_bentomls_client_asks_as_its_documentation_says(url, seven):
    with bentoml.SyncHTTPClient(url) as client:
        assert client.is_ready()
        assert client.predict(image=seven)["digit"] == 7
        assert client.predict(image=str(seven))["digit"] == 7
        with Image.open(seven) as opened:
            assert client.predict(image=opened)["digit"] == 7
        image = toy_model.image(7)
        assert client.predict_pixels(pixels=image)["digit"] == 7
        assert client.predict_pixels(pixels=image.tolist(), scale="0-255")["digit"] == 7
        assert client.predict_pixels(pixels=image / 255, scale="0-1")["digit"] == 7
        assert len(client.predict_pixels(batch=np.stack([image] * 3))["predictions"]) == 3
        assert client.explain(image=seven)["answer"]["digit"] == 7
        with pytest.raises(BentoMLException, match="28 rows of 28"):
            client.predict_pixels(pixels=image.ravel())


def test_bentomls_asynchronous_client_does_too(url, seven):
    async def ask():
        async with bentoml.AsyncHTTPClient(url) as client:
            return await client.predict(image=Path(seven))

    assert asyncio.run(ask())["digit"] == 7


@pytest.mark.slow
def test_max_concurrency_and_the_list_of_origins_hold_for_our_endpoints(bento, tmp_path, seven):
    with serving(bento, tmp_path / "home", BENTOML_CONFIG_OPTIONS=f"{OPTIONS} {CORS}") as server:
        data = seven.read_bytes()

        def ask(_):
            headers = {"Content-Type": "image/png", "Origin": ORIGIN}
            return httpx.post(f"{server.url}/explain", content=data, headers=headers, timeout=20)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(24)))
        assert {answer.status_code for answer in answers} == {200, 429}
        for answer in answers:
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            if answer.status_code == 429:
                assert answer.headers["retry-after"] == "1"
                assert answer.json()["error"]["code"] == "overloaded"


def test_origins_that_are_none_are_refused_before_the_start(bento, tmp_path):
    with start(bento, tmp_path / "home", INKWELL_CORS_ORIGINS="ours.example") as server:
        text = refusal(server)
    assert "'ours.example' is no origin" in text
    assert "Traceback" not in text
