"""What must not change the answer, and what must not make it surer.

Two of the three kinds of test of CheckList (Ribeiro, Wu, Guestrin and Singh, "Beyond Accuracy: Behavioral Testing of
NLP Models with CheckList", ACL 2020): invariance and directional expectation. The third, minimum functionality, is the
section `forms`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.audits.gates import UNMEASURABLE, Estimate
from pipeline.audits.inputs.directions import DIRECTIONS
from pipeline.audits.results import Results
from pipeline.audits.statistics import exact_interval

DRAWS = 1000
"""Resamplings of the images under directional change."""


def measure(results: Results) -> dict[str, Any]:
    """The gates invariance_lossless and invariance, and confidence as images grow worse."""
    lossless, small = unchanged(results, "lossless"), unchanged(results, "small")
    curves = confidences(results)
    shares = resampled_shares(results, curves)
    return {
        "invariance_lossless": worst(lossless),
        "invariance": worst(small),
        "lossless": consistency(lossless),
        "small": consistency(small),
        "directions": direction_table(curves, shares),
        "rises": rises(curves, shares),
    }


def unchanged(results: Results, kind: str) -> dict[str, np.ndarray]:
    """Whether each answer under each change of a kind is that for the untouched image: bool [M]."""
    before = results.predictions.digit
    return {name: one.predictions.digit == before[one.rows] for name, one in results.of(kind).items()}


def worst(same: Mapping[str, np.ndarray]) -> Estimate:
    """The share of answers that stay the same under the change that the fewest survive."""
    if not same:
        return UNMEASURABLE
    fewest = min(same.values(), key=lambda one: one.mean())
    return Estimate(float(fewest.mean()), exact_interval(int(fewest.sum()), len(fewest)))


def consistency(same: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """A row for each change, the worst first."""
    table = pd.DataFrame(
        {
            "change": list(same),
            "images": [len(one) for one in same.values()],
            "changed": [int((~one).sum()) for one in same.values()],
            "unchanged_percent": [100 * float(one.mean()) for one in same.values()],
        }
    )
    return table.sort_values("unchanged_percent", kind="stable", ignore_index=True)


def confidences(results: Results) -> dict[str, np.ndarray]:
    """Confidence, float32 [L, M], at each of the levels of each damage."""
    asked = results.of("direction")
    return {
        name: np.stack([asked[f"{name}/{level:g}"].predictions.confidence for level in direction.levels])
        for name, direction in DIRECTIONS.items()
        if f"{name}/{direction.levels[0]:g}" in asked
    }


def resampled_shares(results: Results, curves: Mapping[str, np.ndarray]) -> np.ndarray:
    """Each image's share of each of D resamplings, float [D, M]; one for all damages (paired bootstrap)."""
    count = next(iter(curves.values())).shape[1] if curves else 1
    rng = results.rng("directions")
    rng.choice(len(results.images), count, replace=False)  # the draw of the images themselves
    return rng.multinomial(count, np.full(count, 1 / count), size=min(results.bootstrap, DRAWS)) / count


def direction_table(curves: Mapping[str, np.ndarray], shares: np.ndarray) -> pd.DataFrame:
    """A row for each level of each damage: mean confidence, float in 0..1, with its 95 % interval."""
    rows = []
    for name, curve in curves.items():
        low, high = np.quantile(shares @ curve.T, (0.025, 0.975), axis=0)
        for index, level in enumerate(DIRECTIONS[name].levels):
            rows.append(
                {
                    "damage": name,
                    "unit": DIRECTIONS[name].unit,
                    "level": level,
                    "mean_confidence": float(curve[index].mean()),
                    "low": low[index],
                    "high": high[index],
                }
            )
    return pd.DataFrame(rows, columns=["damage", "unit", "level", "mean_confidence", "low", "high"])


def rises(curves: Mapping[str, np.ndarray], shares: np.ndarray) -> pd.DataFrame:
    """Where more of a damage raised the mean confidence by more than chance explains; rises in percentage points."""
    rows = []
    for name, curve in curves.items():
        steps = np.diff(curve, axis=0)
        lows = np.quantile(shares @ steps.T, 0.05, axis=0)
        levels = DIRECTIONS[name].levels
        for start, end, step, low in zip(levels, levels[1:], steps, lows, strict=False):
            if low > 0:
                rows.append({"damage": name, "start": start, "end": end, "rise_pp": 100 * float(step.mean())})
    return pd.DataFrame(rows, columns=["damage", "start", "end", "rise_pp"])
