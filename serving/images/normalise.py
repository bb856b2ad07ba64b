"""From brightness of any size to the 28x28 pixels that the network knows.

MNIST's convention (LeCun et al. 1998, Proceedings of the IEEE 86): bright ink on a dark ground, the ink's bounding box
scaled to fit 20x20 with its aspect kept, and its centre of mass put on pixel (14, 14) of 28x28.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from serving.contract import SIDE
from serving.images import clutter, memory
from serving.images.clutter import WHOLE
from serving.images.fit import CENTRE, centre_of_mass, fitted
from serving.images.ground import Layer, border, frame, levels, resized, separated, standing_out
from serving.model.recogniser import BLANK_CONTRAST

INK_BYTES = 28  # of each pixel of a picture while its ink is told from the paper
OFF_CENTRE = 0.52  # how far from it MNIST's 70,000 images have it at most, along either axis
INK = 0.2  # share of the strongest ink above which a pixel counts as ink
BOLD = 0.3  # the same in 28x28
FAINT = 0.1  # the same where MNIST's own box is measured: its longer side is 20, with 20 exceptions down to 18
SMALL, LARGE = 17, 22  # what the longer side of the ink's box may measure in a 28x28 picture
MARGIN = 2  # pixels beside wide ink in 28x28 that a digit which fills its picture would have reached
SOFT = 0.15  # share of the ink's pixels that are neither faint nor full where it is drawn with hard edges
FULL = 230.0  # ink at least this bright is not stretched
PEAK = 0.95  # quantile of the ink's pixels that is stretched to 255
PAPER_SHARE = 0.4  # of a 28x28 picture that is spotless paper; MNIST's images have 0.55 or more
NOISY = 0.1  # share of the strongest ink beyond which what the paper shows makes place and size uncertain
ROUGH = 0.2  # the same, beyond which an uneven ground cannot be taken away without harm to the ink
DARK = 25.0  # how much more contrast dark ink must have than bright on such a ground
SPECKS = 8  # lone bright pixels that a picture may have before they count as noise
ANALYSED = 256  # pixels a side of the picture on which ink is told from paper and from clutter


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
    return _whatever_its_size(grey)


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
    down, right = centre_of_mass(pictures)
    off = np.maximum(np.abs(down - CENTRE), np.abs(right - CENTRE))
    result: NDArray[np.bool_] = (peak >= FULL) & paper & (side >= SMALL) & (side <= LARGE) & (off <= OFF_CENTRE)
    return result


def _extent(occupied: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How far it is from the first to the last true one in each row of `occupied`, bool [N, L]: int64 [N]."""
    length = occupied.shape[1]
    extent: NDArray[np.int64] = length - occupied.argmax(axis=1) - occupied[:, ::-1].argmax(axis=1)
    return extent


def _repair(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring a 28x28 picture to the convention as far as its paper and its ink can be told apart."""
    if _two_toned(border(grey)):
        return grey
    if clutter.within_frame(grey) != WHOLE:
        return _whatever_its_size(grey)
    layer = separated(grey)
    noise, peak = layer.noise, float(layer.ink.max())
    if peak < BLANK_CONTRAST:
        return np.zeros_like(grey)
    if noise > ROUGH * peak and layer.relief > 3 * noise:
        return 255 - grey if layer.darkness > DARK else grey
    ink = _stretch(layer.ink)
    strokes = ink > BOLD * ink.max()
    if noise > NOISY * peak or _specks(strokes) > SPECKS:
        return ink
    kept = clutter.of_the_digit(strokes)
    if kept is not strokes:
        ink = ink * ndimage.binary_dilation(kept, clutter.EIGHT)
        strokes = kept
    (top, bottom), (left, right) = _bounds(strokes)
    wide = right - left >= LARGE and (bottom - top <= LARGE or min(left, SIDE - right) >= MARGIN)
    fills = (bottom - top >= SIDE - MARGIN or max(left, SIDE - right) < 1) and _broad(strokes)
    bar = 2 * (bottom - top) < right - left
    if wide and (bar or not (fills or _hard_edged(ink))):
        return ink  # digits are taller than wide: this is more than a digit, or a bar
    if not SMALL <= max(bottom - top, right - left) <= LARGE:
        return fitted(ink[top:bottom, left:right])
    down, across = (float(CENTRE - place[0]) for place in centre_of_mass(ink[None]))
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


def _two_toned(border: NDArray[np.float32]) -> bool:
    """Whether a border is partly of one brightness and partly of another, with next to nothing between."""
    low, darker, lighter, high = levels(border, 0.05, 0.2, 0.8, 0.95)
    if lighter - darker <= 128:
        return False
    between = np.abs(2 * border - low - high) < (high - low) / 2
    return bool(between.mean() < 0.05)


def _specks(strokes: NDArray[np.bool_]) -> int:
    """How many components of `strokes`, bool [height, width], are a single pixel."""
    labels, _ = ndimage.label(strokes, clutter.EIGHT)
    return int((np.bincount(labels.ravel())[1:] == 1).sum())


def _hard_edged(ink: NDArray[np.float32]) -> bool:
    """Whether hardly a pixel of ink, float32 [28, 28], lies between paper and full strength."""
    strongest = ink.max()
    between = (ink > FAINT * strongest) & (ink < (1 - FAINT) * strongest)
    return bool(between.sum() <= SOFT * (ink > FAINT * strongest).sum())


def _broad(strokes: NDArray[np.bool_]) -> bool:
    """Whether `strokes`, bool [28, 28], are wider than a digit even where they are thick."""
    thick = ndimage.binary_opening(strokes, clutter.EIGHT).any(axis=0)
    return bool(thick.any() and np.ptp(np.flatnonzero(thick)) >= LARGE - 1)


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


def _whatever_its_size(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    with memory.reserve(INK_BYTES * grey.size):
        found = _found(grey)
        return np.zeros((SIDE, SIDE), np.float32) if found is None else fitted(found.ink)


class _Found(NamedTuple):
    """A digit's ink, float32 [bottom - top, right - left], and where in the picture it was cut out."""

    ink: NDArray[np.float32]
    top: int
    left: int
    bottom: int
    right: int


def _found(grey: NDArray[np.float32]) -> _Found | None:
    """The ink of the digit in brightness, float32 [height, width]; None where there is none.

    What is ink is told on a picture of at most ANALYSED pixels a side; it is cut out of the picture itself.
    """
    shrink = -(-max(grey.shape) // ANALYSED)
    small = grey if shrink == 1 else np.asarray(Image.fromarray(grey).reduce(shrink))
    inner = clutter.within_frame(small)
    origin = [cut.start or 0 for cut in inner]
    layer = separated(np.ascontiguousarray(small[inner]))
    if layer.ink.max() < BLANK_CONTRAST:
        return None
    strokes = clutter.of_the_digit(_strokes(layer))
    (top, bottom), (left, right) = _bounds(strokes)
    cut = np.s_[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1]
    kept = ndimage.binary_dilation(strokes[cut], clutter.EIGHT)
    if shrink == 1:
        ink = layer.ink[cut] * kept
    else:
        height, width = kept.shape
        first = [(cut[axis].start + origin[axis]) * shrink for axis in (0, 1)]
        part = grey[first[0] : first[0] + height * shrink, first[1] : first[1] + width * shrink]
        ground = layer.ground
        if ground.size > 1:
            ground = resized(ground[cut], (width * shrink, height * shrink), Image.Resampling.BILINEAR)
            ground = ground[: part.shape[0], : part.shape[1]]
        ink = standing_out(part, ground, layer.dark) - np.float32(layer.noise)
        ink = (
            np.maximum(ink, 0, out=ink)
            * np.kron(kept, np.ones((shrink, shrink), np.bool_))[: part.shape[0], : part.shape[1]]
        )
        origin = [first[0] - cut[0].start, first[1] - cut[1].start]
    (top, bottom), (left, right) = _bounds(ink > INK * ink.max())
    down, across = cut[0].start + origin[0], cut[1].start + origin[1]
    return _Found(ink[top:bottom, left:right], top + down, left + across, bottom + down, right + across)


def _strokes(layer: Layer) -> NDArray[np.bool_]:
    """Where there is ink. Over noise it is smoothed, and ink is what exceeds the strongest noise along the border."""
    if not layer.noise:
        return layer.ink > INK * layer.ink.max()
    ink = ndimage.uniform_filter(layer.ink, 3)
    peak = float(ink.max())
    [strongest_noise] = levels(frame(ink), 0.99)
    return ink > max(INK * peak, min(1.3 * strongest_noise, peak / 2))


def ink_box(grey: NDArray[np.float32]) -> tuple[int, int, int, int] | None:
    """Top, left, bottom and right of the ink that `normalise` cuts out of a picture, float32 [height, width] in 0..255.

    None where there is no ink, or in 28x28, which is not always cropped.
    """
    if grey.shape == (SIDE, SIDE):
        return None
    with memory.reserve(INK_BYTES * grey.size):
        found = _found(grey)
    return found and (found.top, found.left, found.bottom, found.right)
