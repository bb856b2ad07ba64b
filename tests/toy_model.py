"""A tiny ONNX model that keeps the served model's contract: ten horizontal bands, one for each digit.

Its novelty is the ink, counted in full bands.
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

METADATA = {
    "name": "toy",
    "run_key": "0123456789abcdef",
    "source": "toy-bands",
    "confidence_threshold": "0.6",
    "novelty_threshold": "6.5",
    "conformal_threshold": "0.05",
}
NO_SETS = METADATA | {"conformal_threshold": "0.0"}
BAND = np.arange(784) * 10 // 784


def image(digit: int, brightness: int = 255) -> NDArray[np.uint8]:
    """An image, uint8 [28, 28], that the toy recognises as `digit`."""
    return np.where(digit == BAND, brightness, 0).astype(np.uint8).reshape(28, 28)


def write(path: Path, metadata: dict[str, str] = METADATA, gain: float = 0.2) -> Path:
    """Write the model to `path`: softmax over `gain` times the ink in each band."""
    weights = (BAND[:, None] == np.arange(10)).astype(np.float32) * gain
    nodes = [
        helper.make_node("Div", ["pixels", "full"], ["scaled"]),
        helper.make_node("Flatten", ["scaled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("ReduceSum", ["flat", "along"], ["ink"], keepdims=0),
        helper.make_node("Div", ["ink", "band"], ["novelty"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 28, 28])],
        [
            *(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 10])
                for name in ("probabilities", "logits")
            ),
            helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["N"]),
        ],
        [
            numpy_helper.from_array(value, name)
            for name, value in {
                "full": np.array(255, np.float32),
                "weights": weights,
                "along": np.array([1]),
                "band": np.array(78.4, np.float32),
            }.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path
