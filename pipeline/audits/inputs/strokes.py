"""Digits drawn as strokes, in the ways that people write them: what a recogniser must at least be able to read.

The "minimum functionality test" of CheckList (Ribeiro, Wu, Guestrin and Singh, "Beyond Accuracy: Behavioral Testing of
NLP Models with CheckList", ACL 2020), for handwriting: small sets of simple cases, each about one way of writing.
"""

import math
from dataclasses import dataclass

import numpy as np

from pipeline.audits.inputs.pen import FELT_TIP, Pen, drawn

CANVAS = 280
STEPS = 12  # straight pieces between two points of a curve

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Stroke:
    """One movement of the pen through ``points``, (x, y) in 0..1 from the top left, straight or curved."""

    points: Points
    curved: bool = False


@dataclass(frozen=True)
class Style:
    """One way of writing a digit; plain, as everybody knows it, or one that a school, a country or a hand has."""

    digit: int
    strokes: tuple[Stroke, ...]
    plain: bool = False


def _line(*points: tuple[float, float]) -> Stroke:
    return Stroke(points)


def _curve(*points: tuple[float, float]) -> Stroke:
    return Stroke(points, curved=True)


_OVAL = _curve(
    (0.5, 0.0), (0.18, 0.18), (0.1, 0.5), (0.2, 0.85), (0.5, 1.0), (0.8, 0.85), (0.9, 0.5), (0.8, 0.15), (0.5, 0.0)
)
_HEAD = _curve((0.8, 0.22), (0.55, 0.02), (0.22, 0.15), (0.2, 0.42), (0.5, 0.55), (0.77, 0.4), (0.8, 0.22))

STYLES = {
    "plain zero": Style(0, (_OVAL,), plain=True),
    "slashed zero": Style(0, (_OVAL, _line((0.1, 0.97), (0.9, 0.03)))),
    "zero slashed the other way": Style(0, (_OVAL, _line((0.12, 0.05), (0.88, 0.95)))),
    "plain one": Style(1, (_line((0.5, 0.0), (0.5, 1.0)),), plain=True),
    "one with a flag": Style(1, (_line((0.22, 0.3), (0.52, 0.0), (0.52, 1.0)),)),
    "one with a foot": Style(1, (_line((0.5, 0.0), (0.5, 1.0)), _line((0.2, 1.0), (0.8, 1.0)))),
    "one with a long upstroke": Style(1, (_line((0.08, 0.62), (0.56, 0.0), (0.54, 1.0)),)),
    "one with a long upstroke and a foot": Style(
        1, (_line((0.08, 0.55), (0.52, 0.0), (0.52, 1.0)), _line((0.2, 1.0), (0.84, 1.0)))
    ),
    "one with a flag and a foot": Style(
        1, (_line((0.25, 0.22), (0.5, 0.0), (0.5, 1.0)), _line((0.22, 1.0), (0.78, 1.0)))
    ),
    "plain two": Style(
        2,
        (_curve((0.15, 0.25), (0.45, 0.0), (0.8, 0.2), (0.6, 0.6), (0.15, 0.98)), _line((0.15, 0.98), (0.88, 0.97))),
        plain=True,
    ),
    "two with a loop": Style(
        2,
        (
            _curve(
                (0.15, 0.2),
                (0.5, 0.0),
                (0.78, 0.25),
                (0.5, 0.7),
                (0.2, 0.95),
                (0.12, 0.8),
                (0.32, 0.78),
                (0.6, 0.97),
                (0.9, 0.9),
            ),
        ),
    ),
    "plain three": Style(
        3,
        (
            _curve((0.18, 0.12), (0.5, 0.0), (0.78, 0.2), (0.65, 0.42), (0.4, 0.48)),
            _curve((0.4, 0.48), (0.75, 0.55), (0.82, 0.8), (0.5, 1.0), (0.15, 0.88)),
        ),
        plain=True,
    ),
    "flat-topped three": Style(
        3,
        (
            _line((0.18, 0.02), (0.8, 0.02), (0.42, 0.42)),
            _curve((0.42, 0.42), (0.78, 0.52), (0.8, 0.82), (0.48, 1.0), (0.15, 0.88)),
        ),
    ),
    "open four": Style(4, (_line((0.25, 0.02), (0.15, 0.58), (0.88, 0.58)), _line((0.68, 0.2), (0.64, 1.0)))),
    "closed four": Style(4, (_line((0.68, 1.0), (0.68, 0.0), (0.1, 0.66), (0.92, 0.66)),)),
    "plain five": Style(
        5,
        (
            _line((0.82, 0.02), (0.28, 0.02), (0.22, 0.42)),
            _curve((0.22, 0.42), (0.55, 0.36), (0.85, 0.65), (0.6, 0.96), (0.15, 0.92)),
        ),
        plain=True,
    ),
    "plain six": Style(
        6,
        (
            _curve(
                (0.7, 0.0),
                (0.35, 0.25),
                (0.18, 0.65),
                (0.32, 0.96),
                (0.65, 0.98),
                (0.82, 0.75),
                (0.6, 0.55),
                (0.32, 0.62),
                (0.2, 0.75),
            ),
        ),
        plain=True,
    ),
    "six with a straight stem": Style(
        6,
        (
            _line((0.68, 0.0), (0.24, 0.62)),
            _curve((0.24, 0.62), (0.5, 0.48), (0.8, 0.68), (0.66, 0.97), (0.34, 0.97), (0.2, 0.76), (0.24, 0.62)),
        ),
    ),
    "plain seven": Style(7, (_line((0.12, 0.03), (0.88, 0.03), (0.4, 1.0)),), plain=True),
    "crossed seven": Style(7, (_line((0.12, 0.03), (0.88, 0.03), (0.4, 1.0)), _line((0.34, 0.5), (0.86, 0.48)))),
    "seven with a serif": Style(7, (_line((0.12, 0.2), (0.13, 0.03), (0.88, 0.03), (0.42, 1.0)),)),
    "crossed seven with a serif": Style(
        7, (_line((0.12, 0.2), (0.13, 0.03), (0.88, 0.03), (0.42, 1.0)), _line((0.32, 0.52), (0.88, 0.5)))
    ),
    "plain eight": Style(
        8,
        (
            _curve(
                (0.75, 0.15),
                (0.5, 0.0),
                (0.25, 0.18),
                (0.5, 0.45),
                (0.8, 0.75),
                (0.5, 1.0),
                (0.2, 0.78),
                (0.5, 0.45),
                (0.75, 0.15),
            ),
        ),
        plain=True,
    ),
    "eight of two rings": Style(
        8,
        (
            _curve((0.5, 0.0), (0.26, 0.12), (0.3, 0.4), (0.5, 0.47), (0.7, 0.4), (0.74, 0.12), (0.5, 0.0)),
            _curve((0.5, 0.47), (0.22, 0.6), (0.22, 0.9), (0.5, 1.0), (0.78, 0.9), (0.78, 0.6), (0.5, 0.47)),
        ),
    ),
    "nine with a curled tail": Style(
        9, (_HEAD, _curve((0.8, 0.22), (0.82, 0.6), (0.7, 0.92), (0.42, 1.0), (0.2, 0.9)))
    ),
    "nine with a straight tail": Style(9, (_HEAD, _line((0.8, 0.15), (0.75, 1.0)))),
}
FORMS = {name: style for name, style in STYLES.items() if not style.plain}
"""Those that a school, a country or a hand has."""


def draw(style: Style, rng: np.random.Generator, pen: Pen = FELT_TIP) -> np.ndarray:
    """One drawing in ``style``, dark ink on white paper: uint8 [280, 280].

    Its points are a little off, it leans and is turned a little, and its proportions, its size, its place on the paper,
    and the width of the pen vary.
    """
    height = rng.uniform(100, 200)
    aspect = rng.uniform(0.6, 0.85)
    width = height * rng.uniform(*pen.width)
    turn, lean = math.radians(rng.uniform(-7, 7)), rng.uniform(-0.1, 0.25)
    along = np.array([[aspect, -lean], [0.0, 1.0]]) * height
    turned = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) @ along
    paths = []
    for stroke in style.strokes:
        points = np.array(stroke.points)
        closed = stroke.points[0] == stroke.points[-1]
        points = points + rng.normal(0, 0.02, points.shape)
        if closed:
            points[-1] = points[0] + rng.normal(0, 0.015, 2)
        paths.append((smoothed(points) if stroke.curved else points) @ turned.T)
    low, high = (
        np.min([path.min(axis=0) for path in paths], axis=0),
        np.max([path.max(axis=0) for path in paths], axis=0),
    )
    reach = width / 2 + 2
    place = rng.uniform(reach, CANVAS - reach - (high - low)) - low
    return drawn([path + place for path in paths], CANVAS, width, pen, rng)


def smoothed(points: np.ndarray) -> np.ndarray:
    """A curve through ``points``, float [P, 2]: float [12 (P - 1) + 1, 2] (Catmull and Rom 1974)."""
    before = np.vstack([2 * points[0] - points[1], points[:-2]])
    after = np.vstack([points[2:], 2 * points[-1] - points[-2]])
    start, end = points[:-1], points[1:]
    t = (np.arange(STEPS) / STEPS)[None, :, None]
    a, b, c, d = (corner[:, None, :] for corner in (before, start, end, after))
    pieces = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.vstack([pieces.reshape(-1, 2), points[-1:]])
