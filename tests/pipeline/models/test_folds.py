"""Folds of writers, and the networks that are trained without each."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import params
from pipeline.artifact.to_onnx import logits_of
from pipeline.models import folds
from pipeline.models.load import with_weights
from tests.pipeline.audits.made_up import handwriting

COUNT = 5


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_writer_is_in_one_fold_and_each_fold_has_its_share_of_both_populations(rng):
    samples = handwriting(rng, students=60, employees=120)
    dealt = folds.deal(samples["writer"], samples["population"], COUNT, seed=0)
    assert (pd.Series(dealt).groupby(samples["writer"]).nunique() == 1).all()
    students = pd.crosstab(dealt, samples["population"])["students"]
    assert len(students) == COUNT
    assert students.tolist() == pytest.approx([60 * 40 / COUNT] * COUNT, rel=0.1)


def test_the_seed_alone_decides(rng):
    samples = handwriting(rng)
    first, again, other = (folds.deal(samples["writer"], samples["population"], COUNT, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.fixture
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Ten shapes that any network soon tells apart, uint8 [600, 28, 28], and which it is."""
    labels = np.arange(600, dtype=np.uint8) % 10
    images = np.random.default_rng(0).integers(0, 30, (600, 28, 28)).astype(np.uint8)
    for row, label in enumerate(labels):
        images[row, 2 * label : 2 * label + 6, 5:23] += 200
    return images, labels


@pytest.mark.slow
def test_each_network_learns_what_it_is_taught_and_none_is_taught_again(digits, tmp_path: Path):
    images, labels = digits
    options, config = params.load("train.trainer", "networks.mlp")
    options = options.model_copy(update={"num_nodes": 2, "strategy": "ddp"})  # which a fold, trained alone, leaves be
    config = config.model_copy(update={"epochs": 10, "batch_size": 50, "hidden": [32], "augment": None})

    def fold(name: str, taught: np.ndarray) -> folds.Fold:
        return folds.Fold(name, (images[:400], taught[:400]), (images[400:500], taught[400:500]), seed=0)

    def accuracy(weights: Path, truth: np.ndarray) -> float:
        return float((logits_of(with_weights(config, weights), images[500:]).argmax(1) == truth[500:]).mean())

    jobs = [fold("right", labels), fold("reversed", 9 - labels)]
    trained = dict(folds.train(jobs, config, options, tmp_path))
    assert accuracy(trained["right"], labels) > 0.9
    assert accuracy(trained["reversed"], 9 - labels) > 0.9

    before = trained["right"].read_bytes()
    again = dict(folds.train([fold("right", 9 - labels)], config, options, tmp_path))
    assert again["right"].read_bytes() == before
