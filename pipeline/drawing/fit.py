"""From ink on a canvas to an image by MNIST's convention: its box 20 pixels long, its centre of mass in the middle."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

IMAGE = 28
BOX = 20
CENTRE = 14
FAINT = 0.1


def fitted(
    ink: NDArray[np.float64], box: int = BOX, method: Image.Resampling = Image.Resampling.BILINEAR
) -> NDArray[np.uint8]:
    """The image, uint8 [28, 28], of ink, float [H, W] in 0 to 1, whose longer side comes to measure ``box`` pixels."""
    seen = ink > FAINT * ink.max()
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, round(length * box / max(cut.shape))) for length in cut.shape)
    small = np.asarray(Image.fromarray(cut.astype(np.float32)).resize((width, height), method))
    small = np.clip(small / small.max(), 0, 1)
    down, right = (float((small.sum(axis) * np.arange(small.shape[1 - axis])).sum() / small.sum()) for axis in (1, 0))
    top = min(max(round(CENTRE - down), 0), IMAGE - height)
    left = min(max(round(CENTRE - right), 0), IMAGE - width)
    image = np.zeros((IMAGE, IMAGE), np.uint8)
    image[top : top + height, left : left + width] = np.rint(small * 255)
    return image
