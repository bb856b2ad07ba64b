"""What the tab "Dreams" shows: what each unit of the champion wants to see, deep dreams, and pictures that fool it.

All that is told of a picture is measured in the file that is served, after the picture was rounded to what is shown.
What "the network" answers is that file's probabilities; what "the service" answers is what an image file of the picture
gets, with abstention and novelty.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from pipeline.audits.inputs.attacks import AsServed
from pipeline.audits.inputs.soften import soften
from pipeline.drawing.fit import fitted
from pipeline.showcase.dream import FRAMES, dream
from pipeline.showcase.fool import smallest_change
from pipeline.showcase.samples import DIGITS, inked
from pipeline.showcase.served import Part, Served, config_of, parts, twin
from pipeline.showcase.sheets import COLUMNS, coarse, sheet
from pipeline.showcase.visualise import visualise
from serving.contract import CLASSES, SIDE
from serving.images import normalise_all
from serving.model.recogniser import Recogniser

Images = NDArray[np.uint8]
Json = dict[str, Any]

LOOKED_THROUGH = 10_000
"""Training digits at most, from all over the set, among which those are found that excite a unit most."""
EXAMPLES = 3
"""Of these, for each unit."""
UNITS = 64
"""Of a dense hidden layer, the first, at most."""
PEN = 0.13
"""The width of what is drawn, a share of its size."""
EVEN, SURE = 0.5, 0.99
"""How probable the wrong digit is made: as all others together, or beyond doubt."""
SEED = 0


def make(
    content: bytes, run: Mapping[str, Any], recogniser: Recogniser, images: Images, labels: Images
) -> dict[str, bytes]:
    """The view's files by name: dreams.json, and sheets of pictures to which its numbers point.

    Args:
        content: of the champion's model.onnx; run: what its run.json says; recogniser: of the same model.
        images, labels: what it learnt from, uint8 [N, 28, 28] and [N].
    """
    every = -(-len(images) // LOOKED_THROUGH)
    chain, drawn = twin(content, config_of(run)), drawings()
    units, examples, told = gallery(Served(content), parts(chain), images[::every], labels[::every])
    dreamt = [dream(part.answers, drawn, SEED) for part in parts(chain)[:-1]]
    frames = coarse(np.concatenate(dreamt or [drawn[:0, None]]))
    fooling, fooled = fools(AsServed(soften(chain)[0], recogniser), recogniser, drawn)
    classes = units[-CLASSES:]
    told |= {
        "name": recogniser.name,
        "version": recogniser.version,
        "columns": COLUMNS,
        "classes": answers(recogniser, classes),
        "steps": list(FRAMES),
        "dreams": [one["network"] for one in answers(recogniser, frames.reshape(-1, SIDE, SIDE))],
        **fooled,
    }
    return {
        "dreams.json": json.dumps(told, separators=(",", ":")).encode(),
        "dreams-units.png": sheet(units),
        "dreams-examples.png": sheet(examples),
        "dreams-frames.png": sheet(frames.reshape(-1, SIDE, SIDE)),
        "dreams-fools.png": sheet(fooling),
    }


def drawings() -> Images:
    """The ten digits, drawn by code: uint8 [10, 28, 28]."""
    return np.stack([fitted(inked(strokes, PEN)) for strokes in DIGITS])


def gallery(served: Served, seen: Sequence[Part], images: Images, labels: Images) -> tuple[Images, Images, Json]:
    """The pictures that excite each unit, layer by layer, the digits of ``images`` that do so most, and what is told.

    Of each unit it is told how strongly its picture excites it, and how strongly the best of the digits; and which
    digits excite it most, by their places in the second array.
    """
    wanted: list[Images] = []
    best: list[NDArray[np.int64]] = []
    layers: list[Json] = []
    for layer, part, strength in zip(served.layers, seen, served.excitements(images), strict=True):
        count = layer.units if layer.kernel or part is seen[-1] else min(layer.units, UNITS)
        units = np.arange(count)
        pictures = coarse(visualise(part.sums, count, SEED))
        told = {
            "kind": layer.kind,
            "units": layer.units,
            "kernel": layer.kernel,
            "sees": part.sees,
            "first": sum(len(one) for one in wanted),
            "own": [short(one) for one in served.excitements(pictures)[len(layers)][units, units]],
            "best": [short(one) for one in strength[:, units].max(axis=0)],
        }
        wanted.append(pictures)
        best.append(np.argsort(-strength[:, units], axis=0, kind="stable")[:EXAMPLES].T)
        layers.append(told)
    rows = np.unique(np.concatenate(best))
    for told, of_layer in zip(layers, best, strict=True):
        told["examples"] = np.searchsorted(rows, of_layer).tolist()
    about = {"looked_through": len(images), "layers": layers, "labels": labels[rows].tolist()}
    return np.concatenate(wanted), coarse(images[rows]), about


def fools(attacked: nn.Module, recogniser: Recogniser, drawn: Images) -> tuple[Images, Json]:
    """Pictures that are taken for what they are not, uint8 [N, 28, 28], and what is told of them.

    First 10 for each digit that is drawn, the smallest changes that make it 0 to 9; then one for each digit, the
    nearest of these led on until the network is sure; then, for each digit, noise that it is sure to be one.
    """
    digits = np.arange(CLASSES)
    origin, targets = np.repeat(drawn, CLASSES, axis=0), np.tile(digits, CLASSES)
    others = np.flatnonzero(targets != np.repeat(digits, CLASSES))
    changed = origin.copy()
    changed[others] = smallest_change(attacked, origin[others], targets[others], EVEN)
    halfway = np.rint((origin.astype(np.float32) + changed) / 2).astype(np.uint8)
    near = described(recogniser, origin, changed, targets)
    for one, half in zip(near, answers(recogniser, halfway), strict=True):
        one["half"] = half["network"]
    sizes = np.array([one["size"] or np.inf for one in near]).reshape(CLASSES, CLASSES)
    nearest = sizes.argmin(axis=1)
    sure = smallest_change(attacked, drawn, nearest, SURE)
    noise = np.random.default_rng(SEED).integers(0, 256, drawn.shape, dtype=np.uint8)
    taken = smallest_change(attacked, noise, digits, SURE)
    told = {
        "nearest": nearest.tolist(),
        "near": near,
        "sure": described(recogniser, drawn, sure, nearest),
        "noise": described(recogniser, noise, taken, digits),
    }
    return np.concatenate([changed, sure, taken]), told


def described(recogniser: Recogniser, before: Images, after: Images, targets: NDArray[np.int64]) -> list[Json]:
    """Of each picture, uint8 [N, 28, 28], what became of it: what was wanted, how much was changed, and the answers.

    size: the Euclidean length of the change, a pixel's whole range being 1; 0 where nothing was found. most: by how
    many of 255 levels the pixel changed that changed most.
    """
    change = after.astype(np.int64) - before
    return [
        {
            "to": int(target),
            "size": short(np.linalg.norm(one) / 255),
            "pixels": int((one != 0).sum()),
            "most": int(np.abs(one).max()),
            **answer,
        }
        for target, one, answer in zip(targets, change, answers(recogniser, after), strict=True)
    ]


def answers(recogniser: Recogniser, pictures: Images) -> list[Json]:
    """What the network answers to each of the pictures, uint8 [N, 28, 28], and what the service does."""
    pixels = pictures.astype(np.float32)
    probabilities, _ = recogniser.look(pixels)
    told = recogniser.predict(normalise_all(pixels))
    return [
        {
            "network": {"digit": int(shares.argmax()), "confidence": round(float(shares.max()), 4)},
            "service": {"digit": None if abstained else int(digit), "reason": reason},
        }
        for shares, digit, abstained, reason in zip(probabilities, told.digit, told.abstained, told.reason, strict=True)
    ]


def short(number: float | np.floating[Any]) -> float:
    """A number to four digits."""
    return float(f"{number:.4g}")
