"""The paper, even or under uneven light, and what stands out from it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

EVEN = 8.0  # grey levels by which even paper may differ along the border
GRID = 128  # uneven ground is estimated on a picture of at most this many pixels a side
EXACT = 2.0  # grey levels by which the paper of a drawing differs
MOST = 0.7  # of a drawing is ink
WIDEST = 3  # times a stroke's width goes into the side of a picture that it fills, at least
DIM = 16.0  # light below this is not made up for


class Layer(NamedTuple):
    """What stands out from the paper.

    ink: float32 [height, width], 0 or more. ground: float32, [height, width] or [1, 1], the paper's brightness.
    dark: whether the ink is darker than the paper. noise: how strong that on the paper was, which is taken off the ink.
    relief: by how much the ground behind the ink varies. contrast: how much strong ink there is over how even a ground:
    the ground behind what is no ink has the strokes in it.
    darkness: the contrast of what is darker than its ground divided by that of what is brighter.
    """

    ink: NDArray[np.float32]
    ground: NDArray[np.float32]
    dark: bool
    noise: float = 0.0
    relief: float = 0.0
    contrast: float = 0.0
    darkness: float = 1.0


def separated(grey: NDArray[np.float32]) -> Layer:
    """The ink and the paper of brightness, float32 [height, width] in 0..255.

    Even paper has the border's middle brightness, and the ink is on the side with more contrast. Behind uneven paper
    lies a slowly varying ground, which is taken away with the noise that remains at the border.
    """
    darker, paper, lighter = levels(border(grey), 0.2, 0.5, 0.8)
    even = lighter - darker <= EVEN
    if not even:
        paper = float(np.bincount(grey.ravel().astype(np.intp)).argmax())
        even = _strokes_alone(np.abs(grey - np.float32(paper)) > EXACT)
    if even:
        ground = np.full((1, 1), paper, np.float32)
        above = grey - ground
        dark, bright = np.clip(-above, 0, None), np.clip(above, 0, None)
        if np.square(dark).sum() > np.square(bright).sum():
            return Layer(dark, ground, dark=True)
        return Layer(bright, ground, dark=False)
    bright, dark = _above_ground(grey, dark=False), _above_ground(grey, dark=True)
    darkness = dark.contrast / max(bright.contrast, 1.0)
    return (dark if darkness > 1 else bright)._replace(darkness=darkness)


def _strokes_alone(other: NDArray[np.bool_]) -> bool:
    """Whether what is not exactly like the paper, bool [height, width], is as little and as narrow as strokes are.

    So it is where a drawing, which has no grain, was cut out so closely that the border shows more ink than paper.
    """
    if other.mean() > MOST:
        return False
    widest = max(other.shape) // WIDEST | 1
    return not ndimage.minimum_filter(other, widest, mode="constant", cval=False).any()


def standing_out(grey: NDArray[np.float32], ground: NDArray[np.float32], dark: bool) -> NDArray[np.float32]:
    """How much brightness differs from the ground towards the ink: float32 [height, width], 0 or more.

    What is dark on uneven ground is measured as a share of the light that falls there: a shadow dims ink and paper.
    """
    if not dark:
        return np.maximum(grey - ground, 0)
    shade = np.maximum(ground - grey, 0)
    if ground.size > 1:
        shade *= ground.max() / np.maximum(ground, np.float32(DIM))
    return shade


def _above_ground(grey: NDArray[np.float32], dark: bool) -> Layer:
    """Ink on a slowly varying ground."""
    ground = 255 - _ground(255 - grey) if dark else _ground(grey)
    ink = standing_out(grey, ground, dark)
    [noise] = levels(frame(ink), 0.8)
    ink = np.maximum(ink - np.float32(noise), 0)
    relief = float(np.ptp(ground))
    strong = np.square(np.square(np.minimum(ink, 255)))
    return Layer(ink, ground, dark, noise, relief, float(strong.sum(dtype=np.float64)) / max(relief, 1.0) ** 2)


def _ground(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The ground behind bright strokes, float32 [height, width].

    A morphological opening (Serra 1982, "Image Analysis and Mathematical Morphology") removes whatever is narrower than
    a quarter of the picture. Beyond its border the light goes on as it changes there.
    """
    height, width = grey.shape
    size = (min(width, GRID), min(height, GRID))
    small = grey if size == (width, height) else resized(grey, size, Image.Resampling.BOX)
    reach = max(size) // 4 | 1
    around = min(reach, min(size) - 1)
    padded = np.pad(small, around, mode="reflect", reflect_type="odd") if around > 0 else small
    eroded = ndimage.minimum_filter(padded, reach, mode="nearest")
    opened = ndimage.maximum_filter(eroded, reach, mode="nearest")  # grey_opening gives the same in twice the time
    inner = slice(around, -around or None)
    return resized(np.ascontiguousarray(opened[inner, inner]), (width, height), Image.Resampling.BILINEAR)


def resized(picture: NDArray[np.float32], size: tuple[int, int], method: Image.Resampling) -> NDArray[np.float32]:
    """`picture` at another size, (width, height)."""
    return np.asarray(Image.fromarray(picture).resize(size, method))


def border(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The outermost pixels of a picture, [height, width], one after the other."""
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def frame(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The pixels of the border and, where there are any within, of the next ring."""
    inner = grey[1:-1, 1:-1]
    return np.concatenate([border(grey), border(inner)]) if inner.size else border(grey)


def levels(values: NDArray[np.float32], *shares: float) -> list[float]:
    """The quantiles of a few `values`, without interpolation: much quicker than NumPy's."""
    ordered = np.sort(values)
    return [float(ordered[round(share * (len(ordered) - 1))]) for share in shares]
