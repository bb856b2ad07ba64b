"""Pens: the ink that one leaves along a path, and paths to draw along, on a canvas larger than what a network sees.

A path is where the tip's middle went: bool [SIDE, SIDE]. Ink is float [SIDE, SIDE] in 0 to 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import KDTree
from skimage.morphology import skeletonize

SIDE = 112
"""Pixels a side of the canvas."""
DIGIT = 80
"""Pixels that the longer side of a digit measures on it: four times what it does in MNIST."""
CUT = 0.45
"""Share of the strongest ink from which an enlarged image counts as ink."""
THINNEST, WIDEST = 0.03, 0.3
"""Widths of pens as shares of a digit's longer side: MNIST's own measure from 0.08 to 0.22."""
NARROWER = 0.8
"""A pen that fills a loop is made so much narrower until it does not."""

Path = NDArray[np.bool_]
Ink = NDArray[np.float64]


@dataclass(frozen=True)
class Pen:
    """A pen's tip and how it leaves ink.

    width: of the tip, in pixels of the canvas; soft: over how many pixels its edge falls off.
    square: whether the tip is square rather than round. flat: how many times as wide the tip is in one direction as
    across it; angle: of that direction, in radians. grain: how much the ink varies, 0 for not at all.
    """

    width: float
    soft: float
    square: bool = False
    flat: float = 1.0
    angle: float = 0.0
    grain: float = 0.0


def any_pen(rng: np.random.Generator) -> Pen:
    """A pen drawn at random: thin or thick, hard or soft, round, square or flat, even or like chalk."""
    width = DIGIT * np.exp(rng.uniform(np.log(THINNEST), np.log(WIDEST)))
    soft = 1.0 if rng.random() < 0.5 else rng.uniform(1, 0.8 * width + 1)
    tip = rng.random()
    return Pen(
        width=float(width),
        soft=float(soft),
        square=tip < 0.2,
        flat=float(rng.uniform(1.5, 3)) if tip > 0.9 else 1.0,
        angle=float(rng.uniform(0, np.pi)),
        grain=float(rng.uniform(0.2, 0.8)) if rng.random() < 0.15 else 0.0,
    )


def traced(image: NDArray[np.uint8]) -> Path:
    """The path along which a digit, uint8 [28, 28], was written: the skeleton of its ink."""
    large = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)
    return np.asarray(skeletonize(large > CUT * large.max()))


def line(*strokes: NDArray[np.float64]) -> Path:
    """The path along strokes, each float [P, 2] of points from left and from top in a unit square."""
    canvas = Image.new("L", (SIDE, SIDE))
    brush = ImageDraw.Draw(canvas)
    margin = (SIDE - DIGIT) / 2
    for stroke in strokes:
        brush.line([(float(x), float(y)) for x, y in margin + DIGIT * stroke], fill=255)
    return np.asarray(canvas) >= 128


def drawn(path: Path, pen: Pen, rng: np.random.Generator, keep_holes: bool = True) -> Ink:
    """The ink that ``pen`` leaves along ``path``; a narrower one where it would fill a loop that is to be kept."""
    reach = distance(path, pen)
    width = pen.width
    if keep_holes:
        papers = parts(reach >= 1)
        while width > THINNEST * DIGIT and parts(reach >= width / 2) < papers:
            width *= NARROWER
    ink = np.clip((width / 2 - reach) / pen.soft + 0.5, 0, 1)
    if pen.grain:
        ink = ink * (1 - pen.grain * rng.random(ink.shape))
    return ink


def parts(paper: Path) -> int:
    """How many parts the paper is in: the ground and what loops enclose."""
    return int(ndimage.label(paper)[1])


def distance(path: Path, pen: Pen) -> NDArray[np.float64]:
    """How far each place is from the path, as the pen's tip measures it: float [SIDE, SIDE]."""
    if pen.square:
        return np.asarray(ndimage.distance_transform_cdt(~path, "chessboard"), np.float64)
    if pen.flat == 1:
        return np.asarray(ndimage.distance_transform_edt(~path))
    down, right = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    places = np.argwhere(path)
    turn = np.array([[np.cos(pen.angle), np.sin(pen.angle)], [-np.sin(pen.angle), np.cos(pen.angle)]])
    where = np.stack([down, right], 2).reshape(-1, 2)
    turned, tips = (points @ turn.T * [pen.flat**0.5, pen.flat**-0.5] for points in (where, places))
    found, _ = KDTree(tips).query(turned)
    return np.asarray(found).reshape(SIDE, SIDE)
