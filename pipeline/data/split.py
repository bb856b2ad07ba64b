"""Which images go to validation, and to test where a source brings no test set of its own. Seeded, so reproducible."""

import numpy as np


def by_writer(writers: np.ndarray, populations: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Choose whole writers until they hold ``share`` of each population's images; return bool [N], true where chosen.

    ``writers`` and ``populations`` are [N]. Writers come in a random order, and as many are taken as bring the number of
    images nearest to the share, but at least one of each population and never all.

    Raises:
        ValueError: a population has fewer than two writers, so that it cannot be on both sides.
    """
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(writers), dtype=bool)
    for population in np.unique(populations):
        of_population = populations == population
        names, counts = np.unique(writers[of_population], return_counts=True)
        if len(names) < 2:
            raise ValueError(f"population {population} has {len(names)} writer; a split by writer needs two or more")
        order = rng.permutation(len(names))
        held = np.cumsum(counts[order])[:-1]
        taken = order[: np.abs(held - share * of_population.sum()).argmin() + 1]
        chosen |= of_population & np.isin(writers, names[taken])
    return chosen


def by_digit(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Choose ``share`` of each digit's images at random; return bool [N], true where chosen. ``labels`` is [N]."""
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), dtype=bool)
    for digit in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == digit))
        chosen[rows[: round(share * len(rows))]] = True
    return chosen
