"""Making UCI's 8x8 digits look like MNIST's images."""

import numpy as np
from scipy import ndimage

BOX, SIZE = 20, 28
CENTRE = 14
"""The pixel, counted from 0, on which MNIST's images have their centre of mass (mean 13.99, deviation 0.29)."""


def enlarge(images: np.ndarray) -> np.ndarray:
    """Enlarge ``images``, uint8 [N, 8, 8] with values 0 to 16, to uint8 [N, 28, 28] with values 0 to 255.

    As in MNIST, a digit stands in a box of 20x20 pixels (interpolated bilinearly), which is placed so that the ink's
    centre of mass falls on pixel (14, 14), as nearly as whole pixels and the image's edge allow.
    """
    factor = BOX / images.shape[1]
    boxes = ndimage.zoom(images * (255 / 16), (1, factor, factor), order=1, mode="nearest", grid_mode=True)
    tops, lefts = offsets(boxes.sum(axis=2)), offsets(boxes.sum(axis=1))
    large = np.zeros((len(images), SIZE, SIZE), dtype=np.uint8)
    for image, box, top, left in zip(large, np.round(boxes), tops, lefts, strict=True):
        image[top : top + BOX, left : left + BOX] = box
    return large


def offsets(ink: np.ndarray) -> np.ndarray:
    """Return where each box starts, int [N], that centres the ink along one of its sides, [N, 20]."""
    centres = ink @ np.arange(BOX) / np.maximum(ink.sum(axis=1), 1)
    return np.clip(np.round(CENTRE - centres), 0, SIZE - BOX).astype(int)
