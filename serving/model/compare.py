"""What POST /compare answers: the same drawing as several networks read it, and why each reads it so."""

import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from serving import images, schema
from serving.contract import SIDE
from serving.model.activations import PATCH, Activations
from serving.model.explain import DECIMALS, Raster, Saliency, raster, saliency
from serving.model.without import Answered, answered

LIST = "compare.json"


class Network(schema.Strict):
    """A network: its name, what it is in words, how many weights and biases it has, the share of the test digits that
    it reads right, and what this copy of it lacks, where it lacks anything."""

    name: str
    title: str
    parameters: int
    accuracy: Annotated[float, Field(ge=0, le=1)]
    note: str | None = None


class Ink(schema.Strict):
    """Why a network without hidden layers reads `digit` and not `rival`, in points: start + gained + lost = lead.

    start: the lead that `digit` has on an empty sheet. pixels: what the ink of each adds to that, above zero or below.
    """

    digit: int
    rival: int
    start: float
    gained: float
    lost: float
    lead: float
    pixels: Raster


class Reader(schema.Strict):
    """A network's reading. saliency: which ink spoke for its digit, and uncovered the digit that it reads once the
    strongest patch is covered; both are null where there is no ink. ink: null where there is a hidden layer."""

    network: Network
    served: bool
    answer: Answered
    saliency: Saliency | None
    covered: int | None
    ink: Ink | None


class Comparison(schema.Strict):
    """What each network reads, from the simplest on. pixels: what all of them are given. By which rules the service
    abstains does not count here."""

    pixels: Raster
    readers: list[Reader]

    examples: ClassVar = {
        "short": {
            "pixels": {"shape": [1, 1], "signed": False, "peak": 255.0, "data": "AA=="},
            "readers": [
                {
                    "network": {"name": "toy", "title": "a toy", "parameters": 7850, "accuracy": 0.92, "note": None},
                    "served": True,
                    "answer": {
                        "digit": 7,
                        "points": [0.0] * 7 + [9.0, 0.0, 0.0],
                        "probabilities": [0.0] * 7 + [1.0, 0.0, 0.0],
                    },
                    **dict.fromkeys(("saliency", "covered", "ink")),
                }
            ],
        }
    }


class Contender(NamedTuple):
    """A network that is compared, and its graph with the layers open."""

    about: Network
    inside: Activations


class Contenders:
    """The networks that are compared, loaded when they are first asked: compare.json in `folder` tells of them, and
    each lies there as compare_NAME.onnx.xz, but for the one that is served, which is at hand as `inside`."""

    def __init__(self, folder: Path, served: str, inside: Activations) -> None:
        self._folder, self._served, self._inside = folder, served, inside

    @cached_property
    def all(self) -> list[Contender]:
        path = self._folder / LIST
        listed = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        found = ((about, self._graph(about.name)) for about in map(Network.model_validate, listed))
        return [Contender(about, graph) for about, graph in found if graph]

    def _graph(self, name: str) -> Activations | None:
        """None where its file is not there, as beside another champion than the one that the list was made for."""
        path = self._folder / f"compare_{name}.onnx.xz"
        if name == self._served:
            return self._inside
        return Activations(path) if path.exists() else None

    def compare(self, data: bytes) -> Comparison:
        """How each network reads an image file. Raises ApiError as `images.read` does."""
        pixels = images.normalise(images.read(data))
        readers = [_reader(one, pixels, one.about.name == self._served) for one in self.all]
        return Comparison(pixels=raster(pixels, peak=255), readers=readers)


def _reader(contender: Contender, pixels: NDArray[np.float32], served: bool) -> Reader:
    network = contender.inside
    logits = network.logits(pixels[None])[0]
    answer = answered(logits)
    spoke = saliency(network, pixels, answer.digit) if pixels.any() else None
    covered = None
    if spoke:
        top, left, _, _ = spoke.strongest.box
        without = pixels.copy()
        without[top : top + PATCH, left : left + PATCH] = 0
        covered = int(network.logits(without[None])[0].argmax())
    return Reader(
        network=contender.about,
        served=served,
        answer=answer,
        saliency=spoke,
        covered=covered,
        ink=_ink(network, pixels, logits) if len(network.layers) == 1 and spoke else None,
    )


def _ink(network: Activations, pixels: NDArray[np.float32], logits: NDArray[np.float32]) -> Ink:
    """The sums of a network of one layer, for one image, float32 [28, 28], with its ten logits."""
    rival, digit = np.argsort(logits, kind="stable")[-2:].tolist()
    [seen], [blank] = network.of(pixels), network.of(np.zeros((SIDE, SIDE), np.float32))
    [(weights, _)], [layer] = network.parameters, network.layers
    weight = (weights[digit, 0].astype(np.float64) - weights[rival, 0]) / layer.divisor
    added = (seen.given[0].astype(np.float64) - blank.given[0]) * weight
    return Ink(
        digit=digit,
        rival=rival,
        start=round(float(blank.answer[digit]) - float(blank.answer[rival]), DECIMALS),
        gained=round(float(added[added > 0].sum()), DECIMALS),
        lost=round(float(added[added < 0].sum()), DECIMALS),
        lead=round(float(logits[digit]) - float(logits[rival]), DECIMALS),
        pixels=raster(added.astype(np.float32), signed=True),
    )
