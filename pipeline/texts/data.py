"""The data sets of the texts' networks."""

import numpy as np

from pipeline.data import split
from pipeline.data.sources import uci_digits
from pipeline.data.store import load_split
from pipeline.params import Split
from pipeline.paths import PROCESSED

MEASURED = {"validation": "val", "test": "test"}
"""The parts that accuracy is told of, by what people call them."""
INK = 16
"""The largest value of UCI's pixels: how many of the 4x4 pixels that each stands for had ink."""


def load(data: str, part: str, shares: Split) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 [N, S, S] with values 0 to 255, and labels, uint8 [N], of a part: "train", "val" or "test".

    Args:
        data: "processed", the main pipeline's images; "digits8", UCI's; "zero_or_one", of these the 0s and 1s.
        shares: how UCI's images are split, at random within each digit.

    Raises:
        DataError: the main pipeline's images are missing or damaged.
    """
    if data == "processed":
        return load_split(PROCESSED, part)
    images, labels = uci_digits()
    chosen = parts(labels, shares) == part
    if data == "zero_or_one":
        chosen &= labels < 2
    return np.round(images[chosen] * (255 / INK)).astype(np.uint8), labels[chosen]


def parts(labels: np.ndarray, shares: Split) -> np.ndarray:
    """The part that each image belongs to, str [N], of labels, uint8 [N]."""
    names = np.where(split.by_digit(labels, shares.test, shares.seed), "test", "train")
    rest = np.flatnonzero(names == "train")
    names[rest[split.by_digit(labels[rest], shares.validation, shares.seed)]] = "val"
    return names
