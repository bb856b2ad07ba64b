"""The network in integers: nearly the same answers, from the same bytes each time."""

import numpy as np
import onnx
import onnxruntime as ort
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
    distance = novelty.fit(digits, np.arange(200) % 10, non_digits)
    return to_onnx(network, 1.0, distance)


@pytest.mark.slow
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


def test_the_same_images_give_the_same_bytes_and_no_advice(model, caplog, capsys):
    assert quantised(model, IMAGES) == quantised(model, IMAGES)
    assert "pre-processing" not in caplog.text
    assert not capsys.readouterr().out


def test_a_network_without_convolutions_stays_as_it_is(tmp_path):
    model = toy_model.write(tmp_path / "model.onnx").read_bytes()
    assert quantised(model, IMAGES) == model


def test_a_rare_activation_does_not_coarsen_all_others():
    faint = IMAGES // 25
    with_one = faint.copy()
    with_one[117, 14, 14] = 240
    model = two_convolutions_of_weight_one()
    seen = [
        ort.InferenceSession(quantised(model, images)).run(None, {"pixels": faint[:50].astype(np.float32)})[0]
        for images in (faint, with_one)
    ]
    np.testing.assert_allclose(seen[0][:, 0], faint[:50], atol=0.05)
    np.testing.assert_allclose(seen[1][:, 0], faint[:50], atol=0.05)


def two_convolutions_of_weight_one() -> bytes:
    """A model whose output is its pixels, after two convolutions and their ReLU."""
    initial = [onnx.numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), name) for name in ("one", "two")]
    axis = onnx.numpy_helper.from_array(np.array([1]), "axis")
    steps = (
        ("Unsqueeze", "pixels axis", "a"),
        ("Conv", "a one", "b"),
        ("Relu", "b", "c"),
        ("Conv", "c two", "d"),
        ("Relu", "d", "e"),
    )
    nodes = [onnx.helper.make_node(kind, given.split(), [made], name=made) for kind, given, made in steps]
    given = onnx.helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, ["batch", 28, 28])
    made = onnx.helper.make_tensor_value_info("e", onnx.TensorProto.FLOAT, ["batch", 1, 28, 28])
    graph = onnx.helper.make_graph(nodes, "ones", [given], [made], [*initial, axis])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString()
