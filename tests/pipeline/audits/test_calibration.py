"""Confidence against accuracy, and answers against abstentions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.audits import scores
from pipeline.audits.calibration import (
    answered_error,
    aurc,
    coverage,
    ece,
    ece_excess,
    error_auroc,
    estimates,
    floor,
    measure,
    noise_floor,
)
from pipeline.audits.gates import GATES, Estimate
from pipeline.audits.results import Results
from pipeline.data.mnist import CORRECTED, UNDECIDED
from pipeline.report.sections import Section, write
from tests.pipeline.audits.made_up import handwriting, measured, nameless, results, thresholds, verdict


@pytest.fixture
def samples(rng) -> pd.DataFrame:
    return handwriting(rng)


def excess(confidence: np.ndarray, wrong: np.ndarray) -> Estimate:
    """The excess for images by writers of 20 digits each."""
    samples = handwriting(np.random.default_rng(0), students=200, employees=len(wrong) // 20 - 200, digits=20)
    asked = results(samples, wrong, confidence, bootstrap=300)
    return ece_excess(asked, floor(asked))


def passes(estimate: Estimate, threshold: float) -> bool | None:
    return verdict("ece_excess", estimate, threshold).passed


def written(asked: Results) -> Section:
    return write("calibration", asked, measure(asked), thresholds())


def width(estimate: Estimate) -> float:
    _, low, high = measured(estimate)
    return high - low


def test_the_section_holds_the_three_gates(samples, rng):
    asked = results(samples, rng.random(len(samples)) < 0.001)
    names = [name for name, gate in GATES.items() if gate.section == "calibration"]
    assert [*estimates(asked)] == [*written(asked).sentences] == names
    assert estimates(asked) == {name: measure(asked)[name] for name in names}


def test_the_interval_that_takes_long_can_be_left_out(samples, rng):
    asked = results(samples, rng.random(len(samples)) < 0.01)
    quick, full = estimates(asked, with_interval=False), estimates(asked)
    assert quick.pop("ece_excess") == Estimate(full.pop("ece_excess").value)
    assert quick == full


def test_coverage_and_the_error_among_answers_are_counted(samples):
    wrong, answered = np.arange(6000) < 50, ~((np.arange(6000) >= 20) & (np.arange(6000) < 100))
    share, error = coverage(answered), answered_error(answered, wrong)
    assert share.value == 1 - 80 / 6000
    assert verdict("coverage", share, 0.99).passed is False
    assert error.value == 20 / 5920
    assert verdict("answered_error", error, 0.001).passed is False
    section = written(results(samples, wrong, abstained=~answered))
    (sentence,) = section.findings["abstentions"]
    assert "Of the 80 images declined, 30 would have been misread" in sentence
    assert section.sentences["answered_error"].startswith("Of 5,920 answers given, 20 are wrong")


def test_a_recogniser_that_answers_nothing_has_no_error_among_answers(samples):
    nothing = np.ones(len(samples), bool)
    asked = results(samples, ~nothing, abstained=nothing)
    assert estimates(asked)["answered_error"].value is None
    assert estimates(asked)["coverage"].value == 0
    assert written(asked).sentences["answered_error"].startswith("Not measurable")


def test_it_is_said_how_many_wrong_answers_the_labels_may_be_to_blame_for(samples):
    """Wrong: on two labels known to be wrong, one as it should read; a doubtful label; others; and one declined."""
    wronged, read_right = 947, 1621
    labels = samples["label"].to_numpy(copy=True)
    labels[read_right] = (CORRECTED[read_right] - 1) % 10
    labels[wronged] = (CORRECTED[wronged] + 1) % 10
    wrong, declined_one = np.zeros((2, len(samples)), bool)
    wrong[[wronged, read_right, UNDECIDED[0], 10, 11, 12]] = True
    declined_one[12] = True
    asked = results(samples.assign(label=labels), wrong, abstained=declined_one)
    (sentence,) = written(asked).findings["labels"]
    assert sentence.startswith(
        "Wrong answers given: 5, of which 2 on the ten test images whose official label is known to be wrong "
        "(naming the digit that most people see there: 1) and 1 on the five whose label is doubtful"
    )
    assert measured(estimates(asked)["answered_error"])[0] == 5 / (len(samples) - 1)


def test_labels_are_not_blamed_where_no_answer_is_wrong_or_none_is_known_to_be_doubtful(samples):
    wrong = np.arange(len(samples)) < 5
    for asked in (results(samples, ~wrong & wrong), results(samples, wrong, source="mnist-sample")):
        assert "labels" not in written(asked).findings


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
    found = excess(np.full(6000, 0.99), wrong)
    assert passes(found, 0.01) is False
    value, low, high = measured(found)
    assert value == pytest.approx(0.09, abs=0.02)
    assert 0.01 < low < value < high


def test_a_calibrated_network_passes_and_one_forced_to_certainty_does_not(rng):
    confidence = rng.beta(20, 1, 6000)
    wrong = rng.random(6000) >= confidence
    assert passes(excess(confidence, wrong), 0.005)
    assert passes(excess(np.ones(6000), wrong), 0.005) is False


def test_the_interval_of_the_excess_is_wider_where_errors_share_a_writer():
    spread, gathered = np.zeros((2, 6000), bool)
    spread[::20] = True
    gathered[: spread.sum()] = True
    narrow, wide = (excess(np.full(6000, 0.99), wrong) for wrong in (spread, gathered))
    assert width(wide) > 2 * width(narrow)


def test_the_error_of_calibration_is_that_of_the_evaluation(samples, rng):
    confidence = rng.uniform(0.2, 1, len(samples))
    wrong = rng.random(len(samples)) < 0.3
    one = results(samples, wrong, confidence)
    expected = scores.summarise(one.predictions.probabilities, one.labels)["ece"]
    assert ece(one.predictions.confidence.astype(float), wrong) == pytest.approx(expected, abs=1e-6)


def test_error_detection_is_the_auroc_over_writers(rng):
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
    section = written(results(samples, np.zeros(len(samples), bool)))
    assert "not measurable" in section.findings["error_detection"][0]
    assert "overconfident" not in section.figures


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
    section = written(results(samples, wrong, confidence))
    assert section.findings["overconfident"][0].startswith("7 of 6,000 images")
    assert set(section.figures) == {"risk", "reliability", "overconfident"}


def test_prediction_sets_are_told_for_each_population(samples):
    wrong = (samples["population"] == "students").to_numpy() & (samples["row"] % 4 == 0).to_numpy()
    table = measure(results(samples, wrong))["sets"].set_index("images_of")
    held = table["hold_the_truth_percent"].to_dict()
    assert held == pytest.approx({"all": 83.33, "students": 75.0, "employees": 100.0}, abs=0.01)
    assert table["mean_size"].tolist() == [1, 1, 1]
    (sentence,) = written(results(samples, wrong)).findings["prediction_sets"]
    assert "all 83.33\u00a0%, students 75.00\u00a0%, employees 100.00\u00a0%; on average they name 1.00" in sentence


def test_where_no_prediction_sets_are_promised_nothing_is_said_of_them(samples):
    wrong = (samples["row"] % 4 == 0).to_numpy()
    asked = results(samples, wrong)
    section = written(replace(asked, predictions=replace(asked.predictions, prediction_set=None)))
    assert "sets" not in section.tables
    assert "prediction_sets" not in section.findings
    assert {"scores"} == set(section.tables)


def test_a_source_without_writers_is_measured_by_images(samples, rng):
    wrong = rng.random(len(samples)) < 0.02
    asked = results(nameless(samples)[:500], wrong[:500], np.full(500, 0.97), source="mnist-sample")
    assert all(estimate.value is not None for estimate in estimates(asked).values())
    assert measure(asked)["sets"]["images_of"].tolist() == ["all"]
