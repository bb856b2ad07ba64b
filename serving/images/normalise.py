"""From brightness of any size to the 28x28 pixels that the network knows.

MNIST's convention (LeCun et al. 1998, Proceedings of the IEEE 86): bright ink on a dark ground, the ink's bounding box
scaled to fit 20x20 with its aspect kept, and its centre of mass put on pixel (14, 14) of 28x28.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from serving.images import memory
from serving.model.recogniser import BLANK_CONTRAST, SIDE

INK_BYTES = 28  # of each pixel of a picture while its ink is told from the paper
BOX = 20
CENTRE = 14  # the pixel, counted from 0, nearest to which MNIST's images have their centre of mass
OFF_CENTRE = 0.52  # how far from it MNIST's 70,000 images have it at most, along either axis
INK = 0.2  # share of the strongest ink above which a pixel counts as ink
FAINT = 0.1  # the same where MNIST's own box is measured: its longer side is 20, with 20 exceptions down to 18
SMALL, LARGE = 17, 22  # what the longer side of the ink's box may measure in a 28x28 picture
FULL = 230.0  # ink at least this bright is not stretched
PEAK = 0.95  # quantile of the ink's pixels that is stretched to 255
PAPER_SHARE = 0.4  # of a 28x28 picture that is spotless paper; MNIST's images have 0.55 or more
EVEN = 8.0  # grey levels by which even paper may differ along the border
NOISY = 0.1  # share of the strongest ink beyond which what the paper shows makes place and size uncertain
ROUGH = 0.2  # the same, beyond which an uneven ground cannot be taken away without harm to the ink
DARK = 5.0  # how much more contrast dark ink must have than bright on such a ground
SPECKS = 2  # lone bright pixels that a picture may have before they count as noise
GRID = 40  # the ground is estimated on a picture of at most this many pixels a side
EIGHT = np.ones((3, 3), np.bool_)  # pixels touch over edges and corners


def normalise(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring brightness, float32 [height, width] in 0..255, to MNIST's convention, float32 [28, 28] in 0..255.

    A 28x28 picture that keeps the convention passes unchanged but for its polarity. From any other picture the paper,
    even or with shadows, is taken away; the contrast is stretched; the ink is scaled to its box and centred. In a
    28x28 picture what cannot be told apart reliably is left as it is: everything where the border shows two papers or
    the ground is rough, as behind clouds; place and size where there is noise or more than a digit. Where there is no
    ink the result is all zero.
    """
    if grey.shape == (SIDE, SIDE):
        for picture in (grey, 255 - grey):
            if conforming(picture[None])[0]:
                return picture
        return _repair(grey)
    with memory.reserve(INK_BYTES * grey.size):
        layer = _ink(grey)
        if layer.ink.max() < BLANK_CONTRAST:
            return np.zeros((SIDE, SIDE), np.float32)
        return _fit(layer.ink, layer.noise > 0)


def normalise_all(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring each of `pictures`, float32 [N, height, width], to what `normalise` gives: float32 [N, 28, 28].

    Quicker than one by one where most of them keep MNIST's convention.
    """
    result = np.empty((len(pictures), SIDE, SIDE), np.float32)
    left = np.ones(len(pictures), np.bool_)
    bring = normalise
    if pictures.shape[1:] == (SIDE, SIDE):
        for candidates in (pictures, 255 - pictures):
            found = left & conforming(candidates)
            result[found] = candidates[found]
            left &= ~found
        bring = _repair
    for index in np.flatnonzero(left):
        result[index] = bring(pictures[index])
    return result


def conforming(pictures: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each of `pictures`, float32 [N, 28, 28] in 0..255, keeps MNIST's convention: bool [N].

    The paper is 0, the ink reaches full brightness, its box measures about 20 and its centre of mass is in its place.
    """
    peak = pictures.max(axis=(1, 2))
    paper = (pictures == 0).sum(axis=(1, 2)) >= PAPER_SHARE * SIDE * SIDE
    ink = pictures > FAINT * peak[:, None, None]
    side = np.maximum(_extent(ink.any(axis=2)), _extent(ink.any(axis=1)))
    down, right = _centre_of_mass(pictures)
    off = np.maximum(np.abs(down - CENTRE), np.abs(right - CENTRE))
    result: NDArray[np.bool_] = (peak >= FULL) & paper & (side >= SMALL) & (side <= LARGE) & (off <= OFF_CENTRE)
    return result


def _extent(occupied: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How far it is from the first to the last true one in each row of `occupied`, bool [N, L]: int64 [N]."""
    length = occupied.shape[1]
    extent: NDArray[np.int64] = length - occupied.argmax(axis=1) - occupied[:, ::-1].argmax(axis=1)
    return extent


def _centre_of_mass(pictures: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column, float64 [N] each, of the centre of mass of each of `pictures`, [N, height, width]."""
    rows = pictures.sum(axis=2, dtype=np.float64)
    columns = pictures.sum(axis=1, dtype=np.float64)
    total = np.maximum(rows.sum(axis=1), 1)
    down = (rows * np.arange(rows.shape[1])).sum(axis=1) / total
    right = (columns * np.arange(columns.shape[1])).sum(axis=1) / total
    return down, right


def _repair(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring a 28x28 picture to the convention as far as its paper and its ink can be told apart."""
    if _two_toned(_border(grey)):
        return grey
    layer = _ink(grey)
    noise, peak = layer.noise, float(layer.ink.max())
    if peak < BLANK_CONTRAST:
        return np.zeros_like(grey)
    if noise > ROUGH * peak and layer.relief > 3 * noise:
        return 255 - grey if layer.darkness > DARK else grey
    ink = _stretch(layer.ink)
    strokes = ink > INK * ink.max()
    (top, bottom), (left, right) = _bounds(strokes)
    side = max(bottom - top, right - left)
    if noise > NOISY * peak or _specks(strokes) > SPECKS or side > LARGE:
        return ink
    if side < SMALL:
        return _fit(ink, noise > 0)
    down, across = (float(CENTRE - place[0]) for place in _centre_of_mass(ink[None]))
    down, across = (0.0 if abs(shift) <= OFF_CENTRE else shift for shift in (down, across))
    rows = min(max(round(down), -top), SIDE - bottom)
    columns = min(max(round(across), -left), SIDE - right)
    return np.roll(ink * _window(rows, columns), (rows, columns), axis=(0, 1))


def _window(rows: int, columns: int) -> NDArray[np.float32]:
    """One where a pixel stays in a 28x28 picture that is moved by `rows` and `columns`, zero where it leaves it."""
    window = np.ones((SIDE, SIDE), np.float32)
    window[SIDE - rows if rows > 0 else 0 : SIDE if rows > 0 else -rows] = 0
    window[:, SIDE - columns if columns > 0 else 0 : SIDE if columns > 0 else -columns] = 0
    return window


class _Layer(NamedTuple):
    """What was told of a picture's ink.

    ink: float32 [height, width], 0 or more. noise: how strong that on the paper was, which is taken off the ink.
    relief: by how much the ground behind the ink varies. contrast: how much ink stands out from the noise.
    darkness: the contrast of what is darker than its ground divided by that of what is brighter.
    """

    ink: NDArray[np.float32]
    noise: float = 0.0
    relief: float = 0.0
    contrast: float = 0.0
    darkness: float = 1.0


def _ink(grey: NDArray[np.float32]) -> _Layer:
    """What stands out from the paper.

    Even paper has the border's middle brightness, and the ink is on the side with more contrast. Behind uneven paper
    lies a slowly varying ground, which is taken away with the noise that remains at the border.
    """
    border = _border(grey)
    darker, paper, lighter = _levels(border, 0.2, 0.5, 0.8)
    if lighter - darker <= EVEN:
        above = grey - np.float32(paper)
        dark, bright = np.clip(-above, 0, None), np.clip(above, 0, None)
        return _Layer(dark if np.square(dark).sum() > np.square(bright).sum() else bright)
    ink, shade = _above_ground(grey), _above_ground(255 - grey)
    darkness = shade.contrast / max(ink.contrast, 1.0)
    return (shade if darkness > 1 else ink)._replace(darkness=darkness)


def _above_ground(grey: NDArray[np.float32]) -> _Layer:
    """Ink brighter than a slowly varying ground."""
    ground = _ground(grey)
    ink = np.maximum(grey - ground, 0)
    noise, strongest_noise = (float(level) for level in np.quantile(_frame(ink), (0.8, 0.95)))
    excess = np.maximum(ink - np.float32(strongest_noise), 0)
    contrast = float(np.square(excess, out=excess).sum())
    ink -= np.float32(noise)
    return _Layer(np.maximum(ink, 0, out=ink), noise, float(np.ptp(ground)), contrast)


def _ground(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The ground behind bright strokes, float32 [height, width]: a morphological opening, smoothed.

    The opening (Serra 1982, "Image Analysis and Mathematical Morphology") removes whatever is narrower than a quarter
    of the picture.
    """
    height, width = grey.shape
    size = (min(width, GRID), min(height, GRID))
    small = grey if size == (width, height) else _resized(grey, size, Image.Resampling.BOX)
    reach = max(size) // 4 | 1
    eroded = ndimage.minimum_filter(small, reach, mode="nearest")
    opened = ndimage.maximum_filter(eroded, reach, mode="nearest")  # grey_opening gives the same in twice the time
    return _resized(_mean(opened, reach), (width, height), Image.Resampling.BILINEAR)


def _mean(picture: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """The mean of the square of `reach`, an odd number of pixels, around each pixel: float32 [height, width].

    Added up in float32: ndimage's uniform_filter adds in float64, and other last bits are other answers than those
    that were audited.
    """
    for axis, length in enumerate(picture.shape):
        near = np.arange(length) + np.arange(-(reach // 2), reach // 2 + 1)[:, None]
        first, *others = near.clip(0, length - 1)
        result = picture.take(first, axis)
        for places in others:
            result += picture.take(places, axis)
        result /= np.float32(reach)
        picture = result
    return picture


def _resized(picture: NDArray[np.float32], size: tuple[int, int], method: Image.Resampling) -> NDArray[np.float32]:
    """`picture` at another size, (width, height)."""
    return np.asarray(Image.fromarray(picture).resize(size, method))


def _border(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _frame(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The pixels of the border and, where there are any within, of the next ring."""
    inner = grey[1:-1, 1:-1]
    return np.concatenate([_border(grey), _border(inner)]) if inner.size else _border(grey)


def _levels(values: NDArray[np.float32], *shares: float) -> list[float]:
    """The quantiles of a few `values`, without interpolation: much quicker than NumPy's."""
    ordered = np.sort(values)
    return [float(ordered[round(share * (len(ordered) - 1))]) for share in shares]


def _two_toned(border: NDArray[np.float32]) -> bool:
    """Whether a border is partly of one brightness and partly of another, with next to nothing between."""
    low, darker, lighter, high = _levels(border, 0.05, 0.2, 0.8, 0.95)
    if lighter - darker <= 128:
        return False
    between = np.abs(2 * border - low - high) < (high - low) / 2
    return bool(between.mean() < 0.05)


def _specks(strokes: NDArray[np.bool_]) -> int:
    """How many components of `strokes`, bool [height, width], are a single pixel."""
    labels, _ = ndimage.label(strokes, EIGHT)
    return int((np.bincount(labels.ravel())[1:] == 1).sum())


def _stretch(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring faint ink to full brightness."""
    strongest = float(ink.max())
    if strongest >= FULL:
        return np.minimum(ink, 255)
    peak = float(np.quantile(ink[ink > INK * strongest], PEAK))
    return np.minimum(ink / peak * 255, 255)


def _bounds(strokes: NDArray[np.bool_]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first row with a true pixel and the one after the last, and the same of the columns."""
    rows, columns = np.flatnonzero(strokes.any(axis=1)), np.flatnonzero(strokes.any(axis=0))
    return (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)


def ink_box(grey: NDArray[np.float32]) -> tuple[int, int, int, int] | None:
    """Top, left, bottom and right of the ink that `normalise` cuts out of a picture, float32 [height, width] in 0..255.

    None where there is no ink, where it was found by more than its strength, or in 28x28, which is not cropped.
    """
    with memory.reserve(INK_BYTES * grey.size):
        layer = _ink(grey)
        strongest = layer.ink.max()
        if grey.shape == (SIDE, SIDE) or layer.noise or strongest < BLANK_CONTRAST:
            return None
        (top, bottom), (left, right) = _bounds(layer.ink > INK * strongest)
        return top, left, bottom, right


def _fit(ink: NDArray[np.float32], noisy: bool) -> NDArray[np.float32]:
    """Scale the ink's box to fit 20x20 and put its centre of mass on its place in 28x28.

    Over noise the picture is smoothed first, and ink is what exceeds the strongest of the frame's noise.
    """
    threshold = INK * float(ink.max())
    if noisy:
        ink = _mean(ink, 5 if max(ink.shape) > 300 else 3)
        strongest_noise = 1.3 * float(np.quantile(_frame(ink), 0.99))
        threshold = max(INK * float(ink.max()), min(strongest_noise, float(ink.max()) / 2))
        ink = np.where(ink > 0.7 * threshold, ink, np.float32(0))
    (top, bottom), (left, right) = _bounds(ink > threshold)
    ink = np.ascontiguousarray(ink[top:bottom, left:right])
    height, width = ink.shape
    scale = BOX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = _resized(ink, size, Image.Resampling.BILINEAR)
    small = small / small.max() * 255  # in this order nothing exceeds 255
    down, across = (CENTRE - float(place[0]) for place in _centre_of_mass(small[None]))
    top = min(max(round(down), 0), SIDE - size[1])
    left = min(max(round(across), 0), SIDE - size[0])
    canvas = np.zeros((SIDE, SIDE), np.float32)
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas
