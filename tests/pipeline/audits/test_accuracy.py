"""Error and recall, and the known wrong labels."""

import numpy as np
import pandas as pd
import pytest

from pipeline.audits.accuracy import (
    by_truth,
    confused_pairs,
    digit_recall,
    equal_digits,
    error,
    estimates,
    measure,
    recall_table,
    worst_digit,
)
from pipeline.audits.results import Results
from pipeline.data.mnist import CORRECTED, UNDECIDED
from pipeline.report.sections import Section, write
from tests.pipeline.audits.made_up import handwriting, measured, results, thresholds, verdict


@pytest.fixture
def samples() -> pd.DataFrame:
    return handwriting(np.random.default_rng(0), students=150, employees=100)


def written(asked: Results) -> Section:
    return write("accuracy", asked, measure(asked), thresholds())


@pytest.mark.parametrize(("errors", "passed"), [(40, True), (41, False)])
def test_the_error_gate_passes_up_to_its_threshold(samples, errors, passed):
    wrong = np.arange(10_000) < errors
    assert verdict("error", error(wrong), 0.004).passed is passed
    assert error(wrong).value == errors / 10_000
    assert f"{errors} of 10,000" in written(results(samples, wrong)).sentences["error"]


def test_one_badly_read_digit_fails_the_recall_gate():
    labels = np.repeat(np.arange(10), 100)
    wrong = np.zeros(1000, bool)
    assert verdict("digit_recall", digit_recall(labels, wrong), 0.99).passed
    wrong[400:402] = True
    assert verdict("digit_recall", digit_recall(labels, wrong), 0.99).passed is False
    assert digit_recall(labels, wrong).value == pytest.approx(0.98)
    assert worst_digit(labels, wrong) == 4


def test_the_section_holds_both_gates_and_shows_the_misread_images(samples):
    asked = results(samples, np.arange(len(samples)) < 12)
    section = written(asked)
    assert [*estimates(asked)] == [*section.sentences] == ["error", "digit_recall"]
    assert section.sentences["digit_recall"].startswith(f"The digit read worst is {measure(asked)['worst_digit']}: ")
    assert "misclassified" in section.figures


def test_known_wrong_labels_are_corrected_and_doubtful_ones_left_out(samples):
    """Misread: a label known to be wrong, as what it should be; one that nobody can tell; and an undoubted one."""
    wronged, undecided, undoubted = 947, UNDECIDED[0], 100
    samples["source_row"] = np.arange(len(samples))[::-1]
    rows = samples.set_index("source_row").index
    places = [rows.get_loc(row) for row in (wronged, undecided, undoubted)]
    labels = samples["label"].to_numpy(copy=True)
    for row, digit in CORRECTED.items():
        labels[rows.get_loc(row)] = digit if row != wronged else (digit - 1) % 10
    samples["label"] = labels
    wrong = np.zeros(len(samples), bool)
    wrong[places] = True
    table = by_truth(results(samples, wrong))
    assert table["errors"].tolist() == [3, 2, 1]
    assert table["images"].tolist() == [10_000, 10_000, 9_985]


def test_the_rows_of_mnists_test_file_mean_nothing_in_another_source(samples):
    section = written(results(samples, samples["source_row"].isin(CORRECTED).to_numpy(), source="mnist-sample"))
    assert section.tables["by_truth"][1]["truth"].tolist() == ["official labels"]
    assert "not measurable" in section.findings["doubtful_labels"][0]


def test_a_digit_that_draws_the_errors_stands_out_and_ten_equal_ones_do_not():
    labels = np.repeat(np.arange(10), 1000)
    rng = np.random.default_rng(0)
    planted = rng.random(10_000) < np.where(labels == 6, 0.02, 0.003)
    assert equal_digits(labels, planted, 500, rng) < 0.05
    fair = [equal_digits(labels, rng.random(10_000) < 0.004, 200, rng) for _ in range(200)]
    assert 0 < sum(p < 0.05 for p in fair) <= 20


def test_it_is_told_whether_one_digit_stands_out(samples):
    sixes = (samples["label"] == 6).to_numpy()
    for wrong, told in ((sixes & (samples.index % 10 == 0), "One digit is"), (samples.index % 50 == 0, "No digit is")):
        (sentence,) = written(results(samples, np.asarray(wrong))).findings["equal_digits"]
        assert sentence.startswith(f"{told} misread more than chance would give: most often ")


def test_recall_and_confusions_are_counted(samples):
    wrong = (samples["label"] == 3).to_numpy() & (samples["row"] < 500).to_numpy()
    one = results(samples, wrong)
    threes = recall_table(one.labels, one.predictions.digit).loc[3]
    assert threes["errors"] == wrong.sum()
    assert threes["taken_for"] == f"4 ({wrong.sum()}×)"
    pairs = confused_pairs(one.labels, one.predictions.digit)
    assert pairs[["smaller", "larger"]].to_numpy().tolist() == [[3, 4]]
    assert pairs["errors"].tolist() == [wrong.sum()]
    assert pairs["smaller_taken_for_larger"].tolist() == [wrong.sum()]


def test_a_network_without_errors_has_a_section(samples):
    asked = results(samples, np.zeros(len(samples), bool))
    value, low, high = measured(estimates(asked)["error"])
    assert value == low == 0 < high
    assert written(asked).findings["confused"] == ["No digit was taken for another."]
