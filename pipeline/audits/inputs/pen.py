"""Pens that draw a digit's strokes: their width, their nib, their edge, and how they cover the paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

STEP = 8  # times that a nib touches the paper within its own width
BROAD = np.array([0.8, -0.6])  # the direction of a broad nib
FLAT = 0.22  # how thick such a nib is, as a share of its width


@dataclass(frozen=True)
class Pen:
    """What draws.

    width: at least and at most, as a share of the drawing's height. nib: what it touches the paper with.
    fineness: pixels drawn for each of the picture's, along a side: many make smooth edges, one hard, fewer blocks.
    blur: of its edge, as a share of its width. grain: the share of its stroke that stays bare.
    ink: its brightness in 0..255.
    """

    width: tuple[float, float]
    nib: Literal["round", "square", "broad"] = "round"
    fineness: float = 2
    blur: float = 0
    grain: float = 0
    ink: float = 0


FELT_TIP = Pen((0.07, 0.14))
PENS = {
    "felt tip": FELT_TIP,
    "fineliner": Pen((0.025, 0.04)),
    "ballpoint": Pen((0.04, 0.06), ink=60),
    "marker": Pen((0.15, 0.19)),
    "soft brush": Pen((0.1, 0.16), blur=0.18, ink=20),
    "pencil": Pen((0.035, 0.06), grain=0.15, ink=110),
    "crayon": Pen((0.1, 0.14), grain=0.25, ink=70),
    "charcoal": Pen((0.08, 0.12), grain=0.4),
    "square nib": Pen((0.07, 0.12), nib="square"),
    "broad nib": Pen((0.12, 0.17), nib="broad"),
    "hard brush": Pen((0.05, 0.12), fineness=1),
    "large pixels": Pen((0.06, 0.13), nib="square", fineness=0.2),
}
"""By name."""


def drawn(paths: Sequence[np.ndarray], side: int, width: float, pen: Pen, rng: np.random.Generator) -> np.ndarray:
    """Strokes on white paper: uint8 [side, side].

    Args:
        paths: float [P, 2] each, the points (x, y) that a stroke goes through, in pixels; width: of the pen, in pixels.
    """
    large = round(side * pen.fineness)
    paper = Image.new("L", (large, large))
    brush = ImageDraw.Draw(paper)
    for path in paths:
        for x, y in dots(path, width / STEP) * pen.fineness:
            touch(brush, x, y, width * pen.fineness / 2, pen)
    how = Image.Resampling.BOX if pen.fineness >= 1 else Image.Resampling.NEAREST
    ink = np.asarray(paper.resize((side, side), how), np.float32) / 255
    if pen.blur:
        ink = ndimage.gaussian_filter(ink, pen.blur * width)
    if pen.grain:
        grain = ndimage.gaussian_filter(rng.standard_normal(ink.shape, np.float32), 1.2)
        ink = ink * ((grain - np.quantile(grain, pen.grain)) * 4 + 0.5).clip(0, 1)
    return np.rint(255 - (255 - pen.ink) * ink).astype(np.uint8)


def dots(path: np.ndarray, step: float) -> np.ndarray:
    """Points at even distances of a ``step`` at most along a path: float [D, 2]."""
    lengths = np.hypot(*np.diff(path, axis=0).T)
    along = np.concatenate([[0], np.cumsum(lengths)])
    places = np.linspace(0, along[-1], int(np.ceil(along[-1] / step)) + 1)
    return np.column_stack([np.interp(places, along, axis) for axis in path.T])


def touch(brush: ImageDraw.ImageDraw, x: float, y: float, reach: float, pen: Pen) -> None:
    """Where the nib, which reaches so far to each side, touches the paper."""
    match pen.nib:
        case "round":
            brush.ellipse((x - reach, y - reach, x + reach, y + reach), fill=255)
        case "square":
            brush.rectangle((x - reach, y - reach, x + reach, y + reach), fill=255)
        case "broad":
            across, down = reach * BROAD
            ends = [(x - across, y - down), (x + across, y + down)]
            brush.line(ends, fill=255, width=max(1, round(2 * FLAT * reach)))
