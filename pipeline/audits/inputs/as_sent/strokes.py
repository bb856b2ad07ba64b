"""Pens and sizes: strokes drawn anew, thin, thick and hard-edged, digits cut to their ink or lost in a corner."""

import numpy as np

from pipeline.audits.inputs.as_sent.kind import Digit, kind
from pipeline.audits.inputs.as_sent.sheet import Ink, dark, light, outline, painted, placed, png, redrawn


def either(ink: Ink, rng: np.random.Generator) -> bytes:
    """Dark ink on white or, as often, bright on black."""
    return png(painted(ink, rng.uniform(190, 255), 0) if rng.random() < 0.5 else painted(ink, dark(rng)))


@kind("cut to the ink, as large as MNIST", "a square of 27, 28 or 29 pixels that the ink fills", 27, 28, 29)
def cut_to_the_ink_as_large_as_mnist(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    ink = outline(digit, strength)[:strength, :strength]
    across = (strength - ink.shape[1]) // 2
    down = (strength - ink.shape[0]) // 2
    return either(placed_at(ink, strength, down, across), rng)


def placed_at(ink: Ink, side: int, down: int, across: int) -> Ink:
    """Ink at one place of a square."""
    square = np.zeros((side, side), np.float32)
    square[down : down + ink.shape[0], across : across + ink.shape[1]] = ink
    return square


@kind("cut to the ink", "a picture that the ink fills, 20, 60 or 150 pixels long", 20, 60, 150)
def cut_to_the_ink(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    ink = outline(digit, strength)
    return either(np.pad(ink, rng.integers(0, 3, (2, 2)).tolist()), rng)


@kind("hard pen on 28x28", "drawn in a paint program of 28x28 pixels, with a pen of 1, 3 or 5", 1, 3, 5)
def hard_pen_on_28x28(digit: Digit, strength: int, rng: np.random.Generator) -> bytes:
    ink = (redrawn(digit, rng.uniform(22, 27.9), strength) > 0.5).astype(np.float32)[:28, :28]
    return either(placed(ink, 28, 28, rng, margin=0).ink, rng)


def on_a_canvas(ink: Ink, side: int, rng: np.random.Generator) -> bytes:
    return png(painted(placed(ink, side, side, rng).ink, dark(rng), light(rng)))


@kind("thin strokes", "a pen as wide as 4, 2.5 or 1.5 % of the digit's height", 0.04, 0.025, 0.015)
def thin_strokes(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    side = int(rng.integers(140, 220))
    size = rng.uniform(0.45, 0.75) * side
    return on_a_canvas(redrawn(digit, size, max(strength * size, 1.2)), side, rng)


@kind("thick strokes", "a pen as wide as 14, 17 or 20 % of the digit's height", 0.14, 0.17, 0.2)
def thick_strokes(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    side = int(rng.integers(100, 170))
    size = rng.uniform(0.45, 0.75) * side
    return on_a_canvas(redrawn(digit, size, strength * size), side, rng)


@kind("small in a corner", "20, 13 or 8 % as high as the picture, in a corner", 0.2, 0.13, 0.08)
def small_in_a_corner(digit: Digit, strength: float, rng: np.random.Generator) -> bytes:
    side = int(rng.integers(220, 300))
    size = strength * side
    ink = redrawn(digit, size, max(rng.uniform(0.08, 0.12) * size, 1.5))
    corner, rest = side // 4, side - side // 4
    down, across = rng.integers(2, size=2)
    around = [(down * rest, rest - down * rest), (across * rest, rest - across * rest)]
    return png(painted(np.pad(placed(ink, corner, corner, rng).ink, around), dark(rng)))
