"""What the audit says of a recipe, by what networks of that recipe made of made-up writers whom they never saw."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.audits import out_of_fold as recipe
from pipeline.audits.section import Section
from tests.pipeline.audits.made_up import handwriting, subject

FOLDS = 5


def read(samples: pd.DataFrame, wrong: np.ndarray, abstained: np.ndarray) -> Section:
    """The section on networks that misread what is ``wrong``; the network itself misreads no test image."""
    answers: dict[str, Any] = {
        "fold": samples["writer"].to_numpy(int) % FOLDS,
        "digit": np.where(wrong, (samples["label"] + 1) % 10, samples["label"]),
        "confidence": 0.99,
        "abstained": abstained,
    }
    tested = subject(samples, np.zeros(len(samples), bool))
    images = np.zeros((len(samples), 28, 28), np.uint8)
    return recipe.measure(tested, images, samples.assign(split="train", components=1 + (samples.index < 99), **answers))


@pytest.fixture
def samples(rng: np.random.Generator) -> pd.DataFrame:
    return handwriting(rng, students=100, employees=100)


def test_it_counts_errors_and_wrong_answers_over_all_folds(samples):
    wrong, abstained = (np.isin(np.arange(len(samples)), rows) for rows in (range(0, 8000, 100), range(0, 8000, 200)))
    section = read(samples, wrong, abstained)
    assert section.values["error"] == 80 / 8000
    assert section.values["coverage"] == 7960 / 8000
    assert section.values["answered_error"] == 40 / 7960
    assert "80 of 8,000 images are misread" in section.findings[0]
    assert "40 of 7,960 answers are wrong" in section.findings[1]
    assert not section.gates


def test_each_network_is_told_by_the_writers_that_it_read(samples):
    wrong = (samples["writer"] == 7).to_numpy()
    table = read(samples, wrong, np.zeros(len(samples), bool)).tables["Each network, on the writers that it never saw"]
    assert table["writers"].tolist() == [40] * FOLDS
    assert table["misread"].tolist() == [0, 0, 40, 0, 0]


def test_a_population_read_worse_is_told_with_its_gap(samples, rng):
    students = (samples["population"] == "students").to_numpy()
    section = read(samples, rng.random(len(samples)) < np.where(students, 0.08, 0.01), np.zeros(len(samples), bool))
    found = float(section.findings[2].partition("a gap of ")[2].split()[0])
    assert found == pytest.approx(7, abs=1)
    assert section.values["population_gap"] > found
    assert "the recipe would miss 1: Gap between the writers' populations" in section.findings[3]


def test_four_times_the_writers_show_a_gap_half_as_wide(rng):
    few, many = (handwriting(rng, students=count, employees=count) for count in (50, 200))
    shown = [
        float(sentence.partition("A gap of ")[2].split()[0])
        for sentence in (
            read(samples, rng.random(len(samples)) < 0.05, np.zeros(len(samples), bool)).findings[2]
            for samples in (few, many)
        )
    ]
    assert shown[1] == pytest.approx(shown[0] / 2, rel=0.25)


def test_the_same_answers_give_the_same_section(samples):
    wrong = samples["row"].to_numpy() % 50 == 0
    first, second = (read(samples, wrong, wrong) for _ in range(2))
    assert first.findings == second.findings
    for caption, table in first.tables.items():
        pd.testing.assert_frame_equal(table, second.tables[caption])
