"""The gates of error and recall."""

import numpy as np
import pytest

from pipeline.audits.accuracy import digit_recall, error, exact_interval


def test_the_exact_interval_is_clopper_and_pearsons():
    assert exact_interval(30, 10_000) == pytest.approx((0.00202, 0.00428), abs=1e-5)


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
