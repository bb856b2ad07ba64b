"""The networks that the page compares: the linear one learns, a large one is rounded, and each is told of truly."""

import json
import lzma

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.showcase import compare
from serving.model.activations import Activations
from tests import toy_model

LABELS = np.tile(np.arange(10, dtype=np.uint8), 30)
IMAGES = np.stack([toy_model.image(digit, 120 + place // 3) for place, digit in enumerate(LABELS)])
SPLIT = IMAGES, LABELS


def wide(units: int = 1000) -> bytes:
    """A model with a hidden layer so large that it is rounded."""
    rng = np.random.default_rng()
    weights = {
        "hidden": rng.normal(0, 0.02, (units, 784)).astype(np.float32),
        "none": np.zeros(units, np.float32),
        "out": rng.normal(0, 0.1, (10, units)).astype(np.float32),
        "bias": np.zeros(10, np.float32),
    }
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("Gemm", ["flat", "hidden", "none"], ["sums"], transB=1),
        helper.make_node("Relu", ["sums"], ["lit"]),
        helper.make_node("Gemm", ["lit", "out", "bias"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "wide",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


def logits(model: bytes) -> np.ndarray:
    return ort.InferenceSession(model).run(["logits"], {"pixels": IMAGES.astype(np.float32)})[0]


def test_rounding_saves_nine_tenths_and_keeps_most_of_what_is_read():
    model = wide()
    copy = compare.rounded(model)
    assert len(lzma.compress(copy)) < 0.15 * len(model)
    assert np.corrcoef(logits(model).ravel(), logits(copy).ravel())[0, 1] > 0.5
    small = wide(100)
    assert compare.rounded(small) == small


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("show")
    toy = toy_model.write(folder / "model.onnx").read_bytes()
    networks = {"toy": compare.Trained(toy, "a toy"), "wide": compare.Trained(wide(), "a wide one")}
    for name, content in compare.make(networks, "toy", SPLIT, SPLIT, SPLIT).items():
        (folder / name).write_bytes(content)
    return folder


def test_each_network_is_told_of_with_its_size_and_what_it_reads(made):
    linear, toy, large = json.loads((made / "compare.json").read_text())
    assert [one["name"] for one in (linear, toy, large)] == ["linear", "toy", "wide"]
    assert [one["parameters"] for one in (linear, toy, large)] == [7850, 7850, 785_000 + 10_010]
    assert linear["accuracy"] > 0.9, "bands are learnt"
    assert toy["accuracy"] == 1
    assert "note" not in linear
    assert "as before" in large["note"]
    files = {path.name for path in made.glob("compare_*")}
    assert files == {"compare_linear.onnx.xz", "compare_wide.onnx.xz"}, "the served one is at hand"


def test_the_service_loads_what_was_made(made):
    graph = Activations(made / "compare_linear.onnx.xz")
    pixels = IMAGES.astype(np.float32)
    packed = lzma.decompress((made / "compare_linear.onnx.xz").read_bytes())
    assert (graph.logits(pixels).argmax(axis=1) == compare.answers(packed, pixels)).all()
    assert [layer.kind for layer in graph.layers] == ["dense"]
