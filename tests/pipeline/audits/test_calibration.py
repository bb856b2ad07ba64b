"""Confidence against accuracy, and answers against abstentions."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pipeline import metrics
from pipeline.audits.accuracy import CORRECTED, UNDECIDED
from pipeline.audits.calibration import (
    answered_error,
    aurc,
    coverage,
    declined,
    ece,
    ece_excess,
    ece_spread,
    error_auroc,
    measure,
    noise_floor,
    sets_table,
)
from pipeline.audits.gates import Gate
from tests.pipeline.audits.made_up import handwriting, measured, nameless, subject


@pytest.fixture
def samples(rng) -> pd.DataFrame:
    return handwriting(rng)


def excess(confidence: np.ndarray, wrong: np.ndarray, rng: np.random.Generator, threshold: float) -> Gate:
    """The gate for images by hands of 20 digits each."""
    floor = noise_floor(confidence, 300, rng)
    spread = ece_spread(confidence, wrong, np.arange(len(wrong)) // 20, 300, rng)
    return ece_excess(confidence, wrong, floor, threshold, spread)


def width(gate: Gate) -> float:
    _, low, high = measured(gate)
    return high - low


def test_the_section_holds_the_three_gates(samples, rng):
    section = measure(subject(samples, rng.random(len(samples)) < 0.001, coverage=0.99))
    assert [gate.name for gate in section.gates] == ["coverage", "answered_error", "ece_excess"]
    assert section.gates[0].threshold == 0.99


def test_coverage_and_the_error_among_answers_are_counted():
    wrong, answered = np.arange(6000) < 50, ~((np.arange(6000) >= 20) & (np.arange(6000) < 100))
    share, error = coverage(answered, 0.99), answered_error(answered, wrong, 0.001)
    assert share.value == 1 - 80 / 6000
    assert share.passed is False
    assert error.value == 20 / 5920
    assert error.passed is False
    assert "Of the 80 images declined, 30 would have been misread" in declined(answered, wrong)


def test_a_recogniser_that_answers_nothing_has_no_error_among_answers(samples):
    nothing = np.ones(len(samples), bool)
    share, error, _ = measure(subject(samples, ~nothing, abstained=nothing)).gates
    assert error.passed is None
    assert share.value == 0


def test_it_is_said_how_many_wrong_answers_the_labels_may_be_to_blame_for(samples):
    """Wrong: on two labels known to be wrong, one as it should read; a doubtful label; others; and one declined."""
    wronged, read_right = 947, 1621
    labels = samples["label"].to_numpy(copy=True)
    labels[read_right] = (CORRECTED[read_right] - 1) % 10
    labels[wronged] = (CORRECTED[wronged] + 1) % 10
    wrong, declined_one = np.zeros((2, len(samples)), bool)
    wrong[[wronged, read_right, UNDECIDED[0], 10, 11, 12]] = True
    declined_one[12] = True
    one = subject(samples.assign(label=labels), wrong, abstained=declined_one)
    section = measure(one)
    assert section.findings[0].startswith(
        "Wrong answers given: 5, of which 2 on the ten test images whose official label is known to be wrong "
        "(naming the digit that most people see there: 1) and 1 on the five whose label is doubtful"
    )
    assert measured(section.gates[1])[0] == 5 / (len(samples) - 1)


def test_labels_are_not_blamed_where_no_answer_is_wrong_or_none_is_known_to_be_doubtful(samples):
    wrong = np.arange(len(samples)) < 5
    for one in (subject(samples, ~wrong & wrong), subject(samples, wrong, source="mnist-sample")):
        assert not any("official label" in finding for finding in measure(one).findings)


def test_a_calibrated_network_stays_under_its_noise_floor_nineteen_times_in_twenty(rng):
    over = []
    for _ in range(60):
        confidence = rng.beta(20, 1, 2000)
        wrong = rng.random(2000) >= confidence
        over.append(ece(confidence, wrong) > noise_floor(confidence, 200, rng).bound)
    assert np.mean(over) <= 0.13


def test_the_noise_floor_is_that_of_the_binomial_distribution(rng):
    """All of one confidence: the mean distance of a share from its expectation is sqrt(2 p (1 - p) / (pi N))."""
    floor = noise_floor(np.full(2000, 0.9), 2000, rng)
    assert floor.ece.mean() == pytest.approx(np.sqrt(2 * 0.9 * 0.1 / (np.pi * 2000)), rel=0.05)
    spread = 1.96 * np.sqrt(0.9 * 0.1 / 2000)
    seen = ~np.isnan(floor.low)
    assert (floor.low[seen], floor.high[seen]) == (
        pytest.approx(0.9 - spread, abs=2e-3),
        pytest.approx(0.9 + spread, abs=2e-3),
    )


def test_overconfidence_fails_and_its_size_is_told(rng):
    wrong = rng.random(6000) < 0.1
    gate = excess(np.full(6000, 0.99), wrong, rng, 0.01)
    assert gate.passed is False
    value, low, high = measured(gate)
    assert value == pytest.approx(0.09, abs=0.02)
    assert 0.01 < low < value < high


def test_a_calibrated_network_passes_and_one_forced_to_certainty_does_not(rng):
    confidence = rng.beta(20, 1, 6000)
    wrong = rng.random(6000) >= confidence
    assert excess(confidence, wrong, rng, 0.005).passed
    assert excess(np.ones(6000), wrong, rng, 0.005).passed is False


def test_the_interval_of_the_excess_is_wider_where_errors_share_a_hand(rng):
    spread, gathered = np.zeros((2, 6000), bool)
    spread[::20] = True
    gathered[: spread.sum()] = True
    narrow, wide = (excess(np.full(6000, 0.99), wrong, rng, 0.1) for wrong in (spread, gathered))
    assert width(wide) > 2 * width(narrow)


def test_the_error_of_calibration_is_that_of_the_evaluation(samples, rng):
    confidence = rng.uniform(0.2, 1, len(samples))
    wrong = rng.random(len(samples)) < 0.3
    one = subject(samples, wrong, confidence=confidence)
    expected = metrics.summarise(one.predictions.probabilities, one.labels)["ece"]
    assert ece(one.predictions.confidence.astype(float), wrong) == pytest.approx(expected, abs=1e-6)


def test_error_detection_is_the_auroc_over_hands(rng):
    confidence = rng.random(2000).round(2)
    wrong = rng.random(2000) < 0.1 * (1.5 - confidence)
    found = error_auroc(confidence, wrong, np.arange(2000) // 20, 500, rng)
    assert found is not None
    value, low, high = found
    assert value == pytest.approx(roc_auc_score(wrong, -confidence))
    assert low < value < high
    spread = np.sqrt(value * (1 - value) / wrong.sum())
    assert 1 * spread < high - low < 6 * spread


def test_without_errors_their_detection_is_not_measurable(samples):
    section = measure(subject(samples, np.zeros(len(samples), bool)))
    assert any("not measurable" in finding for finding in section.findings)


def test_areas_under_the_risk_curves_are_those_worked_out_by_hand():
    confidence, wrong = np.array([0.6, 0.9, 0.8, 0.7]), np.array([False, False, True, False])
    assert aurc(confidence, wrong) == pytest.approx(((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4, 3 / 16))
    tied = np.full(4, 0.9)
    assert aurc(tied, wrong) == pytest.approx((0.25, 0.15625))
    assert aurc(tied, wrong[::-1]) == pytest.approx((0.25, 0.15625))


def test_sure_errors_are_counted_and_shown(samples, rng):
    confidence = rng.uniform(0.5, 0.98, len(samples))
    confidence[:7] = 0.995
    wrong = np.arange(len(samples)) < 20
    section = measure(subject(samples, wrong, confidence=confidence))
    assert any(finding.startswith("7 of 6,000 images") for finding in section.findings)
    assert "Misread with a confidence above 0.99" in section.figures


def test_prediction_sets_are_told_for_each_population(samples):
    wrong = (samples["population"] == "students").to_numpy() & (samples["row"] % 4 == 0).to_numpy()
    table = sets_table(subject(samples, wrong)).set_index("images of")
    assert table["hold the truth, %"].to_dict() == {"all": 83.33, "students": 75.0, "employees": 100.0}
    assert table["mean size"].tolist() == [1, 1, 1]


def test_a_source_without_writers_is_measured_by_images(samples, rng):
    wrong = rng.random(len(samples)) < 0.02
    one = subject(nameless(samples)[:500], wrong[:500], source="mnist-sample", confidence=np.full(500, 0.97))
    section = measure(one)
    assert all(gate.passed is not None for gate in section.gates)
    assert section.tables["Prediction sets"]["images of"].tolist() == ["all"]
