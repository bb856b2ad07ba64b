"""What the audit says of networks trained on all but a fold of made-up writers, whom they never saw."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.audits import out_of_fold
from pipeline.report.sections import Section, write
from tests.pipeline.audits.made_up import handwriting, results, thresholds

FOLDS = 5
LENIENT = thresholds(population_gap=5.0, abstention_gap=5.0)


def measured(samples: pd.DataFrame, wrong: np.ndarray, abstained: np.ndarray) -> dict[str, Any]:
    """Of networks that misclassify what is ``wrong``; the network itself misclassifies no test image."""
    answers: dict[str, Any] = {
        "fold": samples["writer"].to_numpy(int) % FOLDS,
        "digit": np.where(wrong, (samples["label"] + 1) % 10, samples["label"]),
        "confidence": 0.99,
        "abstained": abstained,
    }
    images = np.zeros((len(samples), 28, 28), np.uint8)
    asked = samples.assign(split="train", components=1 + (samples.index < 99), **answers)
    return out_of_fold.measure(results(samples, np.zeros(len(samples), bool)), images, asked, LENIENT)


def written(samples: pd.DataFrame, measures: dict[str, Any]) -> Section:
    return write("out_of_fold", results(samples, np.zeros(len(samples), bool)), measures, LENIENT)


@pytest.fixture
def samples(rng: np.random.Generator) -> pd.DataFrame:
    return handwriting(rng, students=100, employees=100)


def test_it_counts_errors_and_wrong_answers_over_all_folds(samples):
    wrong, abstained = (np.isin(np.arange(len(samples)), rows) for rows in (range(0, 8000, 100), range(0, 8000, 200)))
    found = measured(samples, wrong, abstained)
    assert found["error"].value == 80 / 8000
    assert found["coverage"].value == 7960 / 8000
    assert found["answered_error"].value == 40 / 7960
    section = written(samples, found)
    assert "80 of 8,000 images are misread" in section.findings["errors"][0]
    assert "40 of 7,960 answers are wrong" in section.findings["answered"][0]
    assert not section.sentences


def test_each_network_is_told_by_the_writers_that_it_answered_for(samples):
    wrong = (samples["writer"] == 7).to_numpy()
    table = measured(samples, wrong, np.zeros(len(samples), bool))["by_fold"]
    assert table["writers"].tolist() == [40] * FOLDS
    assert table["errors"].tolist() == [0, 0, 40, 0, 0]


def test_a_population_recognised_worse_is_told_with_its_gap(samples, rng):
    students = (samples["population"] == "students").to_numpy()
    wrong = rng.random(len(samples)) < np.where(students, 0.08, 0.01)
    found = measured(samples, wrong, np.zeros(len(samples), bool))
    assert found["gap"].value == pytest.approx(7, abs=1)
    assert found["population_gap"].value > found["gap"].value
    findings = written(samples, found).findings
    assert f"a gap of {found['gap'].value:+.2f} percentage points" in findings["populations"][0]
    assert "the recipe would miss 1: Gap between the writers' populations (" in findings["gates"][0]


def test_four_times_the_writers_show_a_gap_half_as_wide(rng):
    few, many = (
        measured(samples, rng.random(len(samples)) < 0.05, np.zeros(len(samples), bool))["detectable_gap_pp"]
        for samples in (handwriting(rng, students=count, employees=count) for count in (50, 200))
    )
    assert many == pytest.approx(few / 2, rel=0.25)


def test_the_same_answers_give_the_same_section_with_draws_of_its_own(samples):
    wrong = samples["row"].to_numpy() % 50 == 0
    first, second = (measured(samples, wrong, wrong) for _ in range(2))
    assert written(samples, first).findings == written(samples, second).findings
    for name, table in first.items():
        if isinstance(table, pd.DataFrame):
            pd.testing.assert_frame_equal(table, second[name])
    on_test = results(samples, wrong).rng("population gap").random()
    assert first["asked"].rng("population gap").random() != on_test
    assert first["asked"].rng("population gap").random() == results(samples, wrong).rng("recipe: gap").random()


def test_the_gates_that_can_be_asked_stand_beside_their_thresholds(samples):
    wrong = samples["row"].to_numpy() % 50 == 0
    section = written(samples, measured(samples, wrong, wrong))
    caption, table = section.tables["gates"]
    assert caption == "What was found out of fold, beside the gates"
    assert len(table) == 8
    assert (table["would_be"] == "passed").all()
    assert "the recipe would meet all of them." in section.findings["gates"][0]
    assert set(section.figures) == {"gap_and_writers", "parts", "misclassified"}
