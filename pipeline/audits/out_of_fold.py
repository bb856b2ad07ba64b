"""How networks that learnt as this one did, each without a fold of the writers, recognise the writers they never saw.

The test set's few errors cannot show small gaps between groups. Out of fold, the images that a network learns from are
six times as many, and speak of how it was trained: what is served is none of the networks that answered for them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipeline.audits import accuracy, calibration, population, style
from pipeline.audits.gates import GATES, Verdict
from pipeline.audits.population import Gap
from pipeline.audits.results import Results
from serving.model.recogniser import CLASSES, Predictions

DECILES = 10
NORMAL_95 = 1.96
POWER_80 = 0.84
"""Standard deviations of a normal distribution beyond which lie 2.5 % on each side, and 20 % on one."""


class OutOfFold(Results):
    """What the networks of the folds answered, each for its own; with draws of its own."""

    def rng(self, purpose: str) -> np.random.Generator:
        return super().rng(f"recipe: {purpose.removeprefix('population ')}")


def measure(
    results: Results, images: np.ndarray, samples: pd.DataFrame, thresholds: Mapping[str, float]
) -> dict[str, Any]:
    """What the networks of the folds show of how the network of ``results`` was trained.

    Args:
        images: uint8 [N, 28, 28], of training and validation.
        samples: a row for each, with the columns of samples.parquet, the fold that it was in, and what was answered:
            digit, confidence and whether the network abstained.
    """
    asked = answers(results, images, samples)
    own = population.error_gap(results, population.populations(results.samples))
    found = accuracy.measure(asked) | population.measure(asked) | style.measure(asked, DECILES)
    found |= calibration.answers(asked)
    verdicts = [Verdict(gate, found[name], thresholds[name]) for name, gate in GATES.items() if name in found]
    return found | {
        "folds": int(samples["fold"].nunique()),
        "people": int(samples["writer"].nunique()),
        "answers": int((~asked.predictions.abstained).sum()),
        "overconfident": int((asked.wrong & (asked.predictions.confidence > calibration.SURE)).sum()),
        "detectable_gap_pp": detectable(found["gap"]),
        "detectable_gap_on_test_pp": detectable(own),
        "gap_on_test_pp": own.value,
        "verdicts": verdicts,
        "gates": gates_table(verdicts),
        "by_fold": folds_table(asked),
        "asked": asked,
    }


def answers(results: Results, images: np.ndarray, samples: pd.DataFrame) -> OutOfFold:
    """The answers out of fold as the other sections take them; which labels are wrong is known of no training file."""
    digit, confidence = samples["digit"].to_numpy(np.int64), samples["confidence"].to_numpy(np.float32)
    unknown = np.full((len(samples), CLASSES), np.nan, np.float32)
    return OutOfFold(
        images=images,
        labels=samples["label"].to_numpy(),
        samples=samples,
        predictions=Predictions(
            digit=digit,
            confidence=confidence,
            probabilities=unknown,
            novelty=unknown[:, 0],
            prediction_set=None,
            abstained=samples["abstained"].to_numpy(bool),
            reason=np.full(len(samples), None, object),
        ),
        seed=results.seed,
        network=results.network,
        bootstrap=results.bootstrap,
    )


def detectable(found: Gap) -> float:
    """The gap, in percentage points, that is told from none with a power of 80 %, by its interval's width."""
    return (NORMAL_95 + POWER_80) * (found.high - found.low) / (2 * NORMAL_95)


def gates_table(verdicts: list[Verdict]) -> pd.DataFrame:
    """A row for each gate: what was found out of fold, and what is asked of the network itself on the test set."""
    return pd.DataFrame(
        {
            "requirement": one.gate.title,
            "found": one.estimate.value,
            "low": one.estimate.interval and one.estimate.interval[0],
            "high": one.estimate.interval and one.estimate.interval[1],
            "asked_of_the_network_itself": f"{one.gate.limit} {one.threshold:g}",
            "unit": one.gate.unit,
            "would_be": one.status,
        }
        for one in verdicts
    )


def folds_table(asked: OutOfFold) -> pd.DataFrame:
    """A row for each fold's network: for whom it answered, and how well."""
    fold, writer = asked.samples["fold"].to_numpy(), asked.samples["writer"]
    rows = []
    for number in range(fold.max() + 1):
        theirs = fold == number
        given = theirs & ~asked.predictions.abstained
        rows.append(
            {
                "network": number + 1,
                "writers": writer[theirs].nunique(),
                "images": int(theirs.sum()),
                "errors": int(asked.wrong[theirs].sum()),
                "error_percent": 100 * float(asked.wrong[theirs].mean()),
                "abstained_percent": 100 * float(1 - given.sum() / theirs.sum()),
                "wrong_answers": int(asked.wrong[given].sum()),
                "wrong_among_the_answers_percent": 100 * float(asked.wrong[given].mean()),
            }
        )
    return pd.DataFrame(rows)
