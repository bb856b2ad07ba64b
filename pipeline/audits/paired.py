"""Two networks on the same images."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images, by exact McNemar.

    candidate_only, champion_only: images that only the one gets wrong; p: two-sided.
    """

    candidate_only: int
    champion_only: int
    p: float

    @property
    def net_errors(self) -> int:
        """How many errors more the candidate makes."""
        return self.candidate_only - self.champion_only


def mcnemar(candidate: np.ndarray, champion: np.ndarray) -> Comparison:
    """Compare two models' errors, bool [N] on the same images (McNemar 1947; exact, by the binomial distribution)."""
    candidate_only, champion_only = int((candidate & ~champion).sum()), int((champion & ~candidate).sum())
    discordant = candidate_only + champion_only
    p = float(binomtest(candidate_only, discordant).pvalue) if discordant else 1.0
    return Comparison(candidate_only, champion_only, p)
