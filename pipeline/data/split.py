"""Which images go to validation, and to test where a source has no test set of its own; reproducible by the seed."""

import numpy as np

from pipeline.data.errors import DataError


def by_writer(writers: np.ndarray, populations: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Choose whole writers until they hold ``share`` of each population's images; return bool [N], true where chosen.

    ``writers`` and ``populations`` are [N]. Writers come in a random order, and as many are chosen as hold the number
    of images nearest to the share, but at least one of each population and never all.

    Raises:
        DataError: a population has fewer than two writers, so that it cannot stand on both sides.
    """
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(writers), dtype=bool)
    for population in np.unique(populations):
        theirs = populations == population
        names, counts = np.unique(writers[theirs], return_counts=True)
        if len(names) < 2:
            raise DataError(
                f"{population}: {len(names)} writer; a split by writer takes two or more of each population"
            )
        order = rng.permutation(len(names))
        held = np.cumsum(counts[order])[:-1]
        enough = np.abs(held - share * theirs.sum()).argmin() + 1
        chosen |= theirs & np.isin(writers, names[order[:enough]])
    return chosen


def by_digit(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Choose ``share`` of each digit's images at random; return bool [N], true where chosen. ``labels`` is [N].

    At least one image of each digit is chosen and never all.

    Raises:
        DataError: a digit has fewer than two images, so that it cannot stand on both sides.
    """
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), dtype=bool)
    for digit in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == digit))
        if len(rows) < 2:
            raise DataError(f"digit {digit}: {len(rows)} image; a split by digit takes two or more of each")
        chosen[rows[: np.clip(round(share * len(rows)), 1, len(rows) - 1)]] = True
    return chosen
