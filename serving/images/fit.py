"""Ink of any size brought to MNIST's box, to its place, and towards its width of stroke."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from serving.contract import SIDE
from serving.images.ground import resized

BOX = 20
CENTRE = 14  # the pixel, counted from 0, nearest to which MNIST's images have their centre of mass
THINNEST, THICKEST = 1.5, 3.4  # pixels in the box within which MNIST's strokes are nearly all
THIN, THICK = 2.0, 3.0  # what narrower and wider ones are brought to
FINE = 5  # times the box's pixels, in which strokes are drawn anew


def fitted(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale ink, float32 [height, width], cut out to its edges, to fit 20x20 and put its centre of mass on its place.

    Float32 [28, 28] in 0..255. Strokes much thinner or thicker than MNIST's are first drawn anew.
    """
    width = stroke_width(ink) * BOX / max(ink.shape)
    if not THINNEST <= width <= THICKEST:
        ink = _redrawn(ink, width)
    height, across = ink.shape
    scale = BOX / max(height, across)
    size = (max(1, round(across * scale)), max(1, round(height * scale)))
    small = resized(np.ascontiguousarray(ink), size, Image.Resampling.BILINEAR)
    small = small / small.max() * 255  # in this order nothing exceeds 255
    down, right = (CENTRE - float(place[0]) for place in centre_of_mass(small[None]))
    top = min(max(round(down), 0), SIDE - size[1])
    left = min(max(round(right), 0), SIDE - size[0])
    canvas = np.zeros((SIDE, SIDE), np.float32)
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas


def stroke_width(ink: NDArray[np.float32]) -> float:
    """How wide the strokes of `ink`, float32 [height, width], are on average, in its pixels: twice area by outline."""
    share = np.minimum(np.pad(ink, 1) / np.float32(0.9 * ink.max()), 1)
    outline = np.hypot(np.diff(share, axis=0)[:, :-1], np.diff(share, axis=1)[:-1]).sum(dtype=np.float64)
    return float(2 * share.sum(dtype=np.float64) / outline)


def _redrawn(ink: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Strokes of `width`, in pixels of the box, made wider or narrower: float32, cut out to their edges."""
    side = BOX * FINE
    scale = side / max(ink.shape)
    size = (max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
    if width < THIN and scale < 1:  # fine lines must not fade
        ink = ndimage.maximum_filter(ink, round(1 / scale))
    large = np.pad(resized(np.ascontiguousarray(ink), size, Image.Resampling.BICUBIC), 2 * FINE)
    strokes = large > 0.5 * large.max()
    if width < THIN:
        change = FINE * (THIN - width) / 2
        drawn = 0.5 + change - ndimage.distance_transform_edt(~strokes)
    else:
        depth = ndimage.distance_transform_edt(strokes)
        drawn = depth - FINE * (width - THICK) / 2
    anew: NDArray[np.float32] = np.clip(drawn, 0, 1).astype(np.float32) * 255
    rows, columns = (np.flatnonzero(anew.any(axis=axis)) for axis in (1, 0))
    return anew[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def centre_of_mass(pictures: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column, float64 [N] each, of the centre of mass of each of `pictures`, [N, height, width]."""
    rows = pictures.sum(axis=2, dtype=np.float64)
    columns = pictures.sum(axis=1, dtype=np.float64)
    total = np.maximum(rows.sum(axis=1), 1)
    down = (rows * np.arange(rows.shape[1])).sum(axis=1) / total
    right = (columns * np.arange(columns.shape[1])).sum(axis=1) / total
    return down, right
