"""The served file's own weights in torch, for what needs gradients, and what the file's layers answer.

At export batch norm is folded into the convolutions, most weights become integers, and the last layer may be fitted
again: so what is shown of a champion is made with the weights of its file, not with those that training left. The
network given here differs from the file in one thing: between layers it computes in floating point.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from pipeline.models.load import nested
from pipeline.models.networks import SIDE, Network, parse
from pipeline.showcase.inside import DEQUANTISE, WEIGHTED, derive

CHUNK = 50
"""Images given to the file at once."""


class Layer(NamedTuple):
    """A layer as `inside.describe` has it; ``output`` is called so in the graph."""

    kind: str
    units: int
    kernel: int | None
    activation: str
    output: str


def config_of(run: Mapping[str, Any]) -> Network:
    """The network's config, from the content of its run.json."""
    prefix = f"networks.{run['network']}."
    params = run["inputs"]["params"].items()
    return parse(nested({name.removeprefix(prefix): value for name, value in params if name.startswith(prefix)}))


def twin(content: bytes, config: Network) -> nn.Sequential:
    """The network of a model.onnx as one chain of layers, its weights fixed.

    It takes standardised images, float [N, 1, 28, 28], and gives the logits, float [N, 10], that the file calibrates.
    """
    weights = stored_weights(content)
    chain: list[nn.Module] = []
    for layer in leaves(config.layers()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            weight, bias = next(weights)
            layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
            chain.append(layer)
        elif not list(layer.parameters()):  # batch norm is in the weights already
            chain.append(layer)
    whole = nn.Sequential(*chain).eval().requires_grad_(False)
    return whole.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class Part(NamedTuple):
    """The network up to a layer that multiplies by weights: to its sums, and to its answers, its nonlinearity included.

    sees: side of the square of pixels that a unit of it sees; `SIDE` where that is all of the picture.
    """

    sums: nn.Sequential
    answers: nn.Sequential
    sees: int


def parts(chain: nn.Sequential) -> list[Part]:
    """A part for each layer of a `twin`, the last for its logits."""
    layers = list(chain)
    found, sees, pace = [], 1, 1
    for index, layer in enumerate(layers, 1):
        if isinstance(layer, nn.Conv2d):
            sees, pace = sees + (layer.kernel_size[0] - 1) * pace, pace * layer.stride[0]
        elif isinstance(layer, nn.Linear):
            sees = SIDE
        else:
            continue
        found.append(Part(nn.Sequential(*layers[:index]), nn.Sequential(*layers[: index + 1]), min(sees, SIDE)))
    return found


def leaves(layer: nn.Module) -> Iterator[nn.Module]:
    """The layers of chains in one another, in order."""
    if isinstance(layer, nn.Sequential):
        for inner in layer:
            yield from leaves(inner)
    else:
        yield layer


def stored_weights(content: bytes) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Weights and biases of each layer of a model.onnx from the pixels on, float32, units along the first axis."""
    graph = onnx.load_from_string(derive(content)).graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == DEQUANTISE and node.input[0] in stored:
            integers, scale, zero = (stored[name] for name in node.input)
            by_unit = (-1, *[1] * (integers.ndim - 1))
            stored[node.output[0]] = (integers - zero.reshape(by_unit)) * scale.reshape(by_unit)
    for node in graph.node:
        if node.op_type in WEIGHTED:
            weight, bias = (torch.from_numpy(np.array(stored[name], np.float32)) for name in node.input[1:3])
            yield weight, bias


class Served:
    """What each layer of a served file answers, its nonlinearity included: the numbers that the page shows."""

    def __init__(self, content: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(derive(content), options, providers=["CPUExecutionProvider"])
        described = json.loads(self._session.get_modelmeta().custom_metadata_map["layers"])
        self.layers = [Layer(*(one[name] for name in Layer._fields)) for one in described]

    def excitements(self, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """How strongly each unit of each layer answers to images, uint8 [N, 28, 28]: float32 [N, units] of each layer.

        A channel's answer is its mean over the picture.
        """
        outputs = [layer.output for layer in self.layers]
        chunks = np.split(images.astype(np.float32), range(CHUNK, len(images), CHUNK))
        found = (self._session.run(outputs, {"pixels": chunk}) for chunk in chunks)
        means = [[one.reshape(*one.shape[:2], -1).mean(axis=2) for one in answers] for answers in found]
        return [np.concatenate(of_layer) for of_layer in zip(*means, strict=True)]
