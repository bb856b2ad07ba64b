"""What POST /explain answers: the way from an image file to the answer, step by step."""

import base64
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from serving import images, schema
from serving.model import units
from serving.model.activations import PATCH, Activations
from serving.model.recogniser import Recogniser

PICTURE_SIDE = 140  # the picture is sent back at most this large
STRONGEST = 24  # units of the first layer whose weights are given
SHOWN = 8  # units of a hidden layer that stand for it where the whole network is seen at once
DECIMALS = 6  # of a number that is told as it is

_RASTER = {"shape": [1, 1], "signed": False, "peak": 255.0, "data": "AA=="}


class Raster(schema.Strict):
    """Numbers of any shape as bytes in base64, the last axis running fastest.

    255 stands for `peak`. 0 stands for nothing; where the numbers are signed, 128 does, and 1 for minus `peak`.
    """

    shape: list[int]
    signed: bool
    peak: float
    data: str


class Turned(schema.Strict):
    """What the network makes of its pixels before its first layer sees them: turned by so many degrees, clockwise."""

    degrees: float
    pixels: Raster


class Reading(schema.Strict):
    """What the service made of the image.

    picture: the image in grey. box: top, left, bottom and right of its ink, in the picture's pixels; null where there
    is no ink, and of an image of 28x28, which is not always cropped. pixels: what the network sees. turned: null where
    the first layer is given these pixels as they are.
    """

    picture: Raster
    box: tuple[float, float, float, float] | None
    pixels: Raster
    turned: Turned | None


class LayerSeen(schema.Strict):
    """A layer and what it answers: [units], or [units, rows, columns] for a convolution. The last are the logits."""

    kind: Literal["convolution", "dense"]
    units: int
    kernel: int | None
    activation: Literal["relu", "sigmoid", "softmax"]
    values: Raster


class ColumnSeen(schema.Strict):
    """The units of a layer on which the answer rests most, of the last layer all, from left to right in `columns`.

    links: for each unit what each of the column before contributes to it at its strongest place, weights times
    activations, the picture alone before the first column; to the last in points.
    """

    units: list[int]
    links: list[list[float]]


class FirstWeights(schema.Strict):
    """The weights of those units of the first layer that answer most strongly, [units, rows, columns]."""

    units: list[int]
    weights: Raster


class Strongest(schema.Strict):
    """The patch whose covering changes the log-odds most, and by how much it lowers them.

    box: top, left, bottom and right.
    """

    box: tuple[int, int, int, int]
    voice: float


class Saliency(schema.Strict):
    """How much each pixel spoke for the digit, or below 0 against it: by how much covering it lowers the log-odds.

    A patch is covered at a time; a pixel has the mean of the patches over it.
    """

    digit: int
    values: Raster
    strongest: Strongest


class Explanation(schema.Strict):
    """The answer and the way to it. `points` are the ten logits. `saliency` is null where there is no ink."""

    answer: schema.Answer
    novelty: float
    reading: Reading
    layers: list[LayerSeen]
    points: list[float]
    columns: list[ColumnSeen]
    first_weights: FirstWeights
    saliency: Saliency | None

    examples: ClassVar[Mapping[str, schema.Json]] = {
        "shortened": {
            "answer": schema.Answer.examples["digit"],
            "novelty": 1.0213,
            "reading": {"picture": _RASTER, "box": [12.0, 40.0, 120.0, 96.0], "pixels": _RASTER, "turned": None},
            "layers": [{"kind": "dense", "units": 10, "kernel": None, "activation": "softmax", "values": _RASTER}],
            "points": [0.0, 1.5, 2.6, 2.9, 0.1, 1.5, 0.0, 10.8, 2.2, 3.5],
            "columns": [{"units": list(range(10)), "links": [[0.5]] * 10}],
            "first_weights": {"units": [0], "weights": _RASTER},
            "saliency": {
                "digit": 7,
                "values": _RASTER,
                "strongest": {"box": [4, 10, 8, 14], "voice": 7.84},
            },
        }
    }


def explain(data: bytes, recogniser: Recogniser, network: Activations) -> Explanation:
    """The way from an image file to its answer. Raises ApiError as `images.read` does."""
    grey = images.read(data)
    pixels = images.normalise(grey)
    predictions = recogniser.predict(pixels[None])
    [answer] = schema.answers(predictions, recogniser)
    seen = network.of(pixels)
    digit = int(predictions.digit[0])
    return Explanation(
        answer=schema.Answer.model_validate(answer),
        novelty=round(float(predictions.novelty[0]), 4),
        reading=_reading(grey, pixels, network),
        layers=[
            LayerSeen(
                kind=layer.kind,
                units=layer.units,
                kernel=layer.kernel,
                activation=layer.activation,
                values=raster(values, signed=layer.activation == "softmax"),
            )
            for layer, (_, values) in zip(network.layers, seen, strict=True)
        ],
        points=[round(points, DECIMALS) for points in seen[-1].answer.tolist()],
        columns=[
            ColumnSeen(units=column.units, links=column.links.round(DECIMALS).tolist())
            for column in units.columns(network, seen, digit, SHOWN)
        ],
        first_weights=_first_weights(network, seen[0].answer),
        saliency=None if answer["reason"] == "blank" else saliency(network, pixels, digit),
    )


def raster(values: NDArray[np.float32], signed: bool = False, peak: float = 0) -> Raster:
    """Numbers as bytes. Their largest byte stands for `peak`, or where it is 0 for the strongest of them."""
    peak = peak or float(np.abs(values).max())
    share = values / (peak or 1)
    levels = 128 + 127 * share if signed else 255 * share
    data = base64.b64encode(np.rint(levels).astype(np.uint8).tobytes()).decode()
    return Raster(shape=list(values.shape), signed=signed, peak=round(peak, 4), data=data)


def _reading(grey: NDArray[np.float32], pixels: NDArray[np.float32], network: Activations) -> Reading:
    """What was made of a picture, float32 [height, width], on its way to `pixels`, float32 [28, 28]."""
    height, width = grey.shape
    scale = min(1.0, PICTURE_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BOX), dtype=np.float32)
    box = images.ink_box(grey)
    scaled = box and (box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale)
    turned = (
        Turned(degrees=network.degrees, pixels=raster(network.given(pixels), peak=255)) if network.degrees else None
    )
    return Reading(picture=raster(small, peak=255), box=scaled, pixels=raster(pixels, peak=255), turned=turned)


def _first_weights(network: Activations, answers: NDArray[np.float32]) -> FirstWeights:
    strength = answers.reshape(len(answers), -1).max(axis=1)
    chosen = (
        np.argsort(-strength, kind="stable")[:STRONGEST]
        if network.layers[0].kind == "dense"
        else np.arange(len(strength))
    )
    weights = network.parameters[0].weights[chosen, 0]
    return FirstWeights(units=chosen.tolist(), weights=raster(weights, signed=True))


def saliency(network: Activations, pixels: NDArray[np.float32], digit: int) -> Saliency:
    """Which ink of one image, float32 [28, 28], with ink, spoke for `digit`."""
    values, (top, left, voice) = network.saliency(pixels, digit)
    strongest = Strongest(box=(top, left, top + PATCH, left + PATCH), voice=round(voice, 4))
    return Saliency(digit=digit, values=raster(values, signed=True), strongest=strongest)
