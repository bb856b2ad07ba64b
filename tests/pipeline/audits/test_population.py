"""The gate on the gap between the two populations."""

import numpy as np
import pandas as pd
import pytest

from pipeline.audits.population import population_gap, resampled_error


def handwriting(writers: int = 100, digits: int = 50) -> pd.DataFrame:
    """Digits by writers, half of them students."""
    writer = np.repeat(np.arange(writers), digits)
    return pd.DataFrame({"writer": writer, "population": np.where(writer < writers // 2, "students", "employees")})


def gap(samples: pd.DataFrame, wrong: np.ndarray, threshold: float = 0.5):
    return population_gap(samples, wrong, draws=2000, seed=0, threshold=threshold)


def test_equal_populations_pass():
    samples = handwriting()
    wrong = np.random.default_rng(0).random(len(samples)) < 0.003
    gate = gap(samples, wrong)
    assert gate.passed
    assert gate.interval[0] < 0 < gate.interval[1]


def test_students_read_worse_fail_and_the_sentence_says_by_how_much():
    samples = handwriting()
    wrong = (np.random.default_rng(0).random(len(samples)) < 0.02) & (samples["population"] == "students").to_numpy()
    gate = gap(samples, wrong)
    assert gate.passed is False
    assert gate.value > 1
    assert "+1." in gate.sentence or "+2." in gate.sentence


def test_errors_of_one_hand_widen_the_interval():
    samples = handwriting()
    spread, gathered = np.zeros(len(samples), bool), np.zeros(len(samples), bool)
    spread[:2500:50] = True
    gathered[:50] = True
    narrow, wide = (gap(samples, wrong).interval for wrong in (spread, gathered))
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


def test_a_source_without_writers_is_not_passed_silently():
    samples = handwriting().assign(writer=np.nan, population=None)
    gate = gap(samples, np.zeros(len(samples), bool))
    assert gate.passed is None
    assert gate.record()["measurable"] is False
    assert "does not say who wrote" in gate.sentence


def test_resampling_keeps_the_mean():
    writers = np.array([[1, 20], [0, 30], [3, 50]])
    errors = resampled_error(writers, 20_000, np.random.default_rng(0))
    assert errors.mean() == pytest.approx(0.04, abs=0.003)
