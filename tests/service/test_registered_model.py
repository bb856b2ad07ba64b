"""The registered model answers as the service does, wherever MLflow loads it."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from pipeline.tracking import exports, pyfunc
from tests import toy_model


@pytest.fixture(scope="module")
def saved(bento, tmp_path_factory):
    """The model of the service that is running, as it is registered."""
    folder = tmp_path_factory.mktemp("registered") / "model"
    [path] = bento.rglob("src/model.onnx")
    exports.save(folder, path)
    return folder


@pytest.fixture(scope="module")
def model(saved):
    return mlflow.pyfunc.load_model(str(saved))


@pytest.fixture
def images():
    """uint8 [N, 28, 28]: bands that the toy knows, bright, faint, dark on light or small; noise; blots; two; blank."""
    rng = np.random.default_rng()
    bands = [toy_model.image(int(digit), int(rng.integers(40, 256))) for digit in rng.integers(0, 10, 12)]
    small = [np.pad(band[::2, ::2], ((3, 11), (left := int(rng.integers(1, 13)), 14 - left))) for band in bands[:4]]
    noise = list(rng.integers(0, 256, (2, 28, 28)))
    digits = [ndimage.gaussian_filter(rng.integers(0, 2, (28, 28)) * 255.0, 2) for _ in range(3)]
    two = np.zeros((28, 28))
    two[4:24, [6, 7, 20, 21]] = 255
    all_of_them = [*bands, *(255 - band for band in bands[:4]), *small, *noise, *digits, two, np.zeros((28, 28))]
    return rng.permutation(np.stack(all_of_them).astype(np.uint8))


def as_served(answers):
    return pd.DataFrame({name: pd.Series([one[name] for one in answers], dtype=object) for name in pyfunc.COLUMNS})


def test_it_answers_as_the_service_does(client, model, images):
    octets = {"Content-Type": "application/octet-stream"}
    served = as_served(client.post("/predict_pixels", content=images.tobytes(), headers=octets).json()["predictions"])
    assert len(set(served["reason"])) > 2, "the images are of several kinds"
    answered = model.predict(images)
    assert {name: kind.name for name, kind in answered.dtypes.items()} == {
        name: np.dtype(kind).name for name, kind in pyfunc.COLUMNS.items()
    }
    pd.testing.assert_frame_equal(answered.astype(object), served)


def test_types_shapes_and_scales_are_all_one(model, images):
    expected = model.predict(images)
    flat = images.reshape(len(images), -1)
    given = (flat, images.astype(float), flat.astype(np.float32), images.tolist(), pd.DataFrame(flat))
    cells = (
        pd.DataFrame({"pixels": list(flat)}),
        pd.DataFrame({"pixels": [np.array([*one, None], object)[:-1] for one in images]}),
    )
    for one in (*given, *cells):
        pd.testing.assert_frame_equal(model.predict(one), expected)
    pd.testing.assert_frame_equal(model.predict(images / 255, params={"scale": "0-1"}), expected)
    assert expected["digit"].astype(float).isna().equals(expected["abstained"]), "as Spark casts it"


@pytest.mark.parametrize(
    ("given", "params", "said"),
    [
        (np.full((2, 28, 28), 0.5), None, "say which scale is meant"),
        (np.full((2, 28, 28), 2.0), {"scale": "0-1"}, "lie in 0..1"),
        (np.full((2, 28, 28), 256.0), None, r"lie in 0\.\.255"),
        (np.full((2, 784), np.nan), None, "must be finite"),
        (np.zeros((2, 27, 28)), None, r"\[2, 27, 28\]; expected \[N, 28, 28\] or \[N, 784\]"),
        (np.zeros((28, 28), np.uint8), None, r"\[28, 28\]; expected"),
        (np.zeros((2, 784), np.uint8), {"scale": "0-2"}, "0-255"),
        ([["a"] * 784], None, "no numbers"),
    ],
)
def test_what_the_service_would_refuse_is_refused(model, given, params, said):
    with pytest.raises(mlflow.MlflowException, match=said):
        model.predict(given, params)


def test_nothing_is_pickled(saved):
    assert not list(saved.rglob("*.pkl"))
    assert "python_model:" not in (saved / "MLmodel").read_text()
    assert not list(saved.rglob("__pycache__"))


@pytest.mark.slow
def test_mlflow_serves_it_with_the_code_that_travels(saved, model, images, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = f"models serve --model-uri {saved} --env-manager local --host 127.0.0.1 --port {port}"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command.split()], cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            deadline = time.monotonic() + 90
            while not is_up(client):
                assert server.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.2)
            for body in (
                {"inputs": images.tolist()},
                {"instances": images.reshape(len(images), -1).tolist()},
                {"inputs": (images / 255).tolist(), "params": {"scale": "0-1"}},
            ):
                answer = client.post("/invocations", json=body)
                assert answer.status_code == 200, answer.text
                expected = model.predict(images)
                pd.testing.assert_frame_equal(as_served(answer.json()["predictions"]), expected.astype(object))
            assert client.post("/invocations", json={"inputs": [[0.5] * 784]}).status_code == 400
    finally:
        server.terminate()
        server.wait(20)


def is_up(client):
    try:
        return client.get("/ping").status_code == 200
    except httpx.TransportError:
        return False
