"""Scores of probabilities, against hand-made answers."""

import numpy as np
import pytest

from pipeline.audits.scores import confusion, reliability, summarise


def probabilities(*rows: dict[int, float]) -> np.ndarray:
    """Rows of ten probabilities out of the few that are not zero."""
    table = np.zeros((len(rows), 10), np.float32)
    for row, values in zip(table, rows, strict=True):
        for digit, value in values.items():
            row[digit] = value
    return table


def test_a_hand_made_set():
    answers = probabilities({3: 1.0}, {3: 0.75, 5: 0.25}, {7: 0.75, 1: 0.25}, {0: 1.0})
    summary = summarise(answers, np.array([3, 3, 1, 0]))
    assert summary["accuracy"] == 0.75
    assert (summary["errors"], summary["images"]) == (1, 4)
    assert summary["nll"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 4)
    assert summary["brier"] == pytest.approx((2 * 0.25**2 + 2 * 0.75**2) / 4)
    assert summary["ece"] == pytest.approx(0.5 * abs(0.75 - 0.5))


def test_an_impossible_label_costs_much_but_not_infinitely():
    assert 80 < summarise(probabilities({3: 1.0}), np.array([5]))["nll"] < 100


def test_reliability_counts_every_image_once():
    rng = np.random.default_rng(0)
    answers = rng.dirichlet(np.ones(10), 500)
    bins = reliability(answers, rng.integers(0, 10, 500))
    assert bins["images"].sum() == 500
    assert bins["confidence"].is_monotonic_increasing


def test_confusion_has_labels_in_rows():
    counts = confusion(np.array([7, 7, 2]), np.array([1, 7, 2]))
    assert counts.shape == (10, 10)
    assert (counts[1, 7], counts[7, 7], counts[7, 1]) == (1, 1, 0)
