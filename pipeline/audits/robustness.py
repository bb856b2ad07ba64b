"""How a network stands pictures that are corrupted, redrawn or displaced."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.audits.accuracy import percentages
from pipeline.audits.gates import Estimate
from pipeline.audits.inputs.corruptions import CORRUPTIONS, CURVES
from pipeline.audits.inputs.morphology import PERTURBATIONS
from pipeline.audits.population import POPULATIONS
from pipeline.audits.results import Answered, Results
from pipeline.audits.statistics import interval, resampled_means

WANTED = 0.95
"""A severity curve has broken where accuracy falls under this."""


@dataclass(frozen=True)
class Trial:
    """What became of M pictures.

    rows: int [M], of the test images that they were made from; right: bool [M], whether the most probable digit is the
    label, also where the recogniser abstained; answered: bool [M].
    """

    rows: np.ndarray
    right: np.ndarray
    answered: np.ndarray


def measure(results: Results) -> dict[str, Any]:
    """The gates corruption_mean, corruption_worst and canvas, and what else corrupted pictures show."""
    trials = {name: trial(results, one) for name, one in results.of("corruption").items()}
    by_population = resampled_corruptions(results, trials)
    corruptions = corruption_table(results, trials, by_population)
    strokes = stroke_table(results)
    curves = severity_curves(results)
    right, answered = (
        np.concatenate([getattr(one, name) for one in trials.values()]) for name in ("right", "answered")
    )
    redrawn = strokes[strokes["change"] != "none"]
    return {
        **estimates(results, trials, by_population),
        "wanted": WANTED,
        "over": "writers" if results.has_writers else "images",
        "clean": 1 - float(results.wrong.mean()),
        "worst": record(corruptions, corruptions["right_percent"].idxmin()),
        "abstained": 1 - float(answered.mean()),
        "answered_wrong": float((~right)[answered].mean()) if answered.any() else 0.0,
        "widest_gap": widest_gap(corruptions),
        "hardest_stroke": record(strokes, redrawn["right_percent"].idxmin()),
        "unchanged_strokes": record(strokes, strokes.index[strokes["change"] == "none"][0]),
        "corruptions": corruptions,
        "hard": corruptions[corruptions["right_percent"] < 100 * WANTED].sort_values("right_percent", kind="stable"),
        "strokes": strokes,
        "severities": severity_table(curves),
        "canvases": canvas_table(results),
        "curves": curves,
    }


def trial(results: Results, one: Answered) -> Trial:
    """What became of one set of pictures."""
    return Trial(one.rows, one.predictions.digit == results.labels[one.rows], ~one.predictions.abstained)


def estimates(
    results: Results, trials: Mapping[str, Trial], by_population: Mapping[str, np.ndarray]
) -> dict[str, Estimate]:
    """The gates' estimates."""
    scores = np.stack([one.right for one in trials.values()], axis=1)
    overall = weighted(by_population, results)
    worst = int(scores.mean(axis=0).argmin())
    right, rows = on_canvas(results)
    canvas = resampled_by_population(results, right[:, None], rows, results.rng("robustness: canvas interval"))
    return {
        "corruption_mean": estimate(scores, overall.mean(axis=1)),
        "corruption_worst": estimate(scores[:, worst], overall[:, worst]),
        "canvas": estimate(right, weighted(canvas, results)),
    }


def estimate(right: np.ndarray, draws: np.ndarray) -> Estimate:
    """The share of ``right``, bool, which resampled is ``draws``, float."""
    return Estimate(float(right.mean()), interval(draws))


def resampled_corruptions(results: Results, trials: Mapping[str, Trial]) -> dict[str, np.ndarray]:
    """Accuracy under each of K corruptions, resampled: float [draws, K] of each population."""
    scores = np.stack([one.right for one in trials.values()], axis=1)
    rows = next(iter(trials.values())).rows
    return resampled_by_population(results, scores, rows, results.rng("robustness: corruptions"))


def resampled_by_population(
    results: Results, scores: np.ndarray, rows: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """`resampled_means` for each population, whole writers at a time; images, as "all", where no writers are known.

    Args:
        scores: bool [M, K], of the test images at ``rows``, int [M].
    """
    if not results.has_writers:
        return {"all": resampled_means(scores, np.arange(len(scores)), results.bootstrap, rng)}
    population, writer = (results.samples[column].to_numpy()[rows] for column in ("population", "writer"))
    return {
        name: resampled_means(
            scores[population == name], writer[population == name].astype(int), results.bootstrap, rng
        )
        for name in POPULATIONS
    }


def weighted(by_population: Mapping[str, np.ndarray], results: Results) -> np.ndarray:
    """The populations' resampled means, float [draws, K], put together in the proportions of the test set."""
    if not results.has_writers:
        return by_population["all"]
    shares = results.samples["population"].value_counts(normalize=True)
    return sum((shares[name] * means for name, means in by_population.items()), np.zeros(()))


def shares(one: Trial) -> dict[str, float]:
    """Columns that every table has."""
    wrong = (~one.right)[one.answered]
    return {
        "right_percent": 100 * float(one.right.mean()),
        "answered_percent": 100 * float(one.answered.mean()),
        "wrong_among_answered_percent": 100 * float(wrong.mean()) if len(wrong) else np.nan,
    }


def corruption_table(
    results: Results, trials: Mapping[str, Trial], by_population: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """A row for each corruption; the students' error minus the employees' only where writers are known."""
    rows: list[dict[str, Any]] = []
    overall = weighted(by_population, results)
    for index, (name, one) in enumerate(trials.items()):
        low, high = interval(overall[:, index])
        plain, hopfield = CORRUPTIONS[name].published or (np.nan, np.nan)
        row = {
            "corruption": name,
            "what_it_does": CORRUPTIONS[name].description,
            **shares(one),
            "low_percent": 100 * low,
            "high_percent": 100 * high,
            "plain_CNN_published_percent": 100 * plain,
            "with_Hopfield_denoiser_published_percent": 100 * hopfield,
        }
        if results.has_writers:
            population = results.samples["population"].to_numpy()[one.rows]
            students, employees = (one.right[population == group].mean() for group in POPULATIONS)
            low, high = interval(100 * (by_population["employees"] - by_population["students"])[:, index])
            row |= {
                "students_minus_employees_pp": 100 * float(employees - students),
                "gap_low_pp": low,
                "gap_high_pp": high,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def widest_gap(corruptions: pd.DataFrame) -> dict[Any, Any] | None:
    """The row under which the populations differ most, or None where they are not known."""
    if "students_minus_employees_pp" not in corruptions:
        return None
    return record(corruptions, corruptions["students_minus_employees_pp"].abs().idxmax())


def record(table: pd.DataFrame, row: Any) -> dict[Any, Any]:
    """One row of a table, by its columns."""
    return dict(table.loc[row])


def on_canvas(results: Results) -> tuple[np.ndarray, np.ndarray]:
    """Whether each image was right on its canvas, bool [M], and its row, int [M], in the rows' order."""
    trials = [trial(results, one) for one in results.of("canvas").values()]
    right, rows = (np.concatenate([getattr(one, name) for one in trials]) for name in ("right", "rows"))
    order = np.argsort(rows, kind="stable")
    return right[order], rows[order]


def canvas_table(results: Results) -> pd.DataFrame:
    """A row for each size of canvas, each image being on one."""
    return pd.DataFrame(
        {"side_px": int(side), "images": len(one.rows), **shares(trial(results, one))}
        for side, one in results.of("canvas").items()
    )


def severity_curves(results: Results) -> pd.DataFrame:
    """A row for each severity of each family: its value as people know it, and shares right and answered."""
    rows = []
    for name, one in results.of("severity").items():
        family, severity = name.split("/")
        known, told = CURVES[family], trial(results, one)
        assert known.told
        rows.append(
            {
                "family": family,
                "severity": int(severity),
                "told": known.told(known.severities[int(severity) - 1]),
                "right": float(told.right.mean()),
                "answered": float(told.answered.mean()),
            }
        )
    return pd.DataFrame(rows)


def severity_table(curves: pd.DataFrame) -> pd.DataFrame:
    """A row for each family, a column for each severity, their mean (the area under the curve), and where it broke."""
    rows = []
    for family, levels in curves.groupby("family", sort=False):
        broken = levels["told"][levels["right"] < WANTED]
        right = {
            f"severity_{at}_percent": 100 * one for at, one in zip(levels["severity"], levels["right"], strict=True)
        }
        rows.append(
            {
                "family": family,
                **right,
                "mean_percent": 100 * float(levels["right"].mean()),
                "broken_at": broken.iloc[0] if len(broken) else "",
            }
        )
    return pd.DataFrame(rows)


def stroke_table(results: Results) -> pd.DataFrame:
    """A row for each change of the stroke, after one for the same images as they are."""
    rows = []
    for name, one in results.of("morphology").items():
        told = trial(results, one)
        interval = percentages(int(told.right.sum()), len(told.right), "right")
        described = "the same images as they are" if name == "none" else PERTURBATIONS[name].description
        rows.append({"change": name, "what_it_does": described, "images": len(told.right), **shares(told), **interval})
    return pd.DataFrame(rows)
