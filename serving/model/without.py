"""What POST /without answers: the network with some of its units switched off."""

import io
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from serving import images, schema
from serving.contract import CLASSES, SIDE
from serving.model.activations import Activations, Unit
from serving.model.explain import DECIMALS
from serving.model.touch import within

MOST = 64  # units off at once


class WithoutAsked(schema.Strict):
    """Which units are switched off."""

    off: Annotated[
        str,
        Field(
            pattern=rf"^([0-9]{{1,2}}\.[0-9]{{1,4}}(,[0-9]{{1,2}}\.[0-9]{{1,4}}){{0,{MOST - 1}}})?$",
            description="Units of hidden layers, as LAYER.UNIT, both counted from 0, with commas between.",
        ),
    ] = ""

    def units(self) -> list[Unit]:
        pairs = (unit.split(".") for unit in self.off.split(",") if unit)
        return [Unit(int(layer), int(unit)) for layer, unit in pairs]


class Answered(schema.Strict):
    """The network's own answer to the image, without the rules by which the service abstains."""

    digit: int
    points: list[float]
    probabilities: list[schema.Probability]


class Examined(schema.Strict):
    """How many test digits were asked about, how many were right with all units on and how many without these; and the
    same of each digit."""

    images: list[int]
    right: list[int]
    right_without: list[int]


class Without(schema.Strict):
    """The answers with all units on and without these. `test` is null where no test digits were packaged."""

    off: str
    whole: Answered
    without: Answered
    test: Examined | None

    examples: ClassVar = {
        "short": {
            "off": "1.30",
            "whole": {"digit": 7, "points": [0.0] * 7 + [9.0, 0.0, 0.0], "probabilities": [0.0] * 7 + [1.0, 0.0, 0.0]},
            "without": {
                "digit": 9,
                "points": [0.0] * 9 + [9.0],
                "probabilities": [0.0] * 9 + [1.0],
            },
            "test": {"images": [50] * 10, "right": [50] * 10, "right_without": [49] * 10},
        }
    }


class HeldOut:
    """Digits that the network never learnt from, read when they are first asked about.

    `path`: a picture of ten rows, one for each digit from 0 on, its images beside each other.
    """

    def __init__(self, path: Path, network: Activations) -> None:
        self._path, self._network = path, network

    @cached_property
    def images(self) -> NDArray[np.float32] | None:
        """The digits as `read` gives them, None where there are none."""
        return read(self._path.read_bytes()) if self._path.exists() else None

    @cached_property
    def _right(self) -> list[int]:
        return self._count([])

    def examine(self, off: list[Unit]) -> Examined | None:
        """The network's accuracy with those units switched off."""
        if self.images is None:
            return None
        of_each = [len(self.images) // CLASSES] * CLASSES
        return Examined(images=of_each, right=self._right, right_without=self._count(off))

    def _count(self, off: list[Unit]) -> list[int]:
        """How many of each digit are right."""
        assert self.images is not None
        found = self._network.logits(self.images, off).argmax(axis=1).reshape(CLASSES, -1)
        right: list[int] = (found == np.arange(CLASSES)[:, None]).sum(axis=1).tolist()
        return right


def read(sheet: bytes) -> NDArray[np.float32]:
    """The digits of such a picture, as the network takes them: float32 [10 n, 28, 28], n of each digit in turn."""
    rows = np.asarray(Image.open(io.BytesIO(sheet)), np.float32).reshape(CLASSES, SIDE, -1, SIDE).swapaxes(1, 2)
    return images.normalise_all(np.ascontiguousarray(rows.reshape(-1, SIDE, SIDE)))


def without(data: bytes, network: Activations, held_out: HeldOut, asked: WithoutAsked) -> Without:
    """The answer to an image file without those units. Raises ApiError as `images.read` does, and 422 where the network
    has no such unit in a hidden layer."""
    off = asked.units()
    for unit in off:
        within("each layer in off", unit.layer, len(network.layers) - 1)
        within("each unit in off", unit.unit, network.layers[unit.layer].units)
    pixels = images.normalise(images.read(data))[None]
    return Without(
        off=asked.off,
        whole=answered(network.logits(pixels)[0]),
        without=answered(network.logits(pixels, off)[0]),
        test=held_out.examine(off),
    )


def answered(logits: NDArray[np.float32]) -> Answered:
    """The answer in ten logits, float32 [10]."""
    shares = np.exp(logits.astype(np.float64) - logits.max())
    return Answered(
        digit=int(logits.argmax()),
        points=[round(points, DECIMALS) for points in logits.tolist()],
        probabilities=[round(share, DECIMALS) for share in (shares / shares.sum()).tolist()],
    )
