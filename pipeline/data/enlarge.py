"""Making UCI's 8x8 digits look like MNIST's images."""

import numpy as np
from scipy import ndimage

BOX, SIZE = 20, 28


def enlarge(images: np.ndarray) -> np.ndarray:
    """Enlarge ``images``, uint8 [N, 8, 8] with values 0 to 16, to uint8 [N, 28, 28] with values 0 to 255.

    As in MNIST, a digit fills a box of 20x20 pixels (interpolated bilinearly), which is placed so that the ink's centre
    of mass falls on the middle of the image, as nearly as whole pixels and the image's edge allow.
    """
    factor = BOX / images.shape[1]
    boxes = ndimage.zoom(images / 16 * 255, (1, factor, factor), order=1, mode="nearest", grid_mode=True)
    rows, columns = boxes.sum(axis=2), boxes.sum(axis=1)
    middles = np.arange(BOX) + 0.5
    mass = np.maximum(rows.sum(axis=1), 1)
    large = np.zeros((len(images), SIZE, SIZE), dtype=np.uint8)
    tops, lefts = (np.clip(np.round(SIZE / 2 - side @ middles / mass), 0, SIZE - BOX).astype(int) for side in (rows, columns))
    for image, box, top, left in zip(large, np.round(boxes), tops, lefts, strict=True):
        image[top : top + BOX, left : left + BOX] = box
    return large
