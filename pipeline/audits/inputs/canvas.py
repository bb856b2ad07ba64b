"""Digits at a random size and place on a larger canvas, as people photograph, scan and draw them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDES = (40, 64, 96, 140, 200, 280)
"""Of the canvases, in pixels; 40 is affNIST's."""
SMALLEST = 24
"""Pixels that the digit's 28x28 frame takes at least, so that the digit itself is 17 pixels high or wide."""
SMALLEST_SHARE = 0.2
"""Of the canvas' side, in the same way."""


@dataclass(frozen=True)
class Layout:
    """Where N frames lie on canvases of ``side`` pixels: their sizes, int [N], and top left corners, int [2, N]."""

    side: int
    sizes: NDArray[np.int64]
    corners: NDArray[np.int64]


def layout(count: int, side: int, rng: np.random.Generator) -> Layout:
    """Draw ``count`` frames: their size evenly on a logarithmic scale, up to the whole canvas, their place anywhere."""
    low, high = max(SMALLEST, SMALLEST_SHARE * side), side
    sizes = np.rint(np.exp(rng.uniform(np.log(low), np.log(high), count))).astype(int)
    return Layout(side, sizes, rng.integers(0, side - sizes + 1, (2, count)))


def place(images: NDArray[np.uint8], where: Layout) -> NDArray[np.uint8]:
    """Put each of ``images``, uint8 [N, 28, 28] with bright ink, on a black canvas: uint8 [N, side, side]."""
    canvases = np.zeros((len(images), where.side, where.side), np.uint8)
    for canvas, image, size, top, left in zip(canvases, images, where.sizes, *where.corners, strict=True):
        large = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
        canvas[top : top + size, left : left + size] = large
    return canvases
