"""The graph that the page looks into: the model without its measure of novelty, every layer opened.

Among its outputs are each layer's weights, biases, activations and what it is given; a mask for each hidden layer, ones
unless it is given, switches units off. Networks of any kind are read: a layer is what multiplies by weights, with the
nonlinearity that follows it.
"""

import hashlib
import json
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper
from onnx.utils import Extractor

WEIGHTED = {"Conv": "convolution", "Gemm": "dense", "MatMul": "dense"}
NONLINEAR = {"Relu": "relu", "Sigmoid": "sigmoid"}
QUANTISE, DEQUANTISE = "QuantizeLinear", "DequantizeLinear"
OPEN = 255
"""Lets every bit of an activation in eight bits through."""


def derive(content: bytes) -> bytes:
    """From the bytes of model.onnx to those of inside.onnx.

    Its metadata says of each layer what `describe` does, and of which model it is a part. Layer k's weights, a row for
    each unit, are its output ``weights_k``, its biases ``bias_k``, and its mask is the input ``mask_k``.
    """
    whole = onnx.load_from_string(content)
    part: onnx.ModelProto = Extractor(whole).extract_model(["pixels"], ["logits"])
    del part.graph.value_info[:]
    layers = describe(part)
    for place, layer in enumerate(layers[:-1]):
        _mask(part, place, layer)
    weighted = _weighted(part)
    for node, layer in zip(weighted, layers, strict=True):
        layer["input"] = node.input[0]
    for name in dict.fromkeys(layer[way] for layer in layers for way in ("input", "output")):
        if name != "logits":
            part.graph.output.append(onnx.ValueInfoProto(name=name))
    for place, (node, layer) in enumerate(zip(weighted, layers, strict=True)):
        _parameters(part, place, node, layer["units"])
    of = hashlib.sha256(content).hexdigest()
    helper.set_model_props(part, {"of": of, "layers": json.dumps(layers)})
    return part.SerializeToString(deterministic=True)


def describe(model: onnx.ModelProto) -> list[dict[str, Any]]:
    """The layers from pixels to logits.

    Of each: kind, units, kernel, stride and padding (None for a dense one), activation, the step by which its
    activations are rounded (None where they are not), the divisor of the logits (1 elsewhere) and its output's name.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    sizes = _sizes(model)
    readers = {name: node for node in model.graph.node for name in node.input}
    layers = []
    for node in _weighted(model):
        size = sizes[node.input[1]]
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        activation, output, step = _activation(node, readers)
        divides = readers.get(node.output[0], node)
        convolution = node.op_type == "Conv"
        layers.append(
            {
                "kind": WEIGHTED[node.op_type],
                "units": size[0] if _rows_are_units(node) else size[1],
                "kernel": size[2] if convolution else None,
                "stride": attributes.get("strides", [1])[0] if convolution else None,
                "padding": attributes.get("pads", [0])[0] if convolution else None,
                "activation": activation,
                "step": step and _scalar(constants[step]),
                "divisor": _scalar(constants[divides.input[1]]) if divides.op_type == "Div" else 1.0,
                "output": output,
            }
        )
    return layers


def _scalar(tensor: onnx.TensorProto) -> float:
    return float(numpy_helper.to_array(tensor).reshape(-1)[0])


def _sizes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """The shape of every weight, under the name by which layers read it, in integers or not."""
    sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    integers = [node for node in model.graph.node if node.op_type == DEQUANTISE and node.input[0] in sizes]
    return sizes | {node.output[0]: sizes[node.input[0]] for node in integers}


def _activation(node: NodeProto, readers: dict[str, NodeProto]) -> tuple[str, str, str | None]:
    """The nonlinearity that follows weights, the output that it goes to and the name of its rounding's step; nothing
    follows the logits'."""
    after = readers.get(node.output[0], node)
    if after.op_type == QUANTISE:  # its integers begin at 0, which cuts off what is below
        return "relu", readers[after.output[0]].output[0], after.input[1]
    if after.op_type in NONLINEAR:
        return NONLINEAR[after.op_type], after.output[0], None
    return "softmax", "logits", None


def _weighted(model: onnx.ModelProto) -> list[NodeProto]:
    return [node for node in model.graph.node if node.op_type in WEIGHTED]


def _rows_are_units(node: NodeProto) -> bool:
    transposed = any(item.name == "transB" and item.i for item in node.attribute)
    return node.op_type == "Conv" or transposed


def _mask(model: onnx.ModelProto, place: int, layer: dict[str, Any]) -> None:
    """Put the layer's mask behind its activations: in integers bit by bit, so that they stay integers."""
    graph, name, units = model.graph, f"mask_{place}", layer["units"]
    maker = next(node for node in graph.node if layer["output"] in node.output)
    rounded = layer["step"] is not None
    masked = maker.input[0] if rounded else layer["output"]
    shown = f"{masked}_masked"
    for node in graph.node:
        for position, read in enumerate(node.input):
            if read == masked:
                node.input[position] = shown
    mask = np.full((units,) if layer["kernel"] is None else (units, 1, 1), OPEN if rounded else 1)
    kind = np.uint8 if rounded else np.float32
    graph.initializer.append(numpy_helper.from_array(mask.astype(kind), name))
    graph.input.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), mask.shape))
    after = next(place for place, node in enumerate(graph.node) if masked in node.output) + 1
    graph.node.insert(after, helper.make_node("BitwiseAnd" if rounded else "Mul", [masked, name], [shown]))
    if not rounded:
        layer["output"] = shown


def _parameters(model: onnx.ModelProto, place: int, node: NodeProto, units: int) -> None:
    """Give the layer's weights and biases among the outputs, the weights a row for each unit."""
    graph, weights, bias = model.graph, f"weights_{place}", f"bias_{place}"
    if _rows_are_units(node):
        graph.node.append(helper.make_node("Identity", [node.input[1]], [weights]))
    else:
        graph.node.append(helper.make_node("Transpose", [node.input[1]], [weights], perm=[1, 0]))
    none = f"no_{bias}"
    if len(node.input) < 3:
        graph.initializer.append(numpy_helper.from_array(np.zeros(units, np.float32), none))
    graph.node.append(helper.make_node("Identity", [node.input[2] if len(node.input) > 2 else none], [bias]))
    graph.output.extend([onnx.ValueInfoProto(name=weights), onnx.ValueInfoProto(name=bias)])
