"""Ways of writing digits that MNIST's writers, Americans all, have seldom: each a function from a generator to strokes.

Strokes are float [P, 2], points from left and from top in a unit square; every drawing is another.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Stroke = NDArray[np.float64]
Form = Callable[[np.random.Generator], list[Stroke]]


def straight(*points: tuple[float, float]) -> Stroke:
    return np.array(points, np.float64)


def bent(*corners: tuple[float, float], steps: int = 24) -> Stroke:
    """A Bezier curve of any degree with these control points."""
    points = [np.array(corner, np.float64) for corner in corners]
    time = np.linspace(0, 1, steps)[:, None]
    layers = [np.broadcast_to(point, (steps, 2)) for point in points]
    while len(layers) > 1:
        layers = [(1 - time) * first + time * second for first, second in pairwise(layers)]
    return layers[0]


def arc(x: float, y: float, across: float, down: float, start: float, end: float) -> Stroke:
    """Part of an ellipse about (x, y) with these half axes; angles are in turns, clockwise from the right."""
    angle = 2 * np.pi * np.linspace(start, end, 36)
    return np.stack([x + across * np.cos(angle), y + down * np.sin(angle)], 1)


def one_with_flag(rng: np.random.Generator) -> list[Stroke]:
    """A stem with an upstroke before it, short or as long as the stem; at times a foot."""
    top, lean = rng.uniform(0.55, 0.75), rng.uniform(-0.15, 0.1)
    length = rng.uniform(0.2, 0.62)
    drop = length * rng.uniform(0.65, 1.7)
    drop = min(drop, 0.85)
    sag = rng.uniform(-0.08, 0.08)
    flag = bent((top - length, drop), (top - length / 2 + sag, drop / 2 + sag), (top, 0))
    strokes = [flag, straight((top, 0), (top + lean, 1))]
    if rng.random() < 0.25:
        half = rng.uniform(0.15, 0.35)
        strokes.append(straight((top + lean - half, 1), (top + lean + half, 1 + rng.uniform(-0.03, 0.03))))
    return strokes


def seven_with_bar(rng: np.random.Generator) -> list[Stroke]:
    strokes = seven(rng)
    stem = strokes[-1]
    x, y = stem[int(len(stem) * rng.uniform(0.4, 0.6))]
    half, tilt = rng.uniform(0.12, 0.3), rng.uniform(-0.08, 0.08)
    return [*strokes, straight((x - half, y + tilt), (x + half, y - tilt))]


def seven(rng: np.random.Generator) -> list[Stroke]:
    """A level stroke, at times with a hook before it or waved, and a stem that is straight or bent."""
    left, right = rng.uniform(0.05, 0.2), rng.uniform(0.75, 0.95)
    wave = rng.uniform(-0.06, 0.06)
    strokes = [bent((left, wave), ((left + right) / 2, -2 * wave), (right, rng.uniform(-0.02, 0.04)))]
    if rng.random() < 0.35:
        strokes.insert(0, straight((left - rng.uniform(-0.03, 0.05), rng.uniform(0.1, 0.22)), (left, wave)))
    foot = rng.uniform(0.2, 0.55)
    middle = (right + foot) / 2 + rng.uniform(-0.2, 0.08)
    return [*strokes, bent(tuple(strokes[-1][-1]), (middle, 0.45), (foot, 1))]


def zero_with_slash(rng: np.random.Generator) -> list[Stroke]:
    across, down = rng.uniform(0.28, 0.45), 0.5
    start = rng.uniform(0, 1)
    loop = arc(0.5, 0.5, across, down, start, start + rng.uniform(0.97, 1.04))
    reach, side = rng.uniform(0.6, 1.35), rng.choice([-1, 1])
    x, y = across * reach * rng.uniform(0.7, 1.0), 0.45 * reach * rng.uniform(0.7, 1.0)
    return [loop, straight((0.5 + side * x, 0.5 - y), (0.5 - side * x, 0.5 + y))]


def two_with_loop(rng: np.random.Generator) -> list[Stroke]:
    head = bent((0.15, rng.uniform(0.15, 0.3)), (0.3, -0.3), (1.15, 0.05), (0.65, 0.6), (0.25, 0.9))
    x, y = head[-1]
    loop = bent((x, y), (x - 0.25, y + 0.15), (x - 0.05, y - 0.25), (x + 0.2, y + 0.1), (0.6, 1.05), (0.95, 0.9))
    return [head, loop]


def three_with_flat_top(rng: np.random.Generator) -> list[Stroke]:
    left, right = rng.uniform(0.1, 0.2), rng.uniform(0.75, 0.9)
    knee = (rng.uniform(0.4, 0.5), rng.uniform(0.36, 0.45))
    bowl = bent(knee, (1.05, 0.3), (1.1, 1.1), (0.45, 1.05), (left - 0.05, rng.uniform(0.8, 0.95)))
    return [straight((left, 0), (right, 0), knee), bowl]


def four_open(rng: np.random.Generator) -> list[Stroke]:
    left, bar = rng.uniform(0.08, 0.2), rng.uniform(0.5, 0.68)
    top = rng.uniform(0.2, 0.42)
    stem, lean = rng.uniform(0.6, 0.75), rng.uniform(-0.1, 0.05)
    corner = bent((top, 0), (left + 0.08, 0.3), (left, bar))
    across = straight((left, bar), (rng.uniform(0.85, 1.0), bar + rng.uniform(-0.06, 0.04)))
    return [corner, across, straight((stem, rng.uniform(0.05, 0.3)), (stem + lean, 1))]


def four_closed(rng: np.random.Generator) -> list[Stroke]:
    top, bar, left = rng.uniform(0.55, 0.75), rng.uniform(0.58, 0.72), rng.uniform(0.02, 0.15)
    lean, end = rng.uniform(-0.12, 0.04), rng.uniform(0.85, 1.0)
    return [straight((top, 0), (left, bar), (end, bar + rng.uniform(-0.04, 0.03))), straight((top, 0), (top + lean, 1))]


def six_with_curl(rng: np.random.Generator) -> list[Stroke]:
    size = rng.uniform(0.22, 0.3)
    stem = bent((rng.uniform(0.6, 0.85), rng.uniform(0, 0.1)), (0.35, 0), (0.15, 0.4), (0.15, 1 - size))
    return [stem, arc(0.15 + 1.2 * size, 1 - size, 1.2 * size, size, 0.5, rng.uniform(1.45, 1.6))]


def eight_of_two_rings(rng: np.random.Generator) -> list[Stroke]:
    cut = rng.uniform(0.42, 0.52)
    upper, lower = rng.uniform(0.22, 0.32), rng.uniform(0.26, 0.38)
    x = rng.uniform(-0.04, 0.04)
    return [
        arc(0.5 + x, cut / 2, upper, cut / 2, 0.25, 1.25),
        arc(0.5 - x, (1 + cut) / 2, lower, (1 - cut) / 2, -0.25, 0.75),
    ]


def nine_with_straight_tail(rng: np.random.Generator) -> list[Stroke]:
    across, down = rng.uniform(0.22, 0.35), rng.uniform(0.2, 0.28)
    start = rng.uniform(-0.15, 0)
    return [
        arc(0.45, down, across, down, start, start - rng.uniform(0.95, 1.02)),
        straight((0.45 + across, down * rng.uniform(0.4, 1)), (0.45 + across + rng.uniform(-0.15, 0.08), 1)),
    ]


def nine_with_curl(rng: np.random.Generator) -> list[Stroke]:
    across, down = rng.uniform(0.24, 0.35), rng.uniform(0.22, 0.3)
    right = 0.45 + across
    deep = rng.uniform(1.0, 1.15)
    tail = bent(
        (right, down), (right + 0.06, deep), (0.35, deep + 0.05), (rng.uniform(0.08, 0.2), rng.uniform(0.72, 0.9))
    )
    return [arc(0.45, down, across, down, 0, -rng.uniform(0.95, 1.02)), tail]


FORMS: tuple[tuple[int, Form], ...] = (
    *[(1, one_with_flag)] * 4,
    *[(7, seven_with_bar)] * 2,
    *[(7, seven)] * 2,
    *[(0, zero_with_slash)] * 2,
    (2, two_with_loop),
    (3, three_with_flat_top),
    (4, four_open),
    (4, four_closed),
    (6, six_with_curl),
    (8, eight_of_two_rings),
    (9, nine_with_straight_tail),
    (9, nine_with_curl),
)
"""Each form with its digit; those that are mistaken for another digit several times."""
