"""0 told from 1 by weights that a person has set: one neuron on 8x8 pixels, nothing learnt."""

import numpy as np

RULE = """
........
........
..-++-..
..-++-..
..-++-..
..-++-..
........
........
"""
"""Ink in the middle speaks for 1 (+), ink on either side of it for 0 (-)."""
SIGNS = {"+": 1.0, "-": -1.0, ".": 0.0}


def weights() -> np.ndarray:
    """The weights of the rule, float [8, 8]."""
    return np.array([[SIGNS[sign] for sign in row] for row in RULE.split()])


def answers(images: np.ndarray) -> np.ndarray:
    """1 where the weighted sum of the ink is above 0 and else 0, int [N], of images, uint8 [N, 8, 8]."""
    return ((images / 255 * weights()).sum(axis=(1, 2)) > 0).astype(int)
