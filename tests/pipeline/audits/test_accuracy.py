"""Error and recall, and the known wrong labels."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from pipeline.audits.accuracy import (
    CORRECTED,
    UNDECIDED,
    confused_pairs,
    digit_recall,
    equal_digits,
    error,
    exact_interval,
    measure,
    recall_table,
    three_errors,
)
from tests.pipeline.audits.made_up import handwriting, measured, subject


@pytest.fixture
def samples() -> pd.DataFrame:
    return handwriting(np.random.default_rng(0), students=150, employees=100)


@pytest.mark.parametrize(("count", "total"), [(30, 10_000), (0, 10), (10, 10), (1, 3), (9_990, 10_000)])
def test_the_exact_interval_is_clopper_and_pearsons(count, total):
    expected = binomtest(count, total).proportion_ci(method="exact")
    assert exact_interval(count, total) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("errors", "passed"), [(40, True), (41, False)])
def test_the_error_gate_passes_up_to_its_threshold(errors, passed):
    wrong = np.arange(10_000) < errors
    gate = error(wrong, 0.004)
    assert gate.passed is passed
    assert gate.value == errors / 10_000
    assert f"{errors} of 10,000" in gate.sentence


def test_one_badly_read_digit_fails_the_recall_gate():
    labels = np.repeat(np.arange(10), 100)
    wrong = np.zeros(1000, bool)
    assert digit_recall(labels, wrong, 0.99).passed
    wrong[400:402] = True
    gate = digit_recall(labels, wrong, 0.99)
    assert gate.passed is False
    assert gate.value == pytest.approx(0.98)
    assert "worst is 4" in gate.sentence


def test_the_section_holds_both_gates_and_shows_the_misread_images(samples):
    section = measure(subject(samples, np.arange(len(samples)) < 12, error=0.002))
    assert [gate.name for gate in section.gates] == ["error", "digit_recall"]
    assert section.gates[0].threshold == 0.002
    assert section.gates[0].passed is True
    assert "The misread images" in section.figures


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
    table = three_errors(subject(samples, wrong))
    assert table["misread"].tolist() == [3, 2, 1]
    assert table["images"].tolist() == [10_000, 10_000, 9_985]


def test_the_rows_of_mnists_test_file_mean_nothing_in_another_source(samples):
    section = measure(subject(samples, samples["source_row"].isin(CORRECTED).to_numpy(), source="mnist-sample"))
    assert section.tables["Error by three ideas of the truth"]["truth"].tolist() == ["official labels"]
    assert any("not measurable" in finding for finding in section.findings)


def test_a_digit_that_draws_the_errors_stands_out_and_ten_equal_ones_do_not():
    labels = np.repeat(np.arange(10), 1000)
    rng = np.random.default_rng(0)
    planted = rng.random(10_000) < np.where(labels == 6, 0.02, 0.003)
    assert equal_digits(labels, planted, 500, rng).startswith("One digit is misread more")
    fair = [equal_digits(labels, rng.random(10_000) < 0.004, 200, rng) for _ in range(200)]
    assert 0 < sum(one.startswith("One digit is misread more") for one in fair) <= 20


def test_recall_and_confusions_are_counted(samples):
    wrong = (samples["label"] == 3).to_numpy() & (samples["row"] < 500).to_numpy()
    one = subject(samples, wrong)
    threes = recall_table(one.labels, one.predictions.digit).loc[3]
    assert threes["misread"] == wrong.sum()
    assert threes["taken for"] == f"4 ({wrong.sum()}×)"
    pairs = confused_pairs(one.labels, one.predictions.digit)
    assert pairs["pair"].tolist() == ["3 and 4"]
    assert pairs["errors"].tolist() == [wrong.sum()]
    assert pairs["the smaller read as the larger"].tolist() == [wrong.sum()]


def test_a_network_without_errors_has_a_section(samples):
    section = measure(subject(samples, np.zeros(len(samples), bool)))
    value, low, high = measured(section.gates[0])
    assert value == low == 0 < high
