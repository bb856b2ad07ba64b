"""Drawn digits as MNIST holds them, without a data set."""

from functools import cache

import numpy as np

from pipeline.audits.inputs.strokes import STYLES, draw
from serving.images import normalise


@cache
def drawn_digits() -> tuple[np.ndarray, np.ndarray]:
    """24 digits, uint8 [24, 28, 28], and their labels."""
    rng = np.random.default_rng(0)
    styles = [style for _ in range(2) for style in list(STYLES.values())[:12]]
    images = np.stack([normalise(draw(style, rng).astype(np.float32)) for style in styles])
    return images.round().astype(np.uint8), np.array([style.digit for style in styles])
