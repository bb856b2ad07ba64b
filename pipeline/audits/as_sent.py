"""Digits as people send them: photographed, scanned, drawn, cut out. Whether they are answered, and rightly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.audits.accuracy import percentages, proportion
from pipeline.audits.gates import Estimate
from pipeline.audits.inputs.as_sent import KINDS
from pipeline.audits.results import Results
from pipeline.audits.statistics import interval, resampled_means
from serving.model.recogniser import Predictions

SURE = 0.99
HARD = 0.95
"""Kinds of which less is right are named."""


@dataclass(frozen=True)
class Outcome:
    """What became of M pictures, bool [M] each.

    right: answered with the digit, or abstained from where that is right too; wrong: answered with another digit, and
    confident: with a confidence above 0.99; abstained: not answered.
    """

    right: np.ndarray
    wrong: np.ndarray
    confident: np.ndarray
    abstained: np.ndarray

    def of(self, which: np.ndarray) -> "Outcome":
        """That of some of the pictures."""
        return Outcome(**{name: values[which] for name, values in vars(self).items()})

    @classmethod
    def joined(cls, parts: Sequence["Outcome"]) -> "Outcome":
        """That of the pictures of all ``parts``, of which there is one at least."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def outcome(told: Predictions, digits: np.ndarray, lenient: np.ndarray | bool = False) -> Outcome:
    """What became of pictures that show ``digits``, int [M]; ``lenient``: whether abstaining is right too."""
    agrees = told.digit == digits
    wrong = ~told.abstained & ~agrees
    right = np.where(told.abstained, lenient, agrees)
    return Outcome(right, wrong, wrong & (told.confidence > SURE), np.asarray(told.abstained))


def measure(results: Results) -> dict[str, Any]:
    """The gates as_sent_mean, as_sent_worst, as_sent_wrong and as_sent_confident, and each kind in each strength."""
    pictures, became = asked(results)
    strengths = table(pictures, became, ["kind", "strength"])
    kinds = kinds_table(pictures, became, strengths)
    worst = kinds.iloc[0]["kind"]
    of_worst = np.asarray(pictures["kind"] == worst)
    rows = pictures["row"].to_numpy()
    return {
        "as_sent_mean": share(results, became.right, rows),
        "as_sent_worst": share(results, became.right[of_worst], rows[of_worst]),
        "as_sent_wrong": share(results, became.wrong, rows),
        "as_sent_confident": share(results, became.confident, rows),
        "sure": SURE,
        "hard_share": HARD,
        "pictures": len(pictures),
        "per_strength": int(strengths["pictures"].max()),
        "over": "writers" if results.has_writers else "images",
        "worst": worst,
        "abstained": float(became.abstained.mean()),
        "kinds": kinds,
        "hard": kinds[kinds["right_percent"] < 100 * HARD],
        "misled": kinds[kinds["wrong_percent"] > 0].sort_values("wrong_percent", ascending=False, kind="stable"),
        "lenient": [name for name, kind in KINDS.items() if kind.lenient],
        "strengths": strengths,
    }


def asked(results: Results) -> tuple[pd.DataFrame, Outcome]:
    """A row for each picture that was asked about, with its kind, strength and test image; and what became of it."""
    pictures, told = [], []
    for name, one in results.of("as_sent").items():
        kind, strength = name.split("/")
        pictures.append(pd.DataFrame({"kind": kind, "strength": int(strength), "row": one.rows}))
        told.append(outcome(one.predictions, results.labels[one.rows], KINDS[kind].lenient))
    return pd.concat(pictures, ignore_index=True), Outcome.joined(told)


def share(results: Results, hits: np.ndarray, rows: np.ndarray) -> Estimate:
    """The share of ``hits``, bool [M], among pictures of the test images at ``rows``, int [M].

    Its interval is over the images' writers, or over images where no writers are known; that of all or nothing, which
    resampling cannot tell, over the pictures.
    """
    if hits.all() or not hits.any():
        return proportion(hits)
    units = results.samples["writer"].to_numpy()[rows].astype(int) if results.has_writers else rows
    drawn = resampled_means(hits[:, None], units, results.bootstrap, results.rng("as sent: interval"))
    return Estimate(float(hits.mean()), interval(drawn[:, 0]))


def table(pictures: pd.DataFrame, became: Outcome, by: list[str]) -> pd.DataFrame:
    """A row for each group of ``pictures``, in their order: `columns` of it."""
    groups = pictures.groupby(by, sort=False).indices
    names = [key if isinstance(key, tuple) else (key,) for key in groups]
    return pd.DataFrame(
        dict(zip(by, name, strict=True)) | columns(became.of(np.asarray(places)))
        for name, places in zip(names, groups.values(), strict=True)
    )


def columns(became: Outcome) -> dict[str, float]:
    """What became of a group of pictures, in per cent, with exact 95 % intervals."""
    found: dict[str, float] = {"pictures": len(became.right)}
    for name in ("right", "wrong", "confident"):
        hits = getattr(became, name)
        counted = percentages(int(hits.sum()), len(hits), name)
        found |= {column if column.startswith(name) else f"{name}_{column}": one for column, one in counted.items()}
    return found | {"abstained_percent": 100 * float(became.abstained.mean())}


def kinds_table(pictures: pd.DataFrame, became: Outcome, strengths: pd.DataFrame) -> pd.DataFrame:
    """A row for each kind, the worst first: what it is, whether abstaining is right too, and what became of it."""
    kinds = table(pictures, became, ["kind"])
    right = strengths.pivot(index="kind", columns="strength", values="right_percent").loc[kinds["kind"]]
    for strength in right.columns:
        kinds[f"strength_{strength}_right_percent"] = right[strength].to_numpy()
    known = [KINDS[name] for name in kinds["kind"]]
    kinds.insert(1, "what_it_is", [kind.description for kind in known])
    kinds.insert(2, "abstaining_is_right", [kind.lenient for kind in known])
    return kinds.sort_values("right_percent", kind="stable", ignore_index=True)
