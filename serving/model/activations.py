"""The network's activations: what each layer answers to an image, and which of its ink spoke for the answer."""

import json
import lzma
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from serving.contract import CLASSES, SIDE
from serving.model.recogniser import ModelError

PATCH = 4  # pixels that are covered at a time, along each axis
STEP = 2  # pixels from one place of the patch to the next
MIDDLE = slice(3, 25)  # rows and columns that a picture which is turned a little does not lose
OPEN = 255  # lets every bit of an activation in eight bits through
CHUNK = 16  # images given to the network at once: more would leave the processor's cache


class Layer(NamedTuple):
    """A layer as the packaging described it.

    kernel, stride, padding: of a convolution, in places of what it is given, else None. step: the size of the steps by
    which its activations are rounded, None where they are not. divisor: of the logits, 1 of other layers. input,
    output: the names of what it is given and of its activations.
    """

    kind: Literal["convolution", "dense"]
    units: int
    kernel: int | None
    stride: int | None
    padding: int | None
    activation: Literal["relu", "sigmoid", "softmax"]
    step: float | None
    divisor: float
    input: str
    output: str


class Unit(NamedTuple):
    """A unit, or a map, of a layer; both count from 0."""

    layer: int
    unit: int


class Parameters(NamedTuple):
    """A layer's weights, float32 [units, maps, height, width], and biases, float32 [units].

    The picture is one map, and a dense layer's kernel is as large as the maps that it is given.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


class Seen(NamedTuple):
    """What a layer is given of an image, float32 [maps, height, width], and what it answers, float32 [units, ...]."""

    given: NDArray[np.float32]
    answer: NDArray[np.float32]


class Patch(NamedTuple):
    """A square of PATCH pixels a side, from its top left one on, and by how much covering it lowers the log-odds."""

    top: int
    left: int
    voice: float


class Voices(NamedTuple):
    """What speaks for a digit: each pixel, float32 [28, 28], and the patch that does so most, for it or against it."""

    pixels: NDArray[np.float32]
    strongest: Patch


class Activations:
    """The served network with its layers open.

    layers: from the pixels to the ten logits. parameters: of each.
    degrees: by how much the network turns a picture, clockwise, before its first layer sees it; mostly 0.
    """

    def __init__(self, path: Path, model_sha256: str | None = None) -> None:
        """Load the graph at `path`, made from the model of this hash, or from any. Raises ModelError if it is none."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        unpack = lzma.decompress if path.suffix == ".xz" else bytes
        try:
            self._session = ort.InferenceSession(unpack(path.read_bytes()), options, providers=["CPUExecutionProvider"])
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}") from error
        except Exception as error:  # ONNX Runtime raises a class of its own for each way a file can be damaged
            raise ModelError(f"{path} is not a graph that ONNX Runtime can load: {error}") from error
        metadata = self._session.get_modelmeta().custom_metadata_map
        if model_sha256 and metadata.get("of") != model_sha256:
            raise ModelError(f"{path} was made from another model than the one beside it")
        self.layers = [Layer(**layer) for layer in json.loads(metadata["layers"])]
        blank = np.zeros((1, SIDE, SIDE), np.float32)
        self.parameters = self._parameters(blank)
        self._paper, self._ink = (float(self._run_given(blank + level).mean()) for level in (0, 255))
        self.degrees = self._turn()

    def _parameters(self, blank: NDArray[np.float32]) -> list[Parameters]:
        places = range(len(self.layers))
        names = [f"{kind}_{place}" for kind in ("weights", "bias") for place in places]
        found = self._session.run(names, {"pixels": blank})
        given = [seen.given.shape for seen in self.of(blank[0])]
        shapes = [
            shape if layer.kernel is None else (shape[0], layer.kernel, layer.kernel)
            for shape, layer in zip(given, self.layers, strict=True)
        ]
        return [
            Parameters(weights.reshape(-1, *shape), bias)
            for weights, bias, shape in zip(found[: len(places)], found[len(places) :], shapes, strict=True)
        ]

    def of(self, pixels: NDArray[np.float32]) -> list[Seen]:
        """What each layer is given and answers of one image, float32 [28, 28]."""
        names = list(dict.fromkeys(name for layer in self.layers for name in (layer.input, layer.output)))
        found = dict(zip(names, self._session.run(names, {"pixels": pixels[None]}), strict=True))
        shape = (1, SIDE, SIDE)
        seen = []
        for layer in self.layers:
            answer = found[layer.output][0]
            seen.append(Seen(found[layer.input].reshape(shape), answer))
            shape = (*answer.shape, 1, 1)[:3]
        return seen

    def logits(self, images: NDArray[np.float32], off: Iterable[Unit] = ()) -> NDArray[np.float32]:
        """The logits, float32 [N, 10], of images, float32 [N, 28, 28], without those units of the hidden layers."""
        masks: dict[str, NDArray[np.generic]] = {}
        for unit in off:
            name = f"mask_{unit.layer}"
            masks.setdefault(name, self._mask(unit.layer))[unit.unit] = 0
        logits = np.empty((len(images), CLASSES), np.float32)
        for start in range(0, len(images), CHUNK):
            given = {"pixels": images[start : start + CHUNK], **masks}
            [logits[start : start + CHUNK]] = self._session.run(["logits"], given)
        return logits

    def _mask(self, place: int) -> NDArray[np.generic]:
        """A mask of a hidden layer that lets all its units through."""
        layer = self.layers[place]
        shape = (layer.units,) if layer.kernel is None else (layer.units, 1, 1)
        return np.ones(shape, np.float32) if layer.step is None else np.full(shape, OPEN, np.uint8)

    def given(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the first layer is given of one image, on the scale of its pixels; both float32 [28, 28]."""
        share = (self._run_given(pixels[None]) - self._paper) / (self._ink - self._paper)
        return np.clip(255 * share, 0, 255, dtype=np.float32)

    def _run_given(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        [values] = self._session.run([self.layers[0].input], {"pixels": images})
        result: NDArray[np.float32] = values.reshape(SIDE, SIDE)
        return result

    def _turn(self) -> float:
        """The network's own turn: a slope to the right and one downward tell from where each pixel comes."""
        slope = np.broadcast_to(np.linspace(0, 255, SIDE, dtype=np.float32), (SIDE, SIDE))
        right, down = (self.given(image)[MIDDLE, MIDDLE] for image in (slope, slope.T))
        along = np.arange(len(right)) - (len(right) - 1) / 2
        return round(math.degrees(math.atan2(-float((down @ along).sum()), float((right @ along).sum()))), 1) + 0.0

    def saliency(self, pixels: NDArray[np.float32], digit: int) -> Voices:
        """How much each pixel of one image with ink, float32 [28, 28], spoke for `digit`, against it below 0.

        Occlusion (Zeiler and Fergus 2014, ECCV, arXiv 1311.2901): a patch of paper is laid over each place that holds
        ink, and the fall of the digit's log-odds is the patch's voice. A pixel has the mean of the patches over it.
        """
        places = [
            (slice(row, row + PATCH), slice(column, column + PATCH))
            for row in range(0, SIDE - PATCH + 1, STEP)
            for column in range(0, SIDE - PATCH + 1, STEP)
            if pixels[row : row + PATCH, column : column + PATCH].any()
        ]
        covered = np.repeat(pixels[None], len(places) + 1, axis=0)
        for image, place in zip(covered, places, strict=False):
            image[place] = 0
        odds = _log_odds(self.logits(covered), digit)
        total, count = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
        falls = odds[-1] - odds[:-1]
        for place, fall in zip(places, falls, strict=True):
            total[place] += fall
            count[place] += 1
        most = int(np.abs(falls).argmax())
        rows, columns = places[most]
        return Voices(
            np.where(pixels > 0, total / np.maximum(count, 1), 0).astype(np.float32),
            Patch(rows.start, columns.start, float(falls[most])),
        )


def _log_odds(logits: NDArray[np.float32], digit: int) -> NDArray[np.float32]:
    """The logarithm of p / (1 - p) of `digit`, float32 [N], for logits, float32 [N, 10]."""
    others = np.delete(logits, digit, axis=1)
    peak = others.max(axis=1)
    result: NDArray[np.float32] = logits[:, digit] - peak - np.log(np.exp(others - peak[:, None]).sum(axis=1))
    return result
