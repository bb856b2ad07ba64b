"""The network in integers: nearly the same answers, from the same bytes each time."""

import numpy as np
import onnx
import pytest
import torch

from pipeline.artifact import novelty
from pipeline.artifact.quantise import quantised
from pipeline.artifact.to_onnx import answers, observe, to_onnx
from pipeline.params import load
from tests import toy_model

IMAGES = np.random.default_rng(0).integers(0, 256, (200, 28, 28), dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> bytes:
    torch.manual_seed(0)
    network = load("networks.convnet").model_copy(update={"width": 8}).build()
    network(torch.randn(64, 1, 28, 28))
    digits, non_digits = (observe(network.eval(), images)[1] for images in (IMAGES, IMAGES // 2))
    distance = novelty.fit(digits, np.arange(200) % 10, digits[:0], non_digits)
    return to_onnx(network, 1.0, distance)


def test_it_answers_nearly_as_before(model):
    before, after = answers(model, IMAGES), answers(quantised(model, IMAGES), IMAGES)
    assert not np.array_equal(before[0], after[0])
    np.testing.assert_allclose(after[0], before[0], atol=0.02)
    assert np.median(np.abs(after[1] / before[1] - 1)) < 0.02


def test_weights_are_integers_of_seven_bits_but_the_first_layers(model):
    weights = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load_from_string(quantised(model, IMAGES)).graph.initializer
        if tensor.name.startswith("network.") and len(tensor.dims) == 4
    }
    kinds = {name: tensor.dtype.name for name, tensor in weights.items() if "grid" not in name}
    assert list(kinds.values()).count("float32") == 1
    assert list(kinds.values()).count("int8") == len(kinds) - 1 == 6
    assert all(np.abs(weights[name].astype(int)).max() <= 64 for name, kind in kinds.items() if kind == "int8")


def test_the_same_images_give_the_same_bytes_and_no_advice(model, caplog):
    assert quantised(model, IMAGES) == quantised(model, IMAGES)
    assert "pre-processing" not in caplog.text


def test_a_network_without_convolutions_stays_as_it_is(tmp_path):
    model = toy_model.write(tmp_path / "model.onnx").read_bytes()
    assert quantised(model, IMAGES) == model
