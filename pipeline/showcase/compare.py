"""The networks that the page compares: compare.json, which tells of them, and the graph of each but the served one."""

import json
import lzma
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pipeline.models.networks import DIGITS, MEAN, PIXELS, SIDE, STD
from pipeline.showcase import inside
from pipeline.texts import params
from serving.images import normalise_all

Split = tuple[NDArray[np.uint8], NDArray[np.uint8]]

LINEAR = "linear"
"""The one that is trained here, by the preset of that name among the texts' networks: seconds."""
TITLE = "network without hidden layers"
LARGE = 500_000
"""Weights from which a dense layer is rounded."""
STEP = 2.5
"""Of the rounding, in deviations of a unit's weights: the file has a thirtieth of the bytes."""
CHUNK = 500


class Trained(NamedTuple):
    """A network of the pipeline: its model.onnx, and what people call its kind."""

    model: bytes
    title: str


def make(networks: Mapping[str, Trained], served: str, train: Split, val: Split, test: Split) -> dict[str, bytes]:
    """The files of the networks, by their names, from the simplest on.

    Args:
        served: the one that is served, whose graph is at hand there.
        train, val: what the linear network learns from; test: what all are measured on.
    """
    models = {LINEAR: Trained(linear(train, val), TITLE), **networks}
    prepared = normalise_all(test[0].astype(np.float32))
    files, listed = {}, []
    for name, (model, title) in models.items():
        copy = model if name == served else rounded(model)
        graph = inside.derive(copy)
        found = answers(graph, prepared)
        entry = {
            "name": name,
            "title": title,
            "parameters": count(graph),
            "accuracy": round(float((found == test[1]).mean()), 4),
        }
        if copy != model:
            same = (found == answers(inside.derive(model), prepared)).mean()
            entry["note"] = f"Its weights are rounded here, to send less: {same:.2%} of these it reads as before."
        listed.append(entry)
        if name != served:
            files[f"compare_{name}.onnx.xz"] = lzma.compress(graph)
    return {"compare.json": json.dumps(listed).encode(), **files}


def linear(train: Split, val: Split) -> bytes:
    """A model without hidden layers, trained as `make texts` does, as the other networks' model.onnx but for the rules
    by which they abstain: pixels to logits."""
    from pipeline.models.batches import Digits
    from pipeline.models.fit import fit

    given = params.load()
    config = params.network(given, LINEAR)
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(config, Digits(train, val, config, given.seed), given.trainer, given.seed, Path(folder))
    assert fitted is not None
    weight, bias = (one.detach().numpy() for one in fitted[0].parameters())
    constants = {"full": 255.0, "mean": MEAN, "deviation": STD}
    nodes = [
        helper.make_node("Div", ["pixels", "full"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "deviation"], ["standardised"]),
        helper.make_node("Flatten", ["standardised"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        LINEAR,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", DIGITS])],
        [
            *(numpy_helper.from_array(np.array(value, np.float32), name) for name, value in constants.items()),
            numpy_helper.from_array(weight.reshape(DIGITS, PIXELS), "weight"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return model.SerializeToString(deterministic=True)


def rounded(model: bytes) -> bytes:
    """The model with the weights of its large dense layers as small integers, each unit's in steps of its own."""
    whole = onnx.load_from_string(model)
    dense = {node.input[1] for node in whole.graph.node if node.op_type == "Gemm"}
    large = [one for one in whole.graph.initializer if one.name in dense and np.prod(one.dims) >= LARGE]
    for tensor in large:
        weights = numpy_helper.to_array(tensor)
        steps = (STEP * weights.std(axis=1)).astype(np.float32)
        integers = np.clip(np.rint(weights / steps[:, None]), -127, 127).astype(np.int8)
        name = tensor.name
        whole.graph.initializer.remove(tensor)
        whole.graph.initializer.extend(
            [numpy_helper.from_array(integers, f"{name}_integers"), numpy_helper.from_array(steps, f"{name}_steps")]
        )
        node = helper.make_node("DequantizeLinear", [f"{name}_integers", f"{name}_steps"], [name], axis=0)
        whole.graph.node.insert(0, node)
    return whole.SerializeToString(deterministic=True) if large else model


def _session(graph: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def answers(graph: bytes, images: NDArray[np.float32]) -> NDArray[np.int64]:
    """The digits, int64 [N], that a graph reads in images, float32 [N, 28, 28]."""
    session = _session(graph)
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    return np.concatenate([session.run(["logits"], {"pixels": chunk})[0].argmax(axis=1) for chunk in chunks])


def count(graph: bytes) -> int:
    """How many weights and biases a graph that the page looks into has."""
    session = _session(graph)
    names = [one.name for one in session.get_outputs() if one.name.startswith(("weights_", "bias_"))]
    found = session.run(names, {"pixels": np.zeros((1, SIDE, SIDE), np.float32)})
    return sum(one.size for one in found)
