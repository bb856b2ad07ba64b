"""Folds of writers, and the networks that are trained without each."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import params
from pipeline.models import folds
from tests.pipeline.audits.made_up import handwriting

COUNT = 5


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
@pytest.mark.timeout(600)
def test_each_network_reads_its_fold_as_it_was_taught_and_none_that_was_read_already(digits, tmp_path: Path):
    images, labels = digits
    dials, calibration, config = params.load("train", "calibration", "networks.mlp")
    config = config.model_copy(update={"epochs": 10, "batch_size": 50, "hidden": [32], "augment": None})

    def fold(name: str, taught: np.ndarray, read: np.ndarray) -> folds.Fold:
        return folds.Fold(name, (images[:400], taught[:400]), (images[400:500], taught[400:500]), read, seed=0)

    jobs = [fold("right", labels, images[500:]), fold("reversed", 9 - labels, images[500:])]
    said = dict(folds.read(jobs, config, dials, calibration, tmp_path))
    assert (said["right"]["digit"] == labels[500:]).mean() > 0.9
    assert (said["reversed"]["digit"] == 9 - labels[500:]).mean() > 0.9
    assert said["right"]["abstained"].dtype == bool

    again = dict(folds.read([fold("right", labels, images[:3])], config, dials, calibration, tmp_path))
    pd.testing.assert_frame_equal(again["right"], said["right"])
