"""Whether unusual handwriting is recognised as well as usual: broken strokes, and the outer fifths of five measures.

A digit's measures depend on the digit (a 1 is thin and light), so images are ranked among those of the same digit.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from pipeline.audits.accuracy import percentages, proportion
from pipeline.audits.gates import Estimate
from pipeline.audits.results import Results
from pipeline.audits.statistics import holm, permutation_p

STYLES = {"thickness": "px", "slant": "°", "ink": "px²", "width": "px", "height": "px"}
FIFTHS = 5


def estimates(results: Results) -> dict[str, Estimate]:
    """The gate's estimate alone."""
    return {"broken_strokes": broken_strokes(broken(results.samples), results.wrong)}


def measure(results: Results, parts: int = FIFTHS) -> dict[str, Any]:
    """The error on broken strokes and on unusual styles.

    Args:
        parts: of equally many images, in which the error by style is told.
    """
    labels, wrong, pieces = results.labels, results.wrong, broken(results.samples)
    fifths = ranked(results.samples, labels, FIFTHS)
    return {
        **estimates(results),
        "broken_images": int(pieces.sum()),
        "broken_errors": int((pieces & wrong).sum()),
        "whole_images": int((~pieces).sum()),
        "broken_against_whole_p": against_whole(pieces, wrong),
        "pieces": pieces_table(pieces, wrong),
        "styles": styles_table(fifths, labels, wrong, results.bootstrap, results.rng("outer fifths")),
        "by_style": by_style(ranked(results.samples, labels, parts), wrong),
    }


def broken(samples: pd.DataFrame) -> np.ndarray:
    """Which images show strokes in more than one piece, bool [N]."""
    return np.asarray(samples["components"] > 1)


def broken_strokes(broken: np.ndarray, wrong: np.ndarray) -> Estimate:
    """The error on images whose ink lies in more than one piece; both bool [N]."""
    return proportion(wrong[broken])


def ranked(samples: pd.DataFrame, labels: np.ndarray, parts: int) -> dict[str, np.ndarray]:
    """For each style, `within_digit` of all images."""
    return {name: within_digit(samples[name].to_numpy(), labels, parts) for name in STYLES}


def within_digit(values: np.ndarray, labels: np.ndarray, parts: int) -> np.ndarray:
    """The part of its digit's images that each one falls into by rank, int [N] in 0..parts-1; -1 without a value.

    Equal values share their mean rank, so that an outer part is empty where its values cannot be told apart.

    Args:
        values: float [N], NaN where unmeasured. labels: int [N].
    """
    rank = pd.Series(values).groupby(labels).rank(pct=True).to_numpy()
    return np.where(np.isnan(rank), 0, np.ceil(rank * parts - 1e-9)).astype(int) - 1


def against_whole(broken: np.ndarray, wrong: np.ndarray) -> float | None:
    """Fisher's exact p of broken strokes against whole ones, bool [N] each; None where all images are of one kind."""
    if not broken.any() or broken.all():
        return None
    counts = [[int((kind & wrong).sum()), int((kind & ~wrong).sum())] for kind in (broken, ~broken)]
    return float(fisher_exact(np.array(counts)).pvalue)


def pieces_table(broken: np.ndarray, wrong: np.ndarray) -> pd.DataFrame:
    """Images and errors with strokes in one piece, and in more."""
    return pd.DataFrame(
        {"strokes": name, **counted(wrong[kind])} for name, kind in (("in one piece", ~broken), ("broken", broken))
    )


def counted(wrong: np.ndarray) -> dict[str, float]:
    """Columns of a table: the images of a group, bool [N], its errors, and their share with its exact interval."""
    errors = int(wrong.sum())
    return {"images": len(wrong), "errors": errors, **percentages(errors, len(wrong))}


def styles_table(
    fifths: Mapping[str, np.ndarray], labels: np.ndarray, wrong: np.ndarray, draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """A row for each style: error shares, and the outer fifths' permutation test, corrected by Holm (1979)."""
    rows = []
    for name, fifth in fifths.items():
        lowest, middle, highest = thirds = outer(fifth)
        rows.append(
            {
                "style": name,
                "lowest_fifth_error_percent": percent(wrong[lowest]),
                "middle_error_percent": percent(wrong[middle]),
                "highest_fifth_error_percent": percent(wrong[highest]),
                "errors_in_the_outer_fifths": int(wrong[lowest | highest].sum()),
                "errors": int(wrong[fifth >= 0].sum()),
                "p": outer_p(thirds, labels, wrong, draws, rng),
            }
        )
    table = pd.DataFrame(rows)
    return table.assign(p_holm=holm(table["p"].to_numpy()))


def outer(fifth: np.ndarray) -> np.ndarray:
    """Whether each image is in the lowest fifth, in the middle, in the highest fifth: bool [3, N]."""
    return np.stack([fifth == 0, (fifth > 0) & (fifth < FIFTHS - 1), fifth == FIFTHS - 1])


def percent(wrong: np.ndarray) -> float:
    """The error of a group, bool [N], in per cent; NaN for an empty one."""
    return 100 * float(wrong.mean()) if len(wrong) else np.nan


def outer_p(thirds: np.ndarray, labels: np.ndarray, wrong: np.ndarray, draws: int, rng: np.random.Generator) -> float:
    """Whether errors gather in the lowest fifth, the highest, or both: p against errors dealt out within each digit.

    The statistic is the largest of the three standardised excesses, so that harm at both ends counts as much as at one,
    which a test for a trend would miss.
    """
    null = np.zeros((draws, 3), dtype=np.int64)
    for digit in np.unique(labels):
        theirs = thirds & (labels == digit)
        null += rng.multivariate_hypergeometric(theirs.sum(1), int((theirs & wrong).sum()), size=draws)
    ends, found = with_both(null), with_both((thirds & wrong).sum(1)[None])
    mean, spread = ends.mean(0), np.maximum(ends.std(0), np.finfo(float).eps)
    return permutation_p(float(((found - mean) / spread).max()), ((ends - mean) / spread).max(1))


def with_both(counts: np.ndarray) -> np.ndarray:
    """Errors in the lowest fifth, the highest, and both, int [D, 3], of errors by third, int [D, 3]."""
    return np.stack([counts[:, 0], counts[:, 2], counts[:, 0] + counts[:, 2]], axis=1)


def by_style(parts: Mapping[str, np.ndarray], wrong: np.ndarray) -> pd.DataFrame:
    """A row for each part of each style that holds images: their errors."""
    return pd.DataFrame(
        {"style": name, "part": part, **counted(wrong[place == part])}
        for name, place in parts.items()
        for part in np.unique(place[place >= 0])
    )
