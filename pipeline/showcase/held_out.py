"""The test digits on which somebody can see what switching units off does: held_out.png, a row for each digit."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NAME = "held_out.png"
OF_EACH = 50
"""Of each digit, or as many as there are of the rarest."""
SEED = 0


def make(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, bytes]:
    """The file of some of the test set's images, uint8 [N, 28, 28] with labels [N], drawn at random."""
    order = np.random.default_rng(SEED).permutation(len(images))
    of_each = min(OF_EACH, *np.bincount(labels, minlength=10))
    rows = [np.hstack(images[order[labels[order] == digit][:of_each]]) for digit in range(10)]
    buffer = io.BytesIO()
    Image.fromarray(np.vstack(rows)).save(buffer, "PNG", optimize=True)
    return {NAME: buffer.getvalue()}
