import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from pipeline.report import comparison

N = 300


def answers(rng: np.random.Generator, labels: np.ndarray, sharpness: float) -> pd.DataFrame:
    """What a network answers that is the surer and the more often right, the larger `sharpness`."""
    logits = rng.normal(size=(len(labels), 10)) + sharpness * np.eye(10)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    table = {"row": np.arange(len(labels)), "label": labels, "digit": probabilities.argmax(axis=1)}
    columns = {f"p{digit}": probabilities[:, digit] for digit in range(10)}
    return pd.DataFrame({**table, "confidence": probabilities.max(axis=1), **columns})


def test_tests_are_paired_and_tell_a_better_network_from_its_equal() -> None:
    rng = np.random.default_rng()
    labels = rng.integers(0, 10, N)
    good, equal, worse = (answers(rng, labels, sharpness) for sharpness in (4.0, 4.0, 2.0))
    found = comparison.paired(good, worse)
    assert found is not None
    assert all(one.p < 0.01 and one.first < one.second for one in found.measures)
    alone = [len(found.second_alone), len(found.first_alone)]
    assert found.measures[0].p == pytest.approx(binomtest(alone[0], sum(alone)).pvalue)
    same = comparison.paired(good, good)
    assert same is not None
    assert [one.p for one in same.measures] == [1, 1, 1]
    draws = [comparison.paired(good, answers(rng, labels, 4.0)) for _ in range(5)]
    assert max(one.measures[1].p for one in [comparison.paired(good, equal), *draws] if one) > 0.05


def test_what_only_one_gets_comes_with_the_others_surest_errors_first() -> None:
    rng = np.random.default_rng()
    labels = rng.integers(0, 10, N)
    first, second = (answers(rng, labels, 2.0) for _ in range(2))
    found = comparison.paired(first, second)
    assert found is not None
    right, other = first["digit"] == labels, second["digit"] == labels
    assert set(found.first_alone["row"]) == set(np.flatnonzero(right & ~other))
    assert set(found.second_alone["row"]) == set(np.flatnonzero(~right & other))
    assert found.first_alone["confidence_second"].is_monotonic_decreasing
    assert found.second_alone["confidence_first"].is_monotonic_decreasing


def test_answers_to_other_images_are_not_compared() -> None:
    rng = np.random.default_rng()
    labels = rng.integers(0, 10, N)
    table = answers(rng, labels, 2.0)
    assert comparison.paired(table, table[:-1]) is None
    assert comparison.paired(table, table.assign(label=(labels + 1) % 10)) is None


def test_what_differs_is_named_once_and_what_one_lacks_is_none() -> None:
    found = comparison.differing({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 4, "d": 5})
    assert found.to_numpy().tolist() == [["b", 2, 4], ["c", 3, None], ["d", None, 5]]
