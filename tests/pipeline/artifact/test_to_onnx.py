"""The exported network: the same answers as in PyTorch, with all that it needs inside, and the same bytes each time."""

import numpy as np
import onnxruntime as ort
import pytest
import torch
from scipy.special import softmax

from pipeline.artifact import novelty
from pipeline.artifact.calibrate import Thresholds
from pipeline.artifact.to_onnx import answers, labelled, observe, to_onnx
from pipeline.params import load

TEMPERATURE = 1.7
THRESHOLDS = Thresholds(confidence_threshold=0.4, novelty_threshold=1.5, conformal_threshold=0.01)
IMAGES = np.random.default_rng(0).integers(0, 256, (200, 28, 28), dtype=np.uint8)
IDENTITY = {"name": "mlp", "source": "mnist", "run_key": "0123456789abcdef"}


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    config = load("networks.convnet").model_copy(update={"width": 4})
    network = config.build()
    network(torch.randn(64, 1, 28, 28))
    return network.eval()


@pytest.fixture(scope="module")
def distance(network) -> novelty.Novelty:
    digits, non_digits = (observe(network, images)[1] for images in (IMAGES, IMAGES // 2))
    return novelty.fit(digits, np.arange(200) % 10, non_digits)


@pytest.fixture(scope="module")
def model(network, distance) -> bytes:
    return to_onnx(network, TEMPERATURE, distance)


@pytest.mark.slow
def test_the_answers_are_pytorchs_with_the_temperature_inside(network, distance, model):
    images = IMAGES[:7] // 2
    [logits] = ort.InferenceSession(model).run(["logits"], {"pixels": images.astype(np.float32)})
    probabilities, strangeness = answers(model, images)
    uncalibrated, features = observe(network, images)
    expected = uncalibrated / TEMPERATURE
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    np.testing.assert_allclose(probabilities, softmax(expected, axis=1), atol=1e-5)
    np.testing.assert_allclose(strangeness, distance(torch.from_numpy(features)), rtol=1e-3)


def test_the_metadata_holds_identity_and_thresholds_and_nothing_else(model):
    told = labelled(labelled(model, {"of": "another"}, THRESHOLDS), IDENTITY, THRESHOLDS)
    metadata = ort.InferenceSession(told).get_modelmeta().custom_metadata_map
    thresholds = {"confidence_threshold": "0.4", "novelty_threshold": "1.5", "conformal_threshold": "0.01"}
    assert metadata == IDENTITY | thresholds


@pytest.mark.slow
def test_the_same_weights_give_the_same_bytes_and_tell_no_paths(network, distance, model):
    assert to_onnx(network, TEMPERATURE, distance) == model
    assert b".py" not in model
