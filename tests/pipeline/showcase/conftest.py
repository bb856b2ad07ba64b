"""Small networks that were never trained, made ready to be served as a champion is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.artifact import novelty
from pipeline.artifact.calibrate import Thresholds
from pipeline.artifact.quantise import quantised
from pipeline.artifact.to_onnx import labelled, observe, to_onnx
from pipeline.params import load
from pipeline.showcase.dreams import drawings
from serving.model.recogniser import Recogniser

SMALL: dict[str, dict[str, Any]] = {"perceptron": {}, "mlp": {"hidden": [32, 24]}, "convnet": {"width": 4}}
TEMPERATURE = 1.7


@dataclass
class Champion:
    """network: in torch, as trained; folder: with model.onnx and run.json; images: that it was made ready by."""

    name: str
    network: nn.Module
    folder: Path
    images: np.ndarray

    @property
    def content(self) -> bytes:
        return (self.folder / "model.onnx").read_bytes()

    @property
    def run(self) -> dict[str, Any]:
        return json.loads((self.folder / "run.json").read_text())

    @property
    def recogniser(self) -> Recogniser:
        return Recogniser(self.folder / "model.onnx")


@pytest.fixture(scope="session")
def champions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Champion]:
    return {name: ready(name, tmp_path_factory.mktemp(name)) for name in SMALL}


@pytest.fixture(scope="session", params=SMALL)
def champion(request: pytest.FixtureRequest, champions: dict[str, Champion]) -> Champion:
    return champions[request.param]


@pytest.fixture(scope="session")
def convnet(champions: dict[str, Champion]) -> Champion:
    return champions["convnet"]


def ready(name: str, folder: Path) -> Champion:
    torch.manual_seed(0)
    config = load(f"networks.{name}").model_copy(update=SMALL[name])
    network = config.build()
    images = digits(200)
    network(torch.randn(64, 1, 28, 28))  # for batch norm's means
    network.eval().requires_grad_(False)
    features = observe(network, images)[1]
    distance = novelty.fit(features, np.arange(200) % 10, None)
    model = quantised(to_onnx(network, TEMPERATURE, distance), images)
    identity = {"name": name, "run_key": "0123456789abcdef", "source": "mnist"}
    (folder / "model.onnx").write_bytes(labelled(model, identity, Thresholds(0.2, 2.0, 0.05)))
    params = {f"networks.{name}.{key}": value for key, value in config.model_dump(exclude={"augment"}).items()}
    (folder / "run.json").write_text(json.dumps({"network": name, "inputs": {"params": params}}))
    return Champion(name, network, folder, images)


def digits(count: int) -> np.ndarray:
    """Digits drawn by code, each shifted and paler or not as the lot falls."""
    rng = np.random.default_rng(0)
    drawn = drawings()[np.arange(count) % 10]
    moved = [np.roll(one, rng.integers(-2, 3, 2), (0, 1)) * rng.uniform(0.6, 1) for one in drawn]
    return np.rint(np.stack(moved)).astype(np.uint8)
