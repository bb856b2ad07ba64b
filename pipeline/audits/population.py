"""The gap in error between the two populations whose handwriting MNIST was collected from."""

import numpy as np
import pandas as pd

from pipeline.audits.gates import Gate

NAME = "population_gap"


def population_gap(samples: pd.DataFrame, wrong: np.ndarray, draws: int, seed: int, threshold: float) -> Gate:
    """The students' error minus the employees', in percentage points, judged by its one-sided 95 % upper bound.

    A bound, since "no significant difference" would say nothing of a test set with few errors; over writers, since the
    digits of one hand fail together.

    Args:
        samples: a row for each image, with columns ``population`` and ``writer``.
        wrong: bool [N], whether the image was misread.
    """
    if samples["writer"].isna().all():
        return Gate(
            NAME, None, None, "at most", threshold, "Not measurable: this source does not say who wrote its digits."
        )
    rng = np.random.default_rng(seed)
    table = samples.assign(wrong=wrong)
    students, employees = (
        resampled_error(group.groupby("writer")["wrong"].agg(["sum", "size"]).to_numpy(), draws, rng)
        for group in (table[table["population"] == name] for name in ("students", "employees"))
    )
    errors = 100 * table.groupby("population")["wrong"].mean()
    gaps = 100 * (students - employees)
    low, upper, high = (float(bound) for bound in np.quantile(gaps, (0.025, 0.95, 0.975)))
    sentence = (
        f"Students are misread in {errors['students']:.2f} %, employees in {errors['employees']:.2f} %: a gap of "
        f"{errors['students'] - errors['employees']:+.2f} percentage points, 95 % interval {low:+.2f} to {high:+.2f} "
        f"over writers, upper bound {upper:+.2f}."
    )
    return Gate(NAME, upper, (low, high), "at most", threshold, sentence)


def resampled_error(writers: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Error shares, float [draws], of samples of whole writers drawn with replacement (cluster bootstrap).

    Args:
        writers: int [W, 2], errors and digits of each writer.
    """
    chosen = rng.multinomial(len(writers), np.full(len(writers), 1 / len(writers)), size=draws)
    errors, digits = (chosen @ writers).T
    return errors / digits
