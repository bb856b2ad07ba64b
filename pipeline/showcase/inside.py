"""The graph that the page looks into: the model without its measure of novelty, every layer's activations among its
outputs, what the first layer is given and that layer's weights.

Networks of any kind are read: a layer is what multiplies by weights, with the nonlinearity that follows it.
"""

import hashlib
import json
from typing import Any

import onnx
from onnx import NodeProto, helper
from onnx.utils import Extractor

WEIGHTED = {"Conv": "convolution", "Gemm": "dense", "MatMul": "dense"}
NONLINEAR = {"Relu": "relu", "Sigmoid": "sigmoid"}
QUANTISE, DEQUANTISE = "QuantizeLinear", "DequantizeLinear"


def derive(content: bytes) -> bytes:
    """From the bytes of model.onnx to those of inside.onnx.

    Its metadata says of each layer what it is and which output holds its activations, which output holds what the first
    layer is given, and of which model it is a part.
    """
    whole = onnx.load_from_string(content)
    part: onnx.ModelProto = Extractor(whole).extract_model(["pixels"], ["logits"])
    del part.graph.value_info[:]
    layers = describe(part)
    given = _weighted(part)[0].input[0]
    for name in dict.fromkeys([given, *(layer["output"] for layer in layers)]):
        if name != "logits":
            part.graph.output.append(onnx.ValueInfoProto(name=name))
    part.graph.node.append(_first_weights(part))
    part.graph.output.append(onnx.ValueInfoProto(name="first_weights"))
    of = hashlib.sha256(content).hexdigest()
    helper.set_model_props(part, {"of": of, "layers": json.dumps(layers), "given": given})
    return part.SerializeToString(deterministic=True)


def describe(model: onnx.ModelProto) -> list[dict[str, Any]]:
    """The layers from pixels to logits: kind, units, kernel (None for a dense one), activation and output of each."""
    sizes = _sizes(model)
    readers = {name: node for node in model.graph.node for name in node.input}
    layers = []
    for node in _weighted(model):
        size = sizes[node.input[1]]
        activation, output = _activation(node, readers)
        layers.append(
            {
                "kind": WEIGHTED[node.op_type],
                "units": size[0] if _rows_are_units(node) else size[1],
                "kernel": size[2] if node.op_type == "Conv" else None,
                "activation": activation,
                "output": output,
            }
        )
    return layers


def _sizes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """The shape of every weight, under the name by which layers read it, in integers or not."""
    sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    integers = [node for node in model.graph.node if node.op_type == DEQUANTISE and node.input[0] in sizes]
    return sizes | {node.output[0]: sizes[node.input[0]] for node in integers}


def _activation(node: NodeProto, readers: dict[str, NodeProto]) -> tuple[str, str]:
    """The nonlinearity that follows weights, and the output that it goes to; nothing follows the logits'."""
    after = readers.get(node.output[0], node)
    if after.op_type == QUANTISE:  # its integers begin at 0, which cuts off what is below
        return "relu", readers[after.output[0]].output[0]
    if after.op_type in NONLINEAR:
        return NONLINEAR[after.op_type], after.output[0]
    return "softmax", "logits"


def _weighted(model: onnx.ModelProto) -> list[NodeProto]:
    return [node for node in model.graph.node if node.op_type in WEIGHTED]


def _rows_are_units(node: NodeProto) -> bool:
    transposed = any(item.name == "transB" and item.i for item in node.attribute)
    return node.op_type == "Conv" or transposed


def _first_weights(model: onnx.ModelProto) -> NodeProto:
    """A node that gives the first layer's weights, a row for each unit."""
    first = _weighted(model)[0]
    if _rows_are_units(first):
        return helper.make_node("Identity", [first.input[1]], ["first_weights"])
    return helper.make_node("Transpose", [first.input[1]], ["first_weights"], perm=[1, 0])
