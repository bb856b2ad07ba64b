"""The graph that the page looks into: the served network's own numbers, whatever its kind."""

import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from pipeline.artifact import novelty
from pipeline.artifact.quantise import quantised
from pipeline.artifact.to_onnx import observe, to_onnx
from pipeline.params import load
from pipeline.showcase import inside
from tests import toy_model

IMAGES = np.random.default_rng(0).integers(0, 256, (200, 28, 28), dtype=np.uint8)
PIXELS = IMAGES[:3].astype(np.float32)
SMALL = {"perceptron": {}, "mlp": {"hidden": [32, 24]}, "convnet": {"width": 4}}
EXPECTED = {
    "perceptron": [("dense", 16, None, "sigmoid"), ("dense", 16, None, "sigmoid"), ("dense", 10, None, "softmax")],
    "mlp": [("dense", 32, None, "relu"), ("dense", 24, None, "relu"), ("dense", 10, None, "softmax")],
    "convnet": [
        ("convolution", 16, 3, "relu"),
        *(("convolution", 4, kernel, "relu") for kernel in (3, 5)),
        *(("convolution", 8, kernel, "relu") for kernel in (3, 3, 5)),
        ("convolution", 16, 4, "relu"),
        ("dense", 10, None, "softmax"),
    ],
}


@pytest.fixture(scope="module", params=SMALL)
def exported(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    torch.manual_seed(0)
    name = request.param
    network = load(f"networks.{name}").model_copy(update=SMALL[name]).build()
    network(torch.randn(64, 1, 28, 28))
    network.eval()
    digits, non_digits = (observe(network.eval(), images)[1] for images in (IMAGES, IMAGES // 2))
    distance = novelty.fit(digits, np.arange(200) % 10, non_digits)
    return name, quantised(to_onnx(network, 1.7, distance), IMAGES)


@pytest.mark.slow
def test_every_layer_is_described_and_its_activations_lead_to_the_same_logits(exported):
    name, model = exported
    session = ort.InferenceSession(inside.derive(model))
    layers = json.loads(session.get_modelmeta().custom_metadata_map["layers"])
    assert [(one["kind"], one["units"], one["kernel"], one["activation"]) for one in layers] == EXPECTED[name]
    [expected] = ort.InferenceSession(model).run(["logits"], {"pixels": PIXELS})
    found = session.run([one["output"] for one in layers], {"pixels": PIXELS})
    np.testing.assert_allclose(found[-1], expected, atol=1e-5)
    for layer, values in zip(layers[:-1], found, strict=False):
        assert values.shape[:2] == (len(PIXELS), layer["units"])
        assert (values >= 0).all()
        assert values.any()


def test_the_first_layers_answers_come_from_the_first_layers_weights(exported):
    """Behind the nonlinearity lies the scaled picture times the weights, plus something that is the same everywhere."""
    name, model = exported
    session = ort.InferenceSession(inside.derive(model))
    first = json.loads(session.get_modelmeta().custom_metadata_map["layers"])[0]
    [weights] = session.run(["weights_0"], {"pixels": PIXELS})
    [stored] = [
        one for one in onnx.load_from_string(model).graph.initializer if one.name.endswith(("0.weight", "1.weight"))
    ][:1]
    np.testing.assert_array_equal(weights, onnx.numpy_helper.to_array(stored))
    assert weights.shape == (first["units"], *((1, 3, 3) if first["kernel"] else (784,))), name


def test_what_the_first_layer_is_given_is_the_picture(exported):
    """Standardised, and turned a little where the network does so."""
    name, model = exported
    session = ort.InferenceSession(inside.derive(model))
    smooth = np.add.outer(np.arange(28), np.arange(28)).astype(np.float32)[None] * 4
    first = json.loads(session.get_modelmeta().custom_metadata_map["layers"])[0]
    [given] = session.run([first["input"]], {"pixels": smooth})
    found = np.corrcoef(given.ravel(), smooth.ravel())[0, 1]
    assert found > (0.98 if name == "convnet" else 0.9999)


def test_the_novelty_is_left_out_and_equal_models_give_equal_bytes(exported):
    _, model = exported
    derived = inside.derive(model)
    assert derived == inside.derive(model)
    assert not [one.name for one in onnx.load_from_string(derived).graph.initializer if "novelty" in one.name]


def test_a_network_without_hidden_layers_has_one(tmp_path):
    model = toy_model.write(tmp_path / "model.onnx").read_bytes()
    session = ort.InferenceSession(inside.derive(model))
    [layer] = json.loads(session.get_modelmeta().custom_metadata_map["layers"])
    described = {"kind": "dense", "units": 10, "kernel": None, "activation": "softmax", "output": "logits"}
    assert {name: layer[name] for name in described} == described
    [weights] = session.run(["weights_0"], {"pixels": PIXELS})
    assert (weights.reshape(10, 28, 28)[7] == np.where(toy_model.image(7) > 0, np.float32(0.2), 0)).all()


def test_a_mask_switches_off_a_unit_and_no_other_in_the_layer(exported):
    _, model = exported
    session = ort.InferenceSession(inside.derive(model))
    layers = json.loads(session.get_modelmeta().custom_metadata_map["layers"])[:-1]
    masks = {one.name: one for one in session.get_overridable_initializers()}
    assert list(masks) == [f"mask_{place}" for place in range(len(layers))]
    rng = np.random.default_rng()
    for (name, mask), layer in zip(masks.items(), layers, strict=True):
        [before] = session.run([layer["output"]], {"pixels": PIXELS})
        unit = int(rng.choice(np.flatnonzero(before.any(axis=(0, *range(2, before.ndim))))))
        kind = np.uint8 if mask.type == "tensor(uint8)" else np.float32
        off = np.full(mask.shape, 255 if kind is np.uint8 else 1, kind)
        off[unit] = 0
        [after] = session.run([layer["output"]], {"pixels": PIXELS, name: off})
        assert not after[:, unit].any()
        np.testing.assert_array_equal(np.delete(after, unit, 1), np.delete(before, unit, 1))
