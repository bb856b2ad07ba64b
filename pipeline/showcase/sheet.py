"""The sheet of digits that the page's own network learns from, and the recipe by which it learns.

Digits of the training images to learn from and of the validation images to measure by; the test set has no part in it.
"""

import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.models.networks import MEAN, STD
from pipeline.showcase.sheets import tiled

Split = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Images, uint8 [N, 28, 28], and labels, uint8 [N]."""

TRAINING, HELD_OUT = 2500, 500
"""At most so many digits of each: 0.2 MB."""
COLUMNS = 50
LEVELS = 4
STEP = 255 // (LEVELS - 1)
"""From one grey to the next."""

RECIPE: dict[str, Any] = {
    "hidden": [16, 16],
    "epochs": 30,
    "batch_size": 32,
    "learning_rates": {"sigmoid": 0.02, "relu": 0.003},
    "weight_decay": 0.1,
}
"""The perceptron's, but for epochs and batches, which suit fewer digits, 2,340 steps, and for ReLU's learning rate: at
a larger one what rounds otherwise ends elsewhere."""


def make(training: Split, held_out: Split) -> dict[str, bytes]:
    """The sheet, digits beside and below each other in 4 greys, and what is needed to read it and to learn from it."""
    parts = [chosen(training, TRAINING), chosen(held_out, HELD_OUT)]
    images, labels = (np.concatenate(both) for both in zip(*parts, strict=True))
    told = {
        "training": len(parts[0][0]),
        "held_out": len(parts[1][0]),
        "columns": COLUMNS,
        "labels": "".join(map(str, labels)),
        "mean": MEAN,
        "deviation": STD,
        "recipe": RECIPE,
    }
    return {"sheet.png": png(tiled(quantised(images), COLUMNS)), "sheet.json": json.dumps(told).encode()}


def chosen(split: Split, count: int) -> Split:
    """So many of a split's digits at random, or all where it has no more."""
    images, labels = split
    rows = np.random.default_rng(0).permutation(len(images))[:count]
    return images[rows], labels[rows]


def quantised(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The nearest of 4 greys, 0 to 3, of each pixel."""
    return np.rint(images / STEP).astype(np.uint8)


def png(greys: NDArray[np.uint8]) -> bytes:
    """A PNG of two bits a pixel, of greys, uint8 [H, W] with values 0 to 3."""
    picture = Image.fromarray(greys).convert("P")
    picture.putpalette([level for grey in range(LEVELS) for level in [grey * STEP] * 3])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", bits=2, optimize=True)
    return buffer.getvalue()
