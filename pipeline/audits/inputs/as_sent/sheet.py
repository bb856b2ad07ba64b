"""From a test digit to ink on a sheet: the outline enlarged smoothly, or its strokes drawn anew with another pen."""

import io
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.morphology import skeletonize

Ink = NDArray[np.float32]
"""How much of each pixel is covered by ink, float32 [H, W] in 0..1."""
Pixels = NDArray[np.float32]
"""Brightness, float32 [H, W] in 0..255, or colour, float32 [H, W, 3]."""

Values = TypeVar("Values", NDArray[np.float32], NDArray[np.bool_])

EDGE = 0.4  # share of full ink at which a stroke ends
STEEPNESS = 1.6  # how fast ink falls off at an edge, so that an edge is about a pixel wide
FINE = 3  # a digit is thinned at so many times its size
SMOOTH = 1.2  # pixels of it by which the steps of the thinned strokes are smoothed
MARGIN = 2  # pixels of the test digit kept around its ink
WHITE = 255.0


@dataclass(frozen=True)
class Sheet:
    """A digit on a sheet: its ``ink``, and where the digit lies, (top, left, bottom, right)."""

    ink: Ink
    box: tuple[int, int, int, int]

    @property
    def height(self) -> int:
        """Of the digit, or its width where that is more."""
        top, left, bottom, right = self.box
        return max(bottom - top, right - left)


def outline(digit: NDArray[np.uint8], size: float) -> Ink:
    """The digit as it is, cut out and enlarged: the longer side of its ink measures ``size`` pixels.

    Raises:
        IndexError: there is no ink.
    """
    full = digit / np.float32(digit.max())
    part, side = _cut(full, full > EDGE)
    scale = size / side
    return _ink((_enlarged(part, scale) - EDGE) * STEEPNESS * max(scale, 1) + 0.5)


def redrawn(digit: NDArray[np.uint8], size: float, width: float) -> Ink:
    """The digit's strokes drawn anew with a pen ``width`` pixels wide.

    The longer side of what is drawn measures ``size`` pixels. Raises as `outline` does.
    """
    thin = skeletonize(_enlarged(digit / np.float32(digit.max()), FINE) > EDGE)
    if not thin.any():
        return outline(digit, size)
    part, side = _cut(thin, thin, outside=int(np.ceil(width / size * FINE * len(digit))) + FINE)
    away = ndimage.gaussian_filter(ndimage.distance_transform_edt(~part).astype(np.float32), SMOOTH)
    away = np.sqrt(np.maximum(away**2 - np.quantile(away[part], 0.7) ** 2, 0))  # smooth, and still 0 on the stroke
    scale = max(size - width, 1) / side
    return _ink(width / 2 - _enlarged(away.astype(np.float32), scale) * scale + 0.5)


def _cut(values: Values, ink: NDArray[np.bool_], outside: int = MARGIN) -> tuple[Values, int]:
    """The part of ``values`` that holds the ``ink``, with a margin; and the longer side of the ink itself."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    padded = np.pad(values, outside)
    height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    part = padded[rows[0] : rows[-1] + 1 + 2 * outside, columns[0] : columns[-1] + 1 + 2 * outside]
    return part, max(height, width)


def _enlarged(values: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    height, width = (max(1, round(side * scale)) for side in values.shape)
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC))


def _ink(values: NDArray[np.float32]) -> Ink:
    """Cut to what holds ink."""
    ink = values.clip(0, 1)
    rows, columns = np.flatnonzero((ink > 0.5).any(axis=1)), np.flatnonzero((ink > 0.5).any(axis=0))
    if not len(rows):
        return ink
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def placed(ink: Ink, height: int, width: int, rng: np.random.Generator, margin: float = 0.08) -> Sheet:
    """``ink`` anywhere on a sheet, but for a margin that is a share of the sheet's shorter side."""
    edge = round(margin * min(height, width))
    down, across = (
        int(rng.integers(0, max(room - 2 * edge - side, 0) + 1)) + min(edge, max(room - side, 0) // 2)
        for room, side in zip((height, width), ink.shape, strict=True)
    )
    sheet = np.zeros((height, width), np.float32)
    sheet[down : down + ink.shape[0], across : across + ink.shape[1]] = ink
    return Sheet(sheet, (down, across, down + ink.shape[0], across + ink.shape[1]))


def written(
    digit: NDArray[np.uint8],
    rng: np.random.Generator,
    margin: float = 0.08,
    share: tuple[float, float] = (0.4, 0.72),
    side: tuple[int, int] = (75, 145),
) -> Sheet:
    """The digit on a sheet of any size and shape within bounds.

    Args:
        share: of the sheet's shorter side, that the digit takes at least and at most; side: of the sheet, in pixels.
    """
    height, width = (int(length) for length in rng.integers(side[0], side[1] + 1, 2))
    return placed(outline(digit, rng.uniform(*share) * min(height, width)), height, width, rng, margin)


def painted(ink: Ink, pen: float, paper: float | NDArray[np.float32] = WHITE) -> Pixels:
    """Ink of one brightness on paper of one, or of many."""
    return np.asarray(paper + (pen - paper) * ink, np.float32)


def coloured(ink: Ink, pen: tuple[float, ...], paper: tuple[float, ...] = (WHITE, WHITE, WHITE)) -> Pixels:
    """Ink of one colour on paper of another: float32 [H, W, 3]."""
    below, above = (np.asarray(colour, np.float32) for colour in (paper, pen))
    return below + (above - below) * ink[..., None]


def dark(rng: np.random.Generator) -> float:
    """The brightness of a pen."""
    return float(rng.uniform(0, 70))


def light(rng: np.random.Generator) -> float:
    """The brightness of paper: of a drawing it is all white, of a photograph less."""
    return WHITE if rng.random() < 0.5 else float(rng.uniform(215, 250))


def image(pixels: Pixels) -> Image.Image:
    """Rounded to 8 bits."""
    return Image.fromarray(np.rint(pixels).clip(0, 255).astype(np.uint8))


def png(pixels: Pixels) -> bytes:
    """A PNG file."""
    return saved(image(pixels), "PNG", compress_level=1)


def jpeg(pixels: Pixels, quality: int = 85) -> bytes:
    """A JPEG file, as a camera writes it."""
    return saved(image(pixels), "JPEG", quality=quality)


def saved(picture: Image.Image, format: str, **options: object) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()
