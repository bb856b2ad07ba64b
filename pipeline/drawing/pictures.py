"""The pictures themselves: other hands' digits, non-digits, and digits written again on paper with any pen."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.morphology import skeletonize

from pipeline.drawing.fit import BOX, fitted
from pipeline.drawing.forms import FORMS
from pipeline.drawing.pens import any_pen, drawn, line, traced
from pipeline.drawing.symbols import glyph, photograph, thing

HARD = 0.2
"""Share of the digits whose pixels are black or white alone, as a program without soft edges draws them."""


def form(rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
    """A digit as other hands write it, uint8 [28, 28], and which it is."""
    digit, draw = FORMS[rng.integers(len(FORMS))]
    shear = np.array([[rng.uniform(0.6, 1.0), rng.uniform(-0.25, 0.1)], [0, 1]])
    bend, phase = rng.normal(0, 0.015, 2), rng.uniform(0, 6, 2)
    strokes = [stroke + bend * np.sin(5 * stroke[:, ::-1] + phase) for stroke in draw(rng)]
    path = line(*((stroke - 0.5) @ shear.T + 0.5 for stroke in strokes))
    return finished(drawn(path, any_pen(rng), rng), rng), digit


def non_digit(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A letter, a symbol, a thing or a piece of a photograph: uint8 [28, 28]."""
    kind = rng.random()
    if kind < 0.12:
        return photograph(rng)
    if kind < 0.3:
        mask = glyph(rng)
        if mask.any():
            return finished(mask.astype(float), rng)
    path = skeletonize(glyph(rng)) if kind < 0.65 else thing(rng)
    if path.sum() < 8:
        path = thing(rng)
    return finished(drawn(path, any_pen(rng), rng, keep_holes=kind < 0.65), rng)


def on_paper(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A digit, uint8 [28, 28], written along the same path with any pen in dark on white: uint8 [SIDE, SIDE]."""
    ink = drawn(traced(image), any_pen(rng), rng)
    return np.rint(255 * (1 - ink * rng.uniform(0.5, 1))).astype(np.uint8)


def finished(ink: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Ink on a canvas as an image, uint8 [28, 28], a little larger or smaller, at times with hard edges."""
    if rng.random() < HARD:
        image = fitted(ink, BOX, Image.Resampling.BOX)
        return np.where(image > 110, 255, 0).astype(np.uint8)
    return fitted(ink, int(rng.integers(BOX - 1, BOX + 2)))
