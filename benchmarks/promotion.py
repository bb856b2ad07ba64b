"""How often the promotion rule errs: a worse network crowned, one as good or better left out.

    python -m benchmarks.promotion

Networks of known true error answer as many validation images as each source has, 20,000 times over, and the rule of
params.yaml decides, beside the rule before it, which crowned whatever was not shown to be worse. Takes ten seconds.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from pipeline import params
from pipeline.audits.statistics import tango_upper

Rule = Callable[[int, int], bool]
"""Whether a candidate is crowned, by how many images only it misreads, and only the champion."""

DRAWS = 20_000
SEED = 0
IMAGES = {"mnist": 5016, "mnist-sample": 333, "uci-digits": 120}
"""Validation images of each source."""
CHAMPION = {"mnist": 0.003, "mnist-sample": 0.009, "uci-digits": 0.02}
"""A champion's true error, about that of the ConvNet."""
HARD = 4
"""Hard images for each error of the champion. Networks err on these alone, and there by chance: of two that are as good
as each other a quarter of the errors are common."""
WORSE = {"mnist": (-0.1, 0, 0.1, 0.2, 0.4), "mnist-sample": (-0.6, 0, 0.6, 1, 1.8), "uci-digits": (-1, 0, 1, 2, 4)}
"""By how many percentage points more a candidate truly errs."""
SEVERAL = 3
CHAIN = 10
"""Candidates one after the other, each truly worse than the champion of its day by half the margin."""


def shown(source: str) -> Rule:
    """The rule: crowned where it is shown to be no worse by more than the margin."""
    rule = params.load("promote")
    margin = rule.margin_of(source)

    @cache
    def crowned(candidate_only: int, champion_only: int) -> bool:
        return tango_upper(candidate_only, champion_only, IMAGES[source], rule.alpha) <= margin

    return crowned


@cache
def assumed(candidate_only: int, champion_only: int) -> bool:
    """The rule before it: crowned unless it makes over five errors more, or McNemar's test shows that it makes more."""
    more = candidate_only - champion_only
    return more <= 0 or (more <= 5 and binomtest(candidate_only, candidate_only + champion_only).pvalue >= 0.05)


class World:
    """Validation sets of one source, drawn anew ``draws`` times."""

    def __init__(self, source: str, draws: int, rng: np.random.Generator) -> None:
        share = HARD * CHAMPION[source]
        hard = rng.binomial(IMAGES[source], share, draws)
        self.is_hard = np.arange(hard.max()) < hard[:, None]
        self.share, self.rng = share, rng

    def errors(self, error: float | np.ndarray) -> np.ndarray:
        """Which hard images a network of this true error, a share, gets wrong in each draw: bool [draws, H]."""
        chance = np.broadcast_to(np.asarray(error) / self.share, len(self.is_hard))[:, None]
        return np.asarray((self.rng.random(self.is_hard.shape) < chance) & self.is_hard)


def decisions(rule: Rule, candidate: np.ndarray, champion: np.ndarray) -> np.ndarray:
    """Whether the candidate is crowned in each draw, bool [draws], by the errors of both, bool [draws, H]."""
    counts = np.column_stack([(candidate & ~champion).sum(1), (champion & ~candidate).sum(1)])
    found, where = np.unique(counts, axis=0, return_inverse=True)
    return np.array([rule(int(b), int(c)) for b, c in found])[where.ravel()]


def crowned(rules: Sequence[Rule], source: str, worse: float, several: int, draws: int, seed: int) -> list[float]:
    """How often each rule crowns the best of ``several`` candidates that truly err by ``worse`` more, a share."""
    world = World(source, draws, np.random.default_rng(seed))
    champion = world.errors(CHAMPION[source])
    candidates = np.stack([world.errors(CHAMPION[source] + worse) for _ in range(several)])
    best = candidates[candidates.sum(2).argmin(0), np.arange(draws)]
    return [float(decisions(rule, best, champion).mean()) for rule in rules]


def drifted(rule: Rule, source: str, step: float, draws: int, seed: int) -> float:
    """The champion's mean true error after `CHAIN` candidates, each truly worse by ``step`` than the champion is."""
    world = World(source, draws, np.random.default_rng(seed))
    error = np.full(draws, CHAMPION[source])
    champion = world.errors(error)
    for _ in range(CHAIN):
        candidate = world.errors(error + step)
        taken = decisions(rule, candidate, champion)
        champion, error = np.where(taken[:, None], candidate, champion), error + taken * step
    return float(error.mean())


def main() -> None:
    rule = params.load("promote")
    table = Table(title=f"Share of {DRAWS:,} draws in which the candidate is crowned, and by the rule before")
    for column in ("source", "images", "true error", "candidate's", "one", "before", f"best of {SEVERAL}", "before"):
        table.add_column(column, justify="right")
    drift = Table(title=f"The champion's true error after {CHAIN} candidates, each half a margin worse than it")
    for column in ("source", "at first", "then", "by the rule before"):
        drift.add_column(column, justify="right")
    for source, images in IMAGES.items():
        rules, first = (shown(source), assumed), CHAMPION[source]
        for worse in WORSE[source]:
            rates = [crowned(rules, source, worse / 100, several, DRAWS, SEED) for several in (1, SEVERAL)]
            cells = [f"{rate:.1%}" for pair in rates for rate in pair]
            table.add_row(source, f"{images:,}", f"{first:.1%}", f"{worse:+.1f} pp", *cells)
        table.add_section()
        then = [drifted(one, source, rule.margin_of(source) / 2, DRAWS // 10, SEED) for one in rules]
        drift.add_row(source, f"{first:.2%}", *(f"{one:.2%}" for one in then))
    Console().print(table)
    Console().print(drift)


if __name__ == "__main__":
    main()
